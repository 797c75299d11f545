"""From settings to the ways in: what is turned on, with what it needs."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from atraso.core.errors import SettingsError
from atraso.identity.directory import Directory
from atraso.identity.directory_config import DirectoryConfig
from atraso.identity.directory_desk import DirectoryDesk
from atraso.identity.keys import Keys
from atraso.identity.limits import Buckets, FailedLogins
from atraso.identity.principal import ROLES
from atraso.identity.revocations import Revocations
from atraso.ledger.accounts import AccountsError, AccountsFile
from atraso.serving.login import BasicLogin, Login, TokenLogin
from atraso.serving.ways import Known, OpenWays, Verifier
from atraso.settings import Settings
from atraso.telemetry.audit import Audit
from atraso.telemetry.cells import Recorder

if TYPE_CHECKING:
    from atraso.bootstrap.own_tokens import OwnTokens
    from atraso.identity.external import ExternalIssuer, IssuerConfig

log = logging.getLogger("atraso.identity")
FAILURE_FLOOR_S = 0.15
TOKEN_WAYS = frozenset({"jwt", "ldap"})
# What the directory's configuration calls its parts, and the settings they come from.
_LDAP_SETTING = {
    "urls": "ldap_url", "ca_file": "ldap_ca", "bind_dn": "ldap_bind_dn", "bind_password": "ldap_bind_password",
    "base_dn": "ldap_base", "user_filter": "ldap_filter", "user_dn": "ldap_user_dn", "name_attribute": "ldap_name",
    "group_attribute": "ldap_group_attribute", "group_base": "ldap_group_base", "group_filter": "ldap_group_filter",
    "nested_depth": "ldap_nested_depth", "max_binds": "ldap_max_binds",
}  # fmt: skip
DIRECTORY_WAYS = frozenset({"ldap", "basic"})


class KnownAccounts:
    """Keys and revocations as the ledger's writer showed them last."""

    def __init__(self, settings: Settings) -> None:
        self.latest = Known(Keys(), None)
        self._file = AccountsFile(settings.data)
        self._stamp: object = ()
        self._told: object = ()

    def read(self) -> Known | None:
        """Return what is known now where that has changed, or None; a damaged file changes nothing."""
        stamp = self._file.stamp()
        if stamp is None or stamp == self._stamp:  # a file that is gone takes nothing back
            return None
        try:
            accounts = self._file.read()
        except AccountsError as error:
            if stamp != self._told:
                self._told = stamp
                log.error("%s What was read before still counts.", error)
            return None
        self._stamp = stamp
        self.latest = Known(Keys(accounts.keys), Revocations(accounts.revocations))
        return self.latest


@dataclass(frozen=True, slots=True)
class Access:
    """The ways in of one process, and what logs people in."""

    ways: OpenWays
    tokens: OwnTokens | None
    log_in: TokenLogin | None
    issuer: ExternalIssuer | None

    def look(self) -> None:
        """Read again what others may have changed."""
        if self.tokens is not None:
            self.tokens.look()
        if self.issuer is not None:
            self.issuer.look()


