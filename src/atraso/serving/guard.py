"""Who may use which route: one table, and a bearer token looked up in memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from atraso.identity.keys import KeyFile, Keys, KeysError
from atraso.identity.principal import ANYBODY, PREDICT, Principal
from atraso.serving.problems import NotAllowedError, NotAuthenticatedError

log = logging.getLogger("atraso.identity")

# How often the file of keys is looked at: a new key works, and a removed one ends, within this time.
LOOK_EVERY_S = 1.0
# Headers that were understood before, so that they need no hashing; forgotten together when there are more.
MAX_REMEMBERED = 4096
MAX_TOKEN_BYTES = 4096

# The role that a path needs; all other paths are open.
_ROLE_OF = dict.fromkeys(("/v1/predictions", "/predict", "/v1/model", "/v1/models"), PREDICT)


def role_of(path: str) -> str | None:
    """Return the role that *path* needs, or None for an open one."""
    role = _ROLE_OF.get(path)
    if role is None and path.startswith("/v2/models/") and path.endswith("/infer"):
        return PREDICT
    return role


class Guard:
    """Tells whose request it is. Without *keys* nobody is asked.

    Make it before the workers are forked and `look` there now and then, so that a new worker begins with the keys that
    were read last, whatever has become of their file.
    """

    def __init__(self, keys: KeyFile | None, now: Callable[[], float] = time.monotonic) -> None:
        self._file = keys
        self._now = now
        self._look_at = 0.0
        self._stamp: object = ()
        self._told: object = ()
        self._keys = Keys(())
        self._remembered: dict[bytes, Principal] = {}

    def known(self, authorization: bytes | None) -> Principal | None:
        """Return the principal of a header that was understood before and still counts, or None."""
        if self._file is None:
            return ANYBODY
        if self._now() >= self._look_at:
            self.look()
        return self._remembered.get(authorization) if authorization is not None else None

    def admit(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> Principal:
        """Return who asks for *path*; raises NotAuthenticatedError and NotAllowedError."""
        role = role_of(path)
        if role is None or self._file is None:
            return ANYBODY
        authorization = authorization_of(headers)
        if authorization is None:
            raise NotAuthenticatedError("this route needs a key: send it as Authorization: Bearer KEY")
        principal = self.known(authorization) or self._understand(authorization)
        if principal is None:
            raise NotAuthenticatedError("this key is not known here")
        if role not in principal.roles:
            raise NotAllowedError(f"this needs the role {role}, which this key does not have")
        return principal

    def _understand(self, authorization: bytes) -> Principal | None:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or len(token) > MAX_TOKEN_BYTES:
            return None
        principal = self._keys.principal_of(token.strip().decode("latin-1"))
        if principal is not None:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[authorization] = principal
        return principal

    def look(self) -> None:
        """Read the keys again where their file has changed; a damaged file leaves those that were read before."""
        if self._file is None:
            return
        self._look_at = self._now() + LOOK_EVERY_S
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        try:
            self._keys = Keys(self._file.read())
        except KeysError as error:
            if stamp != self._told:
                self._told = stamp
                log.error("%s The %d keys read before still count.", error, len(self._keys))
            return
        self._stamp = stamp
        self._remembered.clear()


def authorization_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the Authorization header; the protocol lets no second one through."""
    for name, value in headers:
        if name == b"authorization":
            return value
    return None
