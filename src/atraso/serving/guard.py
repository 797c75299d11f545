"""Who comes in: a header that was understood before is looked up; any other is asked of the ways in that are on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple, Protocol

from starlette.types import Scope

from atraso.identity.keys import KEY_START
from atraso.identity.principal import ANYBODY, Principal
from atraso.serving.marks import PROBED_PATHS, PROBES_OF, is_probe
from atraso.serving.observe import route_of
from atraso.serving.policy import METRICS, NAMED_ONLY, role_of
from atraso.serving.problems import (
    LaterError,
    NoSuchRouteError,
    NotAllowedError,
    NotAuthenticatedError,
    TooManyRequestsError,
)
from atraso.telemetry.audit import Audit, no_audit
from atraso.telemetry.cells import Recorder
from atraso.telemetry.names import AUTHZ_KINDS, ROUTES

# How often what may come in is looked at: a new key works, and a revoked one ends, within this time.
LOOK_EVERY_S = 1.0
# Whoever comes in is asked for again this often, so that it is known when a key was last used.
FORGET_EVERY_S = 60.0
# Headers that were understood before, so that they need no hashing; forgotten together when there are more.
MAX_REMEMBERED = 4096
MAX_CREDENTIALS_BYTES = 4096
KEY, JWT, OIDC, BASIC, MTLS, UNSHOWN = range(len(AUTHZ_KINDS))
# One answer to all that does not count, so that nobody learns what was wrong with it.
UNKNOWN = "this key or token does not count here"


class Admitted(NamedTuple):
    """Somebody who came in: as whom, until when (seconds since 1970), and where their requests are counted.

    *kind* is the way by which they came in (of `AUTHZ_KINDS`), *known* whether it was remembered and not proved.
    """

    principal: Principal
    until: float = inf
    rate: int = -1
    kind: int = UNSHOWN
    known: bool = False


class Refused(NamedTuple):
    """Why nobody came in: for the audit log, not for the client. *who* is a name that was claimed."""

    why: str
    who: str | None = None
    kind: int = UNSHOWN


BEARER = 'Bearer realm="atraso"'
NO_CREDENTIALS = Refused("no credentials")
NOTHING = "this route asks who you are: send a key or a token as Authorization: Bearer KEY"


class Ways(Protocol):
    """The ways in that are on."""

    challenge: str

    def look(self) -> bool:
        """Read again what has changed of keys and revocations; True where something has. Cheap where nothing has."""

    def knows(self) -> bool:
        """Tell whether keys and revocations were read, from the ledger or from the file of accounts."""

    def bearer(self, token: str) -> Admitted | Refused:
        """Return whose *token* this is."""

    def peer(self, scope: Scope) -> Admitted | Refused | None:
        """Return whom a verified certificate names; None where none was shown."""

    async def basic(self, credentials: bytes, address: str) -> Admitted | Refused:
        """Return who logs in with the *credentials* of a Basic header; raises LaterError."""

    def rate_of(self, name: str) -> int:
        """Return where the requests of *name* are counted; -1 where nobody counts."""

    def wait_s(self, rate: int) -> float:
        """Return 0 where another request is allowed now, or the seconds to wait."""

    def count(self, rate: int) -> None:
        """Count a request."""


class Guard:
    """Tells whose request it is. Without *ways* nobody is asked; *now* tells the time in seconds since 1970.

    How long that took is counted by *recorder*, and a look-up without a clock: one a second is timed.

    Make it before the workers are forked and `look` there now and then, so that a new worker begins with what was read
    last, whatever has become of it.
    """

    def __init__(
        self,
        ways: Ways | None = None,
        audit: Audit = no_audit,
        *,
        metrics_open: bool = False,
        now: Callable[[], float] = time.time,
        recorder: Recorder | None = None,
    ) -> None:
        self._ways = ways
        self._audit = audit
        self._recorder = recorder or Recorder()
        self._metrics_open = metrics_open or ways is None
        self._now = now
        self._look_at = self._forget_at = 0.0
        self._remembered: dict[bytes, Admitted] = {}

    def look(self) -> None:
        """Read keys and revocations again where they have changed."""
        if self._ways is not None:
            self._look_at = self._now() + LOOK_EVERY_S
            if self._ways.look() or self._look_at >= self._forget_at:
                self._forget_at = self._look_at + FORGET_EVERY_S
                self._remembered.clear()
            self._time_a_look_up()

    def knows(self) -> bool:
        """Tell whether it is known who may come in: a new replica has to be told by the ledger first."""
        return self._ways is None or self._ways.knows()

    def known(self, authorization: bytes | None) -> Principal | None:
        """Return whose header was understood before, if it still counts and they may ask once more now; or None."""
        if self._ways is None:
            return ANYBODY
        found = self._recalled(authorization) if authorization is not None else None
        if found is None or (found.rate >= 0 and self._ways.wait_s(found.rate)):
            return None
        return found.principal

    def count(self, authorization: bytes | None) -> None:
        """Count a request of somebody `known` that is answered."""
        if self._ways is not None and authorization is not None:
            found = self._remembered.get(authorization)
            if found is not None:
                self._recorder.recalled(found.kind)
                if found.rate >= 0:
                    self._ways.count(found.rate)

    async def admit(self, scope: Scope) -> Principal:
        """Return who sends a request, and count it.

        Raises NotAuthenticatedError, NotAllowedError, NoSuchRouteError and LaterError.
        """
        path = scope["path"]
        role = role_of(path)
        if role in NAMED_ONLY and is_of_another_site(scope):
            raise NotAllowedError("this is not taken from pages of other sites")
        if self._ways is None:
            if role in NAMED_ONLY:
                raise NotAllowedError("this takes somebody with a name, and nobody is asked here: set ATRASO_AUTH")
            return ANYBODY
        if role is None:
            if path == METRICS and not self._metrics_open:
                raise NoSuchRouteError(
                    "the metrics are on the internal port (ATRASO_METRICS_PORT), or here with ATRASO_METRICS_OPEN=true"
                )
            return ANYBODY
        facts = {"route": ROUTES[route_of(path)], "address": address_of(scope)}
        try:
            found = await self._checked(self._ways, scope)
        except LaterError as error:
            self._audit("refused", why=str(error), status=503, **facts)
            raise
        if isinstance(found, Refused):
            self._audit("refused", who=found.who, why=found.why, status=401, **facts)
            challenge = BEARER if is_of_a_script(scope) else self._ways.challenge
            raise NotAuthenticatedError(NOTHING if found is NO_CREDENTIALS else UNKNOWN, challenge)
        who = found.principal.name
        if role not in found.principal.roles:
            self._audit("refused", who=who, why=f"needs the role {role}", status=403, **facts)
            raise NotAllowedError(f"this needs the role {role}, which {who!r} does not have")
        rate = found.rate
        if rate >= 0 and path in PROBED_PATHS and is_probe(scope):
            rate = self._ways.rate_of(f"{PROBES_OF}{who}")
        wait_s = self._ways.wait_s(rate) if rate >= 0 else 0.0
        if wait_s:
            self._audit("refused", who=who, why="too many requests", status=429, **facts)
            raise TooManyRequestsError("you have asked too often; Retry-After says when to come back", wait_s)
        if rate >= 0:
            self._ways.count(rate)
        return found.principal

    async def _found(self, ways: Ways, scope: Scope) -> Admitted | Refused:
        authorization = authorization_of(scope["headers"])
        if authorization is None:
            return ways.peer(scope) or NO_CREDENTIALS
        recalled = self._recalled(authorization)
        if recalled is not None:
            return recalled
        scheme, _, credentials = authorization.partition(b" ")
        if len(credentials) > MAX_CREDENTIALS_BYTES:
            return Refused("credentials too long", kind=_kind_of(scope))
        if scheme.lower() == b"basic":  # remembered by its way in, for a shorter time and not as it is
            return await ways.basic(credentials.strip(), address_of(scope))
        if scheme.lower() != b"bearer":
            return Refused("another scheme")
        found = ways.bearer(credentials.strip().decode("latin-1"))
        if isinstance(found, Admitted):
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[authorization] = found._replace(known=True)
        return found

    async def _checked(self, ways: Ways, scope: Scope) -> Admitted | Refused:
        """Find who sends a request, and count how long that took."""
        began = time.perf_counter()
        try:
            found = await self._found(ways, scope)
        except LaterError:
            self._recorder.authorised(_kind_of(scope), time.perf_counter() - began, hit=False)
            raise
        hit = isinstance(found, Admitted) and found.known
        self._recorder.authorised(found.kind, time.perf_counter() - began, hit=hit)
        return found

    def _time_a_look_up(self) -> None:
        known = next(iter(self._remembered), b"")
        began = time.perf_counter()
        self._remembered.get(known)
        self._recorder.look_up_takes(time.perf_counter() - began)

    def _recalled(self, authorization: bytes) -> Admitted | None:
        now = self._now()
        if now >= self._look_at:
            self.look()
        found = self._remembered.get(authorization)
        if found is not None and now >= found.until:
            del self._remembered[authorization]
            return None
        return found


def _kind_of(scope: Scope) -> int:
    """Return of which kind the credentials of a request are, as far as they tell themselves."""
    scheme, _, credentials = (authorization_of(scope["headers"]) or b"").partition(b" ")
    if scheme.lower() == b"basic":
        return BASIC
    if scheme.lower() != b"bearer":
        return UNSHOWN
    return KEY if credentials.strip().startswith(KEY_START.encode()) else JWT


def authorization_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the Authorization header; the protocol lets no second one through."""
    for name, value in headers:
        if name == b"authorization":
            return value
    return None


def is_of_a_script(scope: Scope) -> bool:
    """Return whether a page's script asks: a browser would answer a challenge for Basic with a window of its own."""
    return any(name == b"sec-fetch-mode" and value != b"navigate" for name, value in scope["headers"])


def is_of_another_site(scope: Scope) -> bool:
    """Return whether a page of another site sends a request: browsers add passwords and certificates by themselves."""
    headers = dict(scope["headers"])
    if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        return True
    origin = headers.get(b"origin")
    return origin is not None and origin.partition(b"://")[2] != headers.get(b"host")


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from: a gateway's, where there is one."""
    client = scope.get("client")
    return client[0] if client else ""
