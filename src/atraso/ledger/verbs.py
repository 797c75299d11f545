"""What can be asked of a ledger from outside, and how it is done, by the writer or by whoever holds its lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
from sqlalchemy import Connection, Engine

from atraso.ledger import account_rows
from atraso.ledger.accounts import KeyRow, Revocation, Text
from atraso.ledger.tables_csv import import_table
from atraso.ledger.upkeep import prune


class CreateKey(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="create_key"):
    """Keep a new key."""

    key: KeyRow


class RotateKey(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="rotate_key"):
    """Keep a new key beside the one of its name, which ends soon."""

    key: KeyRow
    overlap_s: Annotated[int, Meta(ge=1, le=315_360_000)]


class ListKeys(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="list_keys"):
    """Tell all keys."""


class RevokeKey(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="revoke_key"):
    """Revoke the key that begins with a prefix."""

    prefix: Text


class Revoke(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="revoke"):
    """Revoke tokens."""

    revocation: Revocation


class Prune(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="prune"):
    """Forget the predictions older than so many days."""

    keep_days: Annotated[int, Meta(ge=1, le=36_500)]


class Import(Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb", tag="import"):
    """Take in the rows of a CSV file."""

    table: Text
    path: Annotated[str, Meta(min_length=1, max_length=4096)]


Command = CreateKey | RotateKey | ListKeys | RevokeKey | Revoke | Prune | Import
RESULTS: dict[type[Command], Any] = {
    CreateKey: KeyRow,
    RotateKey: KeyRow,
    ListKeys: list[KeyRow],
    RevokeKey: KeyRow,
    Revoke: Revocation,
    Prune: int,
    Import: int,
}
# Those that may take minutes: others can be done between their transactions.
LONG = (Prune, Import)


def execute(command: Command, engine: Engine, between: Callable[[], None]) -> object:
    """Do what is asked and return its result, of the type in `RESULTS`; raises LedgerError for what cannot be done.

    A long one calls *between* after each of its transactions.
    """
    match command:
        case Prune():
            return prune(engine, command.keep_days, between)
        case Import():
            return import_table(engine, command.table, Path(command.path), between)
    with engine.begin() as connection:
        return _on_accounts(command, connection)


def _on_accounts(command: CreateKey | RotateKey | ListKeys | RevokeKey | Revoke, connection: Connection) -> object:
    match command:
        case CreateKey():
            done: object = account_rows.create_key(connection, command.key)
        case RotateKey():
            done = account_rows.rotate_key(connection, command.key, command.overlap_s)
        case ListKeys():
            done = account_rows.list_keys(connection)
        case RevokeKey():
            done = account_rows.revoke_key(connection, command.prefix)
        case Revoke():
            done = account_rows.revoke(connection, command.revocation)
    return done
