"""The ways in that are on, behind one door: keys, tokens, another issuer's tokens, certificates, passwords."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from starlette.types import Scope

from atraso.identity.credential import Credential, TokenError
from atraso.identity.keys import KEY_START, Keys
from atraso.identity.principal import Principal
from atraso.identity.revocations import Revocations
from atraso.serving.guard import BASIC as BY_PASSWORD
from atraso.serving.guard import BEARER, JWT, KEY, MTLS, OIDC, Admitted, Refused
from atraso.serving.problems import UnavailableError

BASIC = 'Basic realm="atraso", charset="UTF-8"'


class Verifier(Protocol):
    """Proves the tokens of one issuer; *own* where that is this service."""

    own: bool

    def claims(self, token: str) -> bool:
        """Return whether *token* says that it is from this issuer; nothing of it is proved by that."""

    def verify(self, token: str, now: float) -> Credential:
        """Return what *token* proves; raises TokenError."""


class Peers(Protocol):
    """Knows whose certificates come in."""

    def principal_of(self, scope: Scope) -> Admitted | Refused | None:
        """Return whom the certificate of a request names, or None where none was shown."""


class Rates(Protocol):
    """Counts requests by principal, in memory that all workers share."""

    def slot_of(self, name: str) -> int:
        """Return where the requests of *name* are counted."""

    def wait_s(self, slot: int, now: float) -> float:
        """Return 0, or the seconds until a request is allowed."""

    def count(self, slot: int, now: float) -> None:
        """Count a request."""


@dataclass(slots=True)
class Known:
    """What was read last: the keys, and what was revoked; None while that is not known yet."""

    keys: Keys
    revocations: Revocations | None


class OpenWays:
    """The ways that settings turned on; a part that is None is off.

    *read* returns what is known now where that has changed, or None; it costs little. *used* is told the prefix of each
    key that comes in and was not remembered.
    """

    def __init__(
        self,
        *,
        known: Known,
        read: Callable[[], Known | None],
        keys: bool = False,
        verifiers: Sequence[Verifier] = (),
        peers: Peers | None = None,
        basic: Callable[[bytes, str], Awaitable[Admitted | Refused]] | None = None,
        rates: Rates | None = None,
        used: Callable[[str], None] = lambda prefix: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.challenge = f"{BEARER}, {BASIC}" if basic is not None else BEARER
        self._known, self._read = known, read
        self._keys, self._verifiers, self._peers, self._basic = keys, verifiers, peers, basic
        self._rates, self._now, self._used = rates, now, used

    def look(self) -> bool:
        """Take what has changed of keys and revocations; True where something has."""
        known = self._read()
        if known is None:
            return False
        self._known = known
        return True

    def knows(self) -> bool:
        """Tell whether keys and revocations were read: until then nobody can be told from a stranger."""
        return self._known.revocations is not None or self.look()

    def bearer(self, token: str) -> Admitted | Refused:
        """Return whose *token* this is: an API key, or a token of an issuer that is believed."""
        if token.startswith(KEY_START):
            return self._by_key(token) if self._keys else Refused("keys are not taken here", kind=KEY)
        for verifier in self._verifiers:
            if verifier.claims(token):
                return self._by_token(verifier, token)
        return Refused("unknown token", kind=JWT)

    def _by_key(self, key: str) -> Admitted | Refused:
        if not self.knows():
            raise UnavailableError("it is not known yet who has a key; try again in a moment", 1)
        found = self._known.keys.facts_of(key)
        if found is None:
            return Refused("unknown key", kind=KEY)
        if found.expires_s is not None and found.expires_s <= self._now():
            return Refused("expired key", found.name, KEY)
        self._used(found.prefix)
        return self._admitted(Principal(found.name, frozenset(found.roles)), found.expires_s or inf, KEY)

    def _by_token(self, verifier: Verifier, token: str) -> Admitted | Refused:
        kind = JWT if verifier.own else OIDC
        try:
            credential = verifier.verify(token, self._now())
        except TokenError as error:
            return Refused(error.reason, kind=kind)
        if not self.knows() or self._known.revocations is None:
            raise UnavailableError("it is not known yet which tokens were revoked; try again in a moment", 1)
        if self._known.revocations.is_revoked(credential):
            return Refused("revoked token", credential.principal.name, kind)
        return self._admitted(credential.principal, credential.expires_at, kind)

    def peer(self, scope: Scope) -> Admitted | Refused | None:
        """Return whom a verified certificate names; None where none was shown, or none counts here."""
        found = self._peers.principal_of(scope) if self._peers is not None else None
        if isinstance(found, Admitted):
            return self._admitted(found.principal, found.until, MTLS)
        return found._replace(kind=MTLS) if found is not None else None

    async def basic(self, credentials: bytes, address: str) -> Admitted | Refused:
        """Return who logs in with each request; raises LaterError."""
        if self._basic is None:
            return Refused("passwords are not taken here", kind=BY_PASSWORD)
        return (await self._basic(credentials, address))._replace(kind=BY_PASSWORD)

    def rate_of(self, name: str) -> int:
        """Return where the requests of *name* are counted; -1 where nobody counts."""
        return -1 if self._rates is None else self._rates.slot_of(name)

    def wait_s(self, rate: int) -> float:
        """Return 0 where another request is allowed now, or the seconds to wait."""
        return 0.0 if self._rates is None else self._rates.wait_s(rate, self._now())

    def count(self, rate: int) -> None:
        """Count a request."""
        if self._rates is not None:
            self._rates.count(rate, self._now())

    def _admitted(self, principal: Principal, until: float, kind: int) -> Admitted:
        return Admitted(principal, until, self.rate_of(principal.name), kind)
