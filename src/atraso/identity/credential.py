"""What a token proves, or that it proves nothing."""

from __future__ import annotations

from dataclasses import dataclass

from atraso.core.errors import AtrasoError
from atraso.identity.principal import Principal


class TokenError(AtrasoError):
    """A token proves nothing; *reason* is for the audit log alone."""

    def __init__(self, reason: str) -> None:
        super().__init__("This token does not count here.")
        self.reason = reason

    def __reduce__(self) -> tuple[type[TokenError], tuple[str]]:
        """Travel between processes whole."""
        return type(self), (self.reason,)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token proved: who, from when until when (seconds since 1970), signed with which key, and which token."""

    principal: Principal
    issued_at: float
    expires_at: float
    kid: str
    jti: str
