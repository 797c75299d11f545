"""Tokens made by hand, as those who would like to come in make them: no library helps with what it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from atraso.identity.signing import SigningKey

ISSUER = "https://atraso.example"
NOW = 1_700_000_000
LIFE_S = 900
# The letters of base64url in the order of their values.
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
Sign = Callable[[bytes], bytes]


def signing_key(kid: str, retired_s: int | None = None) -> SigningKey:
    return SigningKey(kid, Ed25519PrivateKey.generate(), retired_s)


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def head_of(token: str) -> dict[str, Any]:
    return json.loads(decoded(token.split(".", maxsplit=1)[0]))


def claims_of(token: str) -> dict[str, Any]:
    return json.loads(decoded(token.split(".")[1]))


def claims(**changed: Any) -> dict[str, Any]:
    """What a token of this service claims; None leaves a claim out."""
    plain = {"iss": ISSUER, "aud": ISSUER, "sub": "ana", "roles": ["predict"], "iat": NOW, "nbf": NOW,
             "exp": NOW + LIFE_S, "jti": "one"}  # fmt: skip
    return {name: value for name, value in {**plain, **changed}.items() if value is not None}


def forged(head: Mapping[str, Any] | bytes, content: Mapping[str, Any] | bytes, sign: Sign) -> str:
    """A token of exactly this head and content, with the signature that *sign* gives."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (head, content)]
    signed = ".".join(map(encoded, parts))
    return f"{signed}.{encoded(sign(signed.encode()))}"
