"""Keys and revocations in the ledger's database: each function works over a connection, in its transaction."""

from __future__ import annotations

import time

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from atraso.core.errors import LedgerError
from atraso.ledger.accounts import Accounts, KeyRow, Revocation
from atraso.ledger.schema import KEYS, REVOCATIONS


def create_key(connection: Connection, row: KeyRow, now_s: int | None = None) -> KeyRow:
    """Keep a new key and return its row; raises LedgerError where an active key has its name, or any its prefix."""
    now = _now(now_s)
    # A name is free again once its key has expired.
    expired = (KEYS.c.name == row.name, KEYS.c.revoked_s.is_(None), KEYS.c.expires_s <= now)
    connection.execute(update(KEYS).where(*expired).values(revoked_s=KEYS.c.expires_s))
    active = select(KEYS.c.prefix).where(KEYS.c.name == row.name, KEYS.c.revoked_s.is_(None))
    if connection.execute(active).first() is not None:
        raise LedgerError(f"There is a key named {row.name!r} already: choose another name, or revoke that one first.")
    return _insert(connection, row)


def rotate_key(connection: Connection, row: KeyRow, overlap_s: int, now_s: int | None = None) -> KeyRow:
    """Keep a new key beside the active one of its name, which ends in *overlap_s* seconds at the latest.

    Raises LedgerError where no active key has the name.
    """
    now = _now(now_s)
    active = (
        KEYS.c.name == row.name,
        KEYS.c.revoked_s.is_(None),
        or_(KEYS.c.expires_s.is_(None), KEYS.c.expires_s > now),
    )
    olds = connection.execute(select(KEYS).where(*active)).all()
    if not olds:
        raise LedgerError(f"There is no key named {row.name!r} that counts: `atraso keys list` shows those there are.")
    for old in olds:
        ends = min(old.expires_s or now + overlap_s, now + overlap_s)
        connection.execute(update(KEYS).where(KEYS.c.prefix == old.prefix).values(expires_s=ends))
    return _insert(connection, row)


def list_keys(connection: Connection) -> list[KeyRow]:
    """Return all keys that were ever made, oldest first, also those that are revoked or have expired."""
    return [_key(row) for row in connection.execute(select(KEYS).order_by(KEYS.c.created_s, KEYS.c.prefix))]


def revoke_key(connection: Connection, prefix: str, now_s: int | None = None) -> KeyRow:
    """Revoke the key that begins with *prefix* and return its row; once revoked it stays so, since that moment.

    Raises LedgerError where there is no such key.
    """
    this = KEYS.c.prefix == prefix
    connection.execute(update(KEYS).where(this, KEYS.c.revoked_s.is_(None)).values(revoked_s=_now(now_s)))
    row = connection.execute(select(KEYS).where(this)).first()
    if row is None:
        raise LedgerError(
            f"There is no key that begins with {prefix!r}: `atraso keys list` shows those that there are."
        )
    return _key(row)


def revoke(connection: Connection, revocation: Revocation) -> Revocation:
    """Keep *revocation* and return what is kept: of several for the same, the latest moment and the latest expiry."""
    this = (REVOCATIONS.c.kind == revocation.kind, REVOCATIONS.c.value == revocation.value)
    before = connection.execute(select(REVOCATIONS).where(*this).with_for_update()).first()
    if before is not None:
        expires = (before.expires_s, revocation.expires_s)
        last = None if None in expires else max(filter(None, expires), default=0)
        latest = max(before.revoked_s, revocation.revoked_s)
        revocation = Revocation(revocation.kind, revocation.value, latest, revocation.revoked_by, last)
        connection.execute(delete(REVOCATIONS).where(*this))
    connection.execute(
        insert(REVOCATIONS).values(
            kind=revocation.kind,
            value=revocation.value,
            revoked_s=revocation.revoked_s,
            expires_s=revocation.expires_s,
            revoked_by=revocation.revoked_by,
        )
    )
    return revocation


def snapshot(connection: Connection, now_s: int | None = None) -> Accounts:
    """Return the keys that may be used now and the revocations that have not expired; when keys were used is left out.

    Whoever uses it looks at `expires_s` too: a snapshot grows old.
    """
    now = _now(now_s)
    valid = (KEYS.c.revoked_s.is_(None), or_(KEYS.c.expires_s.is_(None), KEYS.c.expires_s > now))
    columns = [column for column in KEYS.columns if column is not KEYS.c.last_used_s]
    keys = connection.execute(select(*columns).where(*valid).order_by(KEYS.c.prefix))
    lasting = or_(REVOCATIONS.c.expires_s.is_(None), REVOCATIONS.c.expires_s > now)
    revocations = connection.execute(
        select(REVOCATIONS).where(lasting).order_by(REVOCATIONS.c.kind, REVOCATIONS.c.value)
    )
    return Accounts(
        tuple(_key(row) for row in keys),
        tuple(Revocation(row.kind, row.value, row.revoked_s, row.revoked_by, row.expires_s) for row in revocations),
    )


def _insert(connection: Connection, row: KeyRow) -> KeyRow:
    if connection.execute(select(KEYS.c.prefix).where(KEYS.c.prefix == row.prefix)).first() is not None:
        raise LedgerError(f"There is a key that begins with {row.prefix} already: make another.")
    connection.execute(
        insert(KEYS).values(
            prefix=row.prefix,
            name=row.name,
            sha256=row.sha256,
            roles=" ".join(row.roles),
            created_s=row.created_s,
            expires_s=row.expires_s,
        )
    )
    return row


def _key(row: Row[tuple[object, ...]]) -> KeyRow:
    values = dict(row._mapping)
    return KeyRow(**{**values, "roles": tuple(values["roles"].split())})


def _now(given: int | None) -> int:
    return int(time.time()) if given is None else given
