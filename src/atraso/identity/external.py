"""Tokens of another issuer (OpenID Connect): proved by its published keys, never by a shared secret."""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from atraso.core.errors import SettingsError
from atraso.identity.credential import Credential, TokenError
from atraso.identity.tokens import credential_of, kid_of, proved, unproved

log = logging.getLogger("atraso.identity")

# What a key may be used for is told by its kind, not by the token.
ALGORITHM_OF = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
REFRESH_EVERY_S = 300.0
# An unknown key may be a new one: asked for again, but not by every token that names one.
REFRESH_AFTER_UNKNOWN_S = 10.0
FETCH_WITHIN_S = 5.0
MAX_KEYS_BYTES = 256 * 1024
MIN_RSA_BITS = 2048  # RFC 7518, section 3.3


@dataclass(frozen=True, slots=True)
class IssuerConfig:
    """Whose tokens are believed: *keys* is a URL (https, or http on this machine) or a file.

    *roles* maps each value of the claim *claim* to the roles that it gives.
    """

    issuer: str
    audience: str
    keys: str
    claim: str
    roles: Mapping[str, Collection[str]]

    def check(self) -> None:
        """Raise SettingsError for what cannot be used."""
        if not (self.issuer and self.audience and self.keys):
            raise SettingsError(
                "auth has oidc: oidc_issuer, oidc_audience and oidc_jwks say whose tokens are believed."
            )
        try:
            is_url = bool(urlsplit(self.keys).scheme)
        except ValueError:
            raise SettingsError(f"oidc_jwks is {self.keys!r}, which is neither a URL nor a file.") from None
        if is_url and not _is_safe(self.keys):
            raise SettingsError(f"oidc_jwks is {self.keys!r}: keys come by https://, or from a file.")


class ExternalIssuer:
    """Proves tokens of one issuer; its keys are read by a thread of their own, and the last good ones stay."""

    own = False

    def __init__(self, config: IssuerConfig, now: Callable[[], float] = time.monotonic) -> None:
        config.check()
        self._config, self._now = config, now
        self._keys: Mapping[str, tuple[str, Any]] = {}
        self._asked_at = -inf
        self._again_s = REFRESH_EVERY_S
        self._lock = threading.Lock()

    def claims(self, token: str) -> bool:
        """Return whether *token* says that it is of this issuer; nothing of it is proved by that."""
        return unproved(token).get("iss") == self._config.issuer

    def verify(self, token: str, now: float) -> Credential:
        """Return what *token* proves; raises TokenError."""
        kid = kid_of(token, tuple(ALGORITHM_OF.values()))
        algorithm, key = self._keys.get(kid, ("", None))
        if key is None:
            if self._now() >= self._asked_at + REFRESH_AFTER_UNKNOWN_S:
                self.refresh_later()
            raise TokenError("unknown key")
        claims = proved(
            token, key, algorithm=algorithm, issuer=self._config.issuer, audience=self._config.audience, now=now
        )
        told = claims.get(self._config.claim, [])
        values = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
        roles = frozenset().union(*(self._config.roles.get(value, ()) for value in values if isinstance(value, str)))
        # Their names cannot pass for those of keys or of the directory.
        return credential_of(claims, f"oidc:{claims['sub']}", roles, kid)

    def look(self) -> None:
        """Read the keys again when it is time; costs nothing otherwise."""
        if self._now() >= self._asked_at + self._again_s:
            self.refresh_later()

    def refresh_later(self) -> None:
        """Read the keys again in a thread; one at a time."""
        if self._lock.acquire(blocking=False):
            self._asked_at = self._now()
            try:
                threading.Thread(target=self._refresh, name="issuer-keys", daemon=True).start()
            except RuntimeError:  # no thread can be had now: another time
                self._lock.release()

    def refresh(self) -> None:
        """Read the keys now."""
        with self._lock:
            self._asked_at = self._now()
            self._read()

    def _refresh(self) -> None:
        try:
            self._read()
        finally:
            self._lock.release()

    def _read(self) -> None:
        try:
            self._keys = _keys_of(_fetched(self._config.keys))
            self._again_s = REFRESH_EVERY_S
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            self._again_s = REFRESH_AFTER_UNKNOWN_S
            log.error(
                "The keys of %s cannot be read (%s); the %d read before still count.",
                self._config.issuer, error, len(self._keys),
            )  # fmt: skip


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"))


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows where keys moved to, but not to where anybody on the way could put others in their place."""

    def redirect_request(  # noqa: PLR0917 - as urllib calls it
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        if not _is_safe(newurl):
            raise ValueError("it leads to a place without https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetched(where: str) -> bytes:
    if urlsplit(where).scheme:
        opener = urllib.request.build_opener(_SafeRedirects)
        with opener.open(where, timeout=FETCH_WITHIN_S) as answer:
            content: bytes = answer.read(MAX_KEYS_BYTES + 1)
    else:
        with Path(where).open("rb") as file:
            content = file.read(MAX_KEYS_BYTES + 1)
    if len(content) > MAX_KEYS_BYTES:
        raise ValueError("the answer is too large")
    return content


def _keys_of(content: bytes) -> dict[str, tuple[str, Any]]:
    """Return the usable public keys of a JSON Web Key Set by their identifier, each with its one algorithm."""
    told = json.loads(content)
    if not isinstance(told, dict) or not isinstance(told.get("keys"), list):
        raise ValueError("it is no key set")
    found = {}
    for key in told["keys"]:
        if not isinstance(key, dict) or key.get("use", "sig") != "sig" or not isinstance(key.get("kid"), str):
            continue
        kind = str(key.get("kty"))
        algorithm = ALGORITHM_OF.get((kind, None if kind == "RSA" else str(key.get("crv"))))
        if algorithm is None or key.get("alg", algorithm) != algorithm:
            continue  # a shared secret among public keys is no key here
        public = {name: value for name, value in key.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}
        try:
            usable = jwt.PyJWK(public, algorithm).key
            if isinstance(usable, RSAPublicKey) and usable.key_size < MIN_RSA_BITS:
                raise ValueError(f"it has {usable.key_size} bits, which is less than {MIN_RSA_BITS}")
            found[key["kid"]] = (algorithm, usable)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            # As RFC 7517, section 5, has it: what cannot be used does not make the others useless.
            log.warning("The key %.80r of an issuer is passed over: %s.", key["kid"], error)
    return found
