"""Logging in, and what administrators do: tokens, their public keys, revocations, the model to use."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.core.errors import ArtefactError, AtrasoError, LedgerUnavailableError
from atraso.identity.keys import prefix_of
from atraso.identity.principal import Principal
from atraso.serving.guard import BEARER, Refused, address_of, authorization_of, is_of_a_script
from atraso.serving.places import Places, decoded, read_fields
from atraso.serving.problems import (
    NoSuchRouteError,
    NotAuthenticatedError,
    TooManyRequestsError,
    UnavailableError,
    WrongPlacesError,
)
from atraso.serving.wire import Place
from atraso.telemetry.audit import Audit, no_audit
from atraso.telemetry.cells import Recorder

RevocableKind = Literal["subject", "kid", "jti", "key"]
BASIC = 'Basic realm="atraso", charset="UTF-8"'
GRANTS = ("client_credentials", "password")
MAX_LOGIN_BODY_BYTES = 4096
# A ledger that cannot be used now is tried again within this time.
RETRY_AFTER_S = 2.0


class TokenAnswer(msgspec.Struct, frozen=True):
    """A token for a log-in, as OAuth 2 answers."""

    access_token: Annotated[str, Meta(description="Send it as `Authorization: Bearer TOKEN`.")]
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="Seconds.")]
    scope: Annotated[str, Meta(description="The roles, separated by spaces.")]


class RevocationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to count no more."""

    kind: Annotated[
        RevocableKind,
        Meta(
            description="`subject`: all tokens that somebody has by now; `kid`: all tokens signed with a key; `jti`: "
            "one token; `key`: the API key with this prefix."
        ),
    ]
    value: Annotated[str, Meta(min_length=1, max_length=256)]


class RevocationAnswer(msgspec.Struct, frozen=True):
    """What counts no more, in all workers within seconds."""

    kind: str
    value: str


class ActivationAnswer(msgspec.Struct, frozen=True):
    """The model that is to be used; workers take it one after the other, without a pause."""

    airport: str
    version: str


class LoggedIn(NamedTuple):
    """Somebody who logged in, and their token with its life in seconds."""

    principal: Principal
    token: str
    life_s: int


LogIn = Callable[[str, str, str], Awaitable[LoggedIn | Refused]]


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the routes of accounts do; a part that is None is off.

    *log_in* takes a name, a password and an address, and returns who it is or why nobody; it raises LaterError.
    *revoke* takes kind, value and who says so; *activate* a version, and returns what model that is: both block.
    """

    log_in: LogIn | None = None
    jwks: Callable[[], bytes] | None = None
    passwords: bool = False  # whether name and password may come with each request
    revoke: Callable[[RevocableKind, str, str], None] | None = None
    activate: Callable[[str], tuple[str, str]] | None = None
    audit: Audit = no_audit
    recorder: Recorder = field(default_factory=Recorder)

    @property
    def page_asks(self) -> str:
        """What the page asks people for: `login` (for a token), `password` (each time), `key`, or nothing."""
        if self.log_in is not None:
            return "login"
        if self.passwords:
            return "password"
        return "key" if self.revoke is not None else ""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/v1/token", self._token, methods=["POST"]),
            Route("/.well-known/jwks.json", self._keys, methods=["GET"]),
            Route("/v1/revocations", self._revocation, methods=["POST"]),
            Route("/v1/models/{version}/activate", self._activation, methods=["POST"]),
        ]

    async def _token(self, request: Request) -> Response:
        if self.log_in is None:
            raise NoSuchRouteError("nobody logs in here: ATRASO_AUTH has no ldap")
        began, result = time.perf_counter(), "server_error"
        try:
            answer = await self._logged_in(self.log_in, request)
            result = "ok"
        except TooManyRequestsError:
            result = "quota_429"
            raise
        except (NotAuthenticatedError, WrongPlacesError):
            result = "client_error"
            raise
        finally:
            self.recorder.gave_token(result, time.perf_counter() - began)
        return answer

    @staticmethod
    async def _logged_in(log_in: LogIn, request: Request) -> Response:
        await _check_grant(request)
        named = name_and_password(authorization_of(request.scope["headers"]) or b"")
        if named is None:
            raise NotAuthenticatedError("send name and password as HTTP Basic", BASIC)
        found = await log_in(*named, address_of(request.scope))
        if isinstance(found, Refused):
            raise NotAuthenticatedError("name or password is wrong", BEARER if is_of_a_script(request.scope) else BASIC)
        roles = " ".join(sorted(found.principal.roles))
        return _json(TokenAnswer(found.token, "Bearer", found.life_s, roles))

    async def _keys(self, request: Request) -> Response:
        content = self.jwks() if self.jwks else b'{"keys":[]}'
        return Response(content, media_type="application/jwk-set+json", headers={"cache-control": "max-age=60"})

    async def _revocation(self, request: Request) -> Response:
        if self.revoke is None:
            raise NoSuchRouteError("there is nothing to revoke here: ATRASO_AUTH is none")
        body = await request.body()
        asked = decoded(body, _revocation)
        if asked is None:
            places = Places()
            read_fields(body, RevocationRequest, "", places)
            raise WrongPlacesError(places.told())
        who: Principal = request.scope["principal"]
        # Whoever sends a whole key means that key; no more of it is told to anybody.
        value = prefix_of(asked.value) if asked.kind == "key" else asked.value
        if not value.isprintable():
            raise WrongPlacesError([Place("/value", "has characters that cannot be printed")])
        try:
            await asyncio.to_thread(self.revoke, asked.kind, value, who.name)
        except AtrasoError as error:
            self.audit("revoked", who=who.name, kind=asked.kind, what=value, allowed=False, why=str(error))
            if isinstance(error, LedgerUnavailableError):
                detail = "the ledger cannot be used now: ask the same again"  # where it lies stands in the audit log
                raise UnavailableError(detail, RETRY_AFTER_S) from None
            raise WrongPlacesError([Place("/value", str(error))]) from None
        self.audit("revoked", who=who.name, kind=asked.kind, what=value, allowed=True)
        return _json(RevocationAnswer(asked.kind, value))

    async def _activation(self, request: Request) -> Response:
        if self.activate is None:
            raise NoSuchRouteError("this service has one model, named at its start: ATRASO_MODEL")
        who: Principal = request.scope["principal"]
        version = request.path_params["version"]
        try:
            airport, version = await asyncio.to_thread(self.activate, version)
        except ArtefactError as error:
            self.audit("model", who=who.name, version=version, allowed=False, why=str(error))
            raise WrongPlacesError([Place("/version", str(error))]) from None
        self.audit("model", who=who.name, version=version, allowed=True)
        return _json(ActivationAnswer(airport, version))


_revocation = msgspec.json.Decoder(RevocationRequest)


async def _check_grant(request: Request) -> None:
    """Refuse a body that asks for something else than a token for the name and password of the header."""
    body = await request.body()
    if len(body) > MAX_LOGIN_BODY_BYTES:
        raise WrongPlacesError([Place("", "a log-in has no such body")])
    if body.strip():
        grants = parse_qs(body.decode("latin-1")).get("grant_type", [])
        if grants not in ([], *([grant] for grant in GRANTS)):
            raise WrongPlacesError([Place("/grant_type", f"is none of {', '.join(GRANTS)}")])


def name_and_password(authorization: bytes) -> tuple[str, str] | None:
    """Return what a Basic header holds (RFC 7617, in UTF-8), or None where it is none."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def _json(answer: msgspec.Struct) -> Response:
    headers = {"cache-control": "no-store", "pragma": "no-cache"}
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)
