"""The service's own tokens; imported only where they are on, because signatures cost megabytes."""

from __future__ import annotations

import logging
import time

from atraso.identity.credential import Credential
from atraso.identity.principal import Principal
from atraso.identity.signing import SigningKey, SigningKeyError, SigningKeys, jwks, key_from_pem
from atraso.identity.tokens import Tokens
from atraso.settings import Settings

log = logging.getLogger("atraso.identity")


class OwnTokens:
    """The service's own tokens, with the signing keys as they are now in their file, or the one of the settings."""

    own = True

    def __init__(self, settings: Settings) -> None:
        self._issuer, self._life_s = settings.token_issuer, settings.token_life_s
        self._file = SigningKeys(settings.data)
        self._stamp: object = ()
        given = settings.signing_key
        self._fixed = (key_from_pem(given.reveal()),) if given else ()
        if not self._fixed and self._file.create():
            log.warning(
                "A key that signs tokens was made in %s; give all services of one address the same, by "
                "ATRASO_SIGNING_KEY or the file.", self._file.path,
            )  # fmt: skip
        self._tokens = self._with(self._fixed or self._file.read())

    def look(self) -> None:
        """Read the keys again where their file has changed; a damaged file leaves those that were read before."""
        if self._fixed or (stamp := self._file.stamp()) == self._stamp:
            return
        self._stamp = stamp
        try:
            keys = self._file.read()
        except SigningKeyError as error:
            log.error("%s The keys read before still count.", error)
            return
        if keys:
            self._tokens = self._with(keys)

    def issue(self, principal: Principal) -> tuple[str, int]:
        """Return a token for *principal* and its life in seconds."""
        return self._tokens.issue(principal, time.time())

    def jwks(self) -> bytes:
        """Return the public keys."""
        return jwks(self._tokens.keys)

    def claims(self, token: str) -> bool:
        """Return whether *token* says that it is of this service."""
        return self._tokens.claims(token)

    def verify(self, token: str, now: float) -> Credential:
        """Return what *token* proves; raises TokenError. A key that was made a moment ago counts at once."""
        self.look()
        return self._tokens.verify(token, now)

    def _with(self, keys: tuple[SigningKey, ...]) -> Tokens:
        return Tokens(keys, self._issuer, self._life_s)
