"""API keys: 256 random bits that a machine sends as a bearer token.

Only their SHA-256 is stored: a secret of that size cannot be guessed from it, so no slower hash is needed. A key begins
with a visible prefix, by which people and secret scanners can tell which key they have found.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from atraso.core.errors import AtrasoError
from atraso.identity.principal import ROLES

KEY_START = "atraso_"
_PREFIX_BYTES, _SECRET_BYTES = 4, 32
_PREFIX_LENGTH = len(KEY_START) + 2 * _PREFIX_BYTES
MAX_NAME = 80


class KeysError(AtrasoError):
    """A key cannot be made as asked."""


class KeyFacts(Protocol):
    """What is known of a key that is kept; moments in seconds since 1970."""

    @property
    def prefix(self) -> str:
        """Its visible beginning."""

    @property
    def name(self) -> str:
        """Whose it is."""

    @property
    def sha256(self) -> str:
        """Its digest, in hexadecimal."""

    @property
    def roles(self) -> Sequence[str]:
        """What its holder may do."""

    @property
    def expires_s(self) -> int | None:
        """When it ends, if it does."""


class NewKey(NamedTuple):
    """A key, which is shown once, and what is kept of it."""

    key: str
    prefix: str
    sha256: str
    roles: tuple[str, ...]


def new_key(name: str, roles: Iterable[str]) -> NewKey:
    """Make a key for *name* with *roles*; raises KeysError for a name or role that cannot be used."""
    asked = set(roles)
    wanted = tuple(role for role in ROLES if role in asked)
    if not wanted or asked - set(ROLES):
        raise KeysError(f"A key has one or more of the roles {', '.join(ROLES)}.")
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise KeysError(f"A key has a name of 1 to {MAX_NAME} printable characters.")
    prefix = KEY_START + secrets.token_hex(_PREFIX_BYTES)
    key = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(key, prefix, digest_of(key), wanted)


def prefix_of(key: str) -> str:
    """Return the visible beginning of what may be a whole *key*."""
    return key[:_PREFIX_LENGTH] if key.startswith(KEY_START) else key


class Keys:
    """The keys as a service uses them: from a key to what is known of it."""

    def __init__(self, kept: Iterable[KeyFacts] = ()) -> None:
        # Looked up by digest: how long that takes tells nothing about the key.
        self._by_digest = {key.sha256: key for key in kept if set(key.roles) <= set(ROLES)}

    def __len__(self) -> int:
        return len(self._by_digest)

    def facts_of(self, key: str) -> KeyFacts | None:
        """Return what is known of *key*, or None."""
        return self._by_digest.get(digest_of(key)) if key.startswith(KEY_START) else None


def digest_of(key: str) -> str:
    """Return the SHA-256 of *key* in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
