"""What counts no more although it has not expired."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from atraso.identity.credential import Credential
from atraso.identity.principal import folded

SUBJECT, KID, JTI = KINDS = ("subject", "kid", "jti")


class RevocationFacts(Protocol):
    """That tokens of a subject, of a signing key or of one identifier count no more."""

    @property
    def kind(self) -> str:
        """One of `KINDS`."""

    @property
    def value(self) -> str:
        """Which one."""

    @property
    def revoked_s(self) -> int:
        """When, in seconds since 1970: a subject's tokens that are issued later count."""


class Revocations:
    """Tells which tokens were revoked."""

    def __init__(self, kept: Iterable[RevocationFacts] = ()) -> None:
        self._subjects: dict[str, int] = {}
        self._others: set[tuple[str, str]] = set()
        for revocation in kept:
            if revocation.kind == SUBJECT:
                subject = folded(revocation.value)
                before = self._subjects.get(subject, 0)
                self._subjects[subject] = max(before, revocation.revoked_s)
            else:
                self._others.add((revocation.kind, revocation.value))

    def is_revoked(self, credential: Credential) -> bool:
        """Return whether *credential* counts no more."""
        since = self._subjects.get(folded(credential.principal.name))
        if since is not None and credential.issued_at <= since:
            return True
        return bool(self._others) and bool({(KID, credential.kid), (JTI, credential.jti)} & self._others)