class Entrance:
    """What the ways in of all processes share; made before the workers are forked.

    `look` now and then, so that a new worker begins with what was read last, whatever has become of the files.
    """

    def __init__(self, settings: Settings, audit: Audit) -> None:
        self._settings, self._audit = settings, audit
        self._accounts = KnownAccounts(settings)
        self._accounts.read()
        ways = settings.ways
        self._rates = Buckets(settings.rate_per_s, settings.rate_burst) if settings.rate_per_s else None
        self._failures = FailedLogins()
        self._tokens: OwnTokens | None = None
        self._issuer: ExternalIssuer | None = None
        # Each way is imported where it is on: signatures alone are a tenth of a worker's memory.
        if ways & TOKEN_WAYS:
            from atraso.bootstrap.own_tokens import OwnTokens  # noqa: PLC0415

            self._tokens = OwnTokens(settings)
        if "oidc" in ways:
            from atraso.identity.external import ExternalIssuer  # noqa: PLC0415

            self._issuer = ExternalIssuer(_issuer_config(settings))
            if "://" not in settings.oidc_jwks and not Path(settings.oidc_jwks).is_file():
                raise SettingsError(f"oidc_jwks is {settings.oidc_jwks!r}, but there is no such file.")
            self._issuer.refresh()
        self._peers = None
        if "mtls" in ways:
            from atraso.bootstrap.certificate_peers import CertificatePeers  # noqa: PLC0415
            from atraso.identity.peers import peer_names  # noqa: PLC0415

            names = peer_names(settings.mtls_subjects)
            self._peers = CertificatePeers(names, settings.mtls_header, settings.mtls_gateways)
            if not settings.mtls_subjects.strip():
                raise SettingsError("auth has mtls: mtls_subjects says whose certificates come in, and as what.")
            shown_here = settings.tls_client_ca is not None and settings.tls_certificate is not None
            if not shown_here and not settings.mtls_header:
                raise SettingsError(
                    "auth has mtls: set tls_certificate, tls_key and tls_client_ca, or mtls_header and mtls_gateways."
                )
        if ways & DIRECTORY_WAYS:
            if not settings.ldap_groups.strip():
                raise SettingsError("auth asks the directory: ldap_groups says which groups may do what.")
            _check_directory(settings)

    def open(self, used: Callable[[str], None] = lambda prefix: None, recorder: Recorder | None = None) -> Access:
        """Return the ways in of this process; *used* is told the prefix of each key that comes in.

        What the directory is asked is counted by *recorder*.
        """
        settings = self._settings
        login = None
        if settings.ways & DIRECTORY_WAYS:
            directory = Directory(directory_config(settings), (recorder or Recorder()).asked_directory)
            login = Login(DirectoryDesk(directory), self._failures, self._audit)
        rate_of: Callable[[str], int] = (lambda name: -1) if self._rates is None else self._rates.slot_of
        verifiers: list[Verifier] = [v for v in (self._tokens, self._issuer) if v is not None]
        ways = OpenWays(
            known=self._accounts.latest,
            read=self._accounts.read,
            keys="keys" in settings.ways,
            verifiers=verifiers,
            peers=self._peers,
            basic=BasicLogin(login, settings.basic_cache_s, rate_of) if login and "basic" in settings.ways else None,
            rates=self._rates,
            used=used,
        )
        log_in = TokenLogin(login, self._tokens.issue) if login and self._tokens and "ldap" in settings.ways else None
        return Access(ways, self._tokens, log_in, self._issuer)

    def look(self) -> None:
        """Read again what others may have changed."""
        self._accounts.read()
        if self._tokens is not None:
            self._tokens.look()


def _check_directory(settings: Settings) -> None:
    try:
        directory_config(settings).check()
    except SettingsError as error:
        told = re.sub(r"\b[a-z]+(?:_[a-z]+)*\b", lambda word: _LDAP_SETTING.get(word[0], word[0]), str(error))
        raise SettingsError(told) from None


def directory_servers(settings: Settings) -> list[str]:
    """Return the directory's servers, host and port, as metrics name them; none where it is not asked."""
    return [urlsplit(url).netloc for url in settings.ldap_url.split()] if settings.ways & DIRECTORY_WAYS else []


def directory_config(settings: Settings) -> DirectoryConfig:
    """Return how the directory is asked; raises SettingsError."""
    return DirectoryConfig(
        urls=tuple(settings.ldap_url.split()),
        roles=_roles_of_values("ldap_groups", settings.ldap_groups),
        bind_dn=settings.ldap_bind_dn,
        bind_password=settings.ldap_bind_password.reveal() if settings.ldap_bind_password else "",
        base_dn=settings.ldap_base,
        user_filter="" if settings.ldap_user_dn else settings.ldap_filter,
        user_dn=settings.ldap_user_dn,
        name_attribute=settings.ldap_name,
        group_attribute=settings.ldap_group_attribute,
        group_base=settings.ldap_group_base,
        group_filter=settings.ldap_group_filter,
        nested_depth=settings.ldap_nested_depth,
        ca_file=settings.ldap_ca,
        plain_allowed=settings.ldap_plain,
        connect_timeout_s=settings.ldap_timeout_s / 3,
        operation_timeout_s=settings.ldap_timeout_s * 2 / 3,
        log_in_timeout_s=settings.ldap_timeout_s,
        failure_floor_s=min(FAILURE_FLOOR_S, settings.ldap_timeout_s),
        max_binds=settings.ldap_max_binds,
        max_waiting=settings.ldap_max_binds,
    )


def _roles_of_values(setting: str, text: str) -> Mapping[str, list[str]]:
    roles: dict[str, list[str]] = {}
    for role, value in _pairs(setting, text):
        roles.setdefault(value, []).append(role)
    return roles


def _issuer_config(settings: Settings) -> IssuerConfig:
    from atraso.identity.external import IssuerConfig  # noqa: PLC0415 - only where it is on

    return IssuerConfig(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_jwks,
        settings.oidc_claim,
        _roles_of_values("oidc_roles", settings.oidc_roles),
    )


def _pairs(setting: str, text: str) -> list[tuple[str, str]]:
    """Return what `ROLE=VALUE; ROLE=VALUE` says; raises SettingsError."""
    pairs = []
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        role, equals, value = (part.strip() for part in entry.partition("="))
        if role not in ROLES or not equals or not value:
            raise SettingsError(f"{setting} has {entry!r}, which is not ROLE=VALUE with a role of {', '.join(ROLES)}.")
        pairs.append((role, value))
    return pairs
