"""API keys: 256 random bits that a machine sends as a bearer token.

Only their SHA-256 is stored: a secret of that size cannot be guessed from it, so no slower hash is needed. A key begins
with a visible prefix, by which people and secret scanners can tell which key they have found.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from atraso.core.errors import AtrasoError
from atraso.identity.principal import ROLES, Principal

FILE = "keys.json"
KEY_START = "atraso_"
_PREFIX_BYTES, _SECRET_BYTES = 4, 32
MAX_NAME = 80


class KeysError(AtrasoError):
    """The file of keys cannot be used, or a key cannot be made as asked."""


class KeyRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of a key: not the key."""

    name: str
    prefix: str
    sha256: str
    roles: tuple[str, ...]
    created_at: str


class _KeyList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[KeyRecord, ...] = ()


class KeyFile:
    """The keys of one data folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def create(self, name: str, roles: Iterable[str]) -> tuple[str, KeyRecord]:
        """Make a key of *name* with *roles* and return it with what is kept; it can never be shown again.

        Raises KeysError for a name or role that cannot be used and for a folder that cannot be written.
        """
        wanted = tuple(role for role in ROLES if role in set(roles))
        if not wanted or set(roles) - set(ROLES):
            raise KeysError(f"A key has one or more of the roles {', '.join(ROLES)}.")
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise KeysError(f"A key has a name of 1 to {MAX_NAME} printable characters.")
        prefix = KEY_START + secrets.token_hex(_PREFIX_BYTES)
        key = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        made = KeyRecord(name, prefix, digest_of(key), wanted, datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            with self._locked():
                others = self.read()
                if any(record.name == name for record in others):
                    raise KeysError(f"There is a key named {name!r} already: choose another name.")
                self._write((*others, made))
        except OSError as error:
            raise KeysError(f"The keys cannot be written to {self.path}: {error.strerror}.") from None
        return key, made

    def read(self) -> tuple[KeyRecord, ...]:
        """Return the keys that are kept; none where there is no file yet. Raises KeysError for a damaged one."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_KeyList).keys
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise KeysError(f"The keys in {self.path} cannot be read: {error.strerror}.") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise KeysError(f"The file of keys {self.path} is damaged: {error}.") from None

    def stamp(self) -> tuple[int, int, int] | None:
        """Return what changes when the file does, or None where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others from writing meanwhile."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (self.path.parent / f"{FILE}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, records: tuple[KeyRecord, ...]) -> None:
        """Put a whole file in the place of the old one, so that nobody reads half of it."""
        content = msgspec.json.format(msgspec.json.encode(_KeyList(records)), indent=1)
        beside = self.path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


class Keys:
    """The keys as a service uses them: from a key to its principal."""

    def __init__(self, records: Iterable[KeyRecord]) -> None:
        # Looked up by digest: how long that takes tells nothing about the key.
        self._by_digest = {record.sha256: Principal(record.name, frozenset(record.roles)) for record in records}

    def __len__(self) -> int:
        return len(self._by_digest)

    def principal_of(self, key: str) -> Principal | None:
        """Return whose *key* this is, or None."""
        return self._by_digest.get(digest_of(key)) if key.startswith(KEY_START) else None


def digest_of(key: str) -> str:
    """Return the SHA-256 of *key* in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
