"""From settings to the ways in: what is turned on, with what it needs."""

from __future__ import annotations

import ipaddress
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Scope

from atraso.core.errors import SettingsError
from atraso.identity.directory import Directory
from atraso.identity.directory_config import DirectoryConfig
from atraso.identity.directory_desk import DirectoryDesk
from atraso.identity.external import ExternalIssuer, IssuerConfig
from atraso.identity.keys import Keys
from atraso.identity.limits import Buckets, FailedLogins
from atraso.identity.peers import PeerNames, expires_at, peer_names
from atraso.identity.principal import ROLES, Principal
from atraso.identity.revocations import Revocations
from atraso.identity.signing import SigningKey, SigningKeyError, SigningKeys, jwks, key_from_pem
from atraso.identity.tokens import Credential, Tokens
from atraso.ledger.accounts import AccountsError, AccountsFile
from atraso.serving.guard import Admitted, Refused
from atraso.serving.login import BasicLogin, Login, TokenLogin
from atraso.serving.ways import Known, OpenWays, Verifier
from atraso.settings import Settings
from atraso.telemetry.audit import Audit

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


class OwnTokens:
    """The service's own tokens, with the signing keys as they are now in their file, or the one of the settings."""

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


class CertificatePeers:
    """Clients by their certificate: shown in the handshake, or named by a gateway whose address is believed."""

    def __init__(self, names: PeerNames, header: str, gateways: str) -> None:
        self._names, self._header = names, header.lower().encode()
        try:
            self._gateways = [ipaddress.ip_network(g.strip()) for g in gateways.split(",") if g.strip()]
        except ValueError as error:
            raise SettingsError(f"mtls_gateways has something that is no address or network: {error}.") from None
        if bool(self._header) != bool(self._gateways):
            raise SettingsError("mtls_header is believed from mtls_gateways alone: set both, or neither.")

    def principal_of(self, scope: Scope) -> Admitted | Refused | None:
        """Return whom the certificate of a request names, or None where none was shown."""
        certificate = scope.get("extensions", {}).get("tls", {}).get("peer_certificate")
        if certificate is not None:
            found, until = self._names.of_certificate(certificate), expires_at(certificate)
            if found is None:
                return Refused("unknown certificate")
            return Admitted(found, until) if time.time() < until else Refused("expired certificate", found.name)
        told = [value for name, value in scope["headers"] if name == self._header] if self._header else []
        if not told or not self._is_gateway(scope):
            return None
        found = self._names.of_text(told[0].decode("utf-8", "replace")) if len(told) == 1 else None
        return Refused("unknown certificate") if found is None else Admitted(found)

    def _is_gateway(self, scope: Scope) -> bool:
        client = scope.get("client")
        try:
            address = ipaddress.ip_address(client[0] if client else "")
        except ValueError:
            return False
        # A listener for both families tells addresses of IPv4 in the form of IPv6.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._gateways)


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
        self._tokens = OwnTokens(settings) if ways & TOKEN_WAYS else None
        self._issuer = ExternalIssuer(_issuer_config(settings)) if "oidc" in ways else None
        if self._issuer is not None:
            if "://" not in settings.oidc_jwks and not Path(settings.oidc_jwks).is_file():
                raise SettingsError(f"oidc_jwks is {settings.oidc_jwks!r}, but there is no such file.")
            self._issuer.refresh()
        self._peers = None
        if "mtls" in ways:
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

    def open(self, used: Callable[[str], None] = lambda prefix: None) -> Access:
        """Return the ways in of this process; *used* is told the prefix of each key that comes in."""
        settings = self._settings
        login = None
        if settings.ways & DIRECTORY_WAYS:
            login = Login(DirectoryDesk(Directory(directory_config(settings))), self._failures, self._audit)
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
