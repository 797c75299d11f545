"""Tokens of this service: short-lived JWTs (RFC 7519) signed with Ed25519, proved without asking anybody."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from atraso.identity.credential import Credential, TokenError
from atraso.identity.principal import ROLES, Principal
from atraso.identity.signing import SigningKey

ALGORITHM = "EdDSA"
MAX_TOKEN_BYTES = 4096
# How far clocks of replicas may differ; a token's end is not stretched by it.
LEEWAY_S = 30
_LAST_MOMENT_S = 1 << 53
_JTI_BYTES = 12


class Tokens:
    """Issues and proves tokens of *issuer*, which is their audience too, with *keys* (oldest first)."""

    def __init__(self, keys: tuple[SigningKey, ...], issuer: str, life_s: int) -> None:
        self.keys = keys
        self._issuer, self._life_s = issuer, life_s
        self._public: Mapping[str, tuple[Ed25519PublicKey, int | None]] = {
            key.kid: (key.public, key.retired_s) for key in keys
        }

    def issue(self, principal: Principal, now: float) -> tuple[str, int]:
        """Return a token for *principal*, and its life in seconds."""
        newest = self.keys[-1]
        moment = int(now)
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": principal.name,
            "roles": sorted(principal.roles),
            "iat": moment,
            "nbf": moment,
            "exp": moment + self._life_s,
            "jti": secrets.token_urlsafe(_JTI_BYTES),
        }
        # In UTF-8, not escaped: a token of the longest name is still one that is taken.
        content = msgspec.json.encode(claims)
        return jwt.PyJWS().encode(content, newest.private, ALGORITHM, {"kid": newest.kid}), self._life_s

    def claims(self, token: str) -> bool:
        """Return whether *token* says that it is of this service; nothing of it is proved by that."""
        return unproved(token).get("iss") == self._issuer

    def verify(self, token: str, now: float) -> Credential:
        """Return what *token* proves; raises TokenError."""
        kid = kid_of(token, (ALGORITHM,))
        key, retired_s = self._public.get(kid, (None, None))
        if key is None:
            raise TokenError("unknown key")
        if retired_s is not None and now >= retired_s:
            raise TokenError("retired key")
        claims = proved(token, key, algorithm=ALGORITHM, issuer=self._issuer, audience=self._issuer, now=now)
        roles = claims.get("roles")
        if not isinstance(roles, list) or not all(role in ROLES for role in roles):
            raise TokenError("roles")
        credential = credential_of(claims, claims["sub"], frozenset(roles), kid)
        # Whoever remembers what was proved asks again when the key ends, if that is before the token does.
        return (
            credential if retired_s is None else replace(credential, expires_at=min(credential.expires_at, retired_s))
        )


def credential_of(claims: Mapping[str, Any], name: str, roles: frozenset[str], kid: str) -> Credential:
    """Return what *claims* that were proved mean for *name* with *roles*."""
    return Credential(
        Principal(name, roles), float(claims["iat"]), float(claims["exp"]), kid, str(claims.get("jti", ""))
    )


def kid_of(token: str, algorithms: tuple[str, ...]) -> str:
    """Return the identifier of the key that *token* names; raises TokenError for a head that is not to be believed."""
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenError("too long")
    parts = token.split(".")
    if len(parts) != 3 or not all(map(_is_canonical, parts)):
        raise TokenError("malformed")
    head = _json_of(parts[0])
    # An algorithm is never taken on the token's word: it is one of those that this issuer's keys are for.
    if head.get("alg") not in algorithms:
        raise TokenError("algorithm")
    if "crit" in head or "b64" in head:
        raise TokenError("critical header")
    kid = head.get("kid")
    if not isinstance(kid, str):
        raise TokenError("no key named")
    return kid


def proved(token: str, key: Any, *, algorithm: str, issuer: str, audience: str, now: float) -> Mapping[str, Any]:
    """Return the claims of *token* once signature, issuer, audience and times are proved; raises TokenError."""
    options: Any = {
        "require": ["iss", "aud", "sub", "exp", "iat"],
        # Times are looked at below, by our own clock.
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
    }
    try:
        claims = jwt.decode(token, key, [algorithm], options, audience=audience, issuer=issuer)
    except jwt.PyJWTError as error:
        raise TokenError(type(error).__name__.removesuffix("Error")) from None
    times = [claims["exp"], claims["iat"], claims.get("nbf", claims["iat"])]
    if not all(map(_is_moment, times)):
        raise TokenError("times")
    expires_at, *begins = times
    if now >= expires_at:
        raise TokenError("expired")
    if max(begins) > now + LEEWAY_S:
        raise TokenError("not yet valid")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 256 or not claims["sub"].isprintable():
        raise TokenError("subject")
    return claims


def unproved(token: str) -> Mapping[str, Any]:
    """Return what *token* claims, {} where it is no token: good only to tell who is to prove it."""
    parts = token.split(".")
    return _json_of(parts[1]) if len(parts) == 3 and len(token) <= MAX_TOKEN_BYTES else {}


def _is_moment(value: object) -> bool:
    # JSON as it is read here has NaN, after which no time comes, and whole numbers that no float holds.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LAST_MOMENT_S


def _is_canonical(part: str) -> bool:
    # Several texts stand for the same bytes in lenient base64; a token is one text.
    try:
        decoded = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == part


def _json_of(part: str) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
