"""Clients known by a certificate that was verified before: by us in the TLS handshake, or by a gateway that says so."""

from __future__ import annotations

import functools
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.x509.name import Name
from cryptography.x509.oid import NameOID

from atraso.core.errors import SettingsError
from atraso.identity.principal import ROLES, Principal

# OpenSSL's long names, as the ssl module tells them; anything else it tells by its number.
_LONG = {
    "commonName": NameOID.COMMON_NAME, "organizationName": NameOID.ORGANIZATION_NAME,
    "organizationalUnitName": NameOID.ORGANIZATIONAL_UNIT_NAME, "countryName": NameOID.COUNTRY_NAME,
    "stateOrProvinceName": NameOID.STATE_OR_PROVINCE_NAME, "localityName": NameOID.LOCALITY_NAME,
    "streetAddress": NameOID.STREET_ADDRESS, "domainComponent": NameOID.DOMAIN_COMPONENT, "userId": NameOID.USER_ID,
    "emailAddress": NameOID.EMAIL_ADDRESS, "serialNumber": NameOID.SERIAL_NUMBER, "title": NameOID.TITLE,
    "givenName": NameOID.GIVEN_NAME, "surname": NameOID.SURNAME,
    "dnQualifier": NameOID.DN_QUALIFIER, "pseudonym": NameOID.PSEUDONYM,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
}  # fmt: skip
# What gateways write for those that RFC 4514 has no letters for.
_WRITTEN = {
    "emailAddress": NameOID.EMAIL_ADDRESS, "E": NameOID.EMAIL_ADDRESS, "serialNumber": NameOID.SERIAL_NUMBER,
    "title": NameOID.TITLE, "GN": NameOID.GIVEN_NAME, "SN": NameOID.SURNAME, "street": NameOID.STREET_ADDRESS,
}  # fmt: skip
_NUMBERS = {name: oid.dotted_string for name, oid in _LONG.items()}
_ALTERNATIVE = re.compile(r"(URI|DNS):(\S+)")
# A subject as comparable parts: relative names in order, each the set of its attributes, which are numbers and texts.
Subject = tuple[frozenset[tuple[str, str]], ...]


@dataclass(frozen=True, slots=True)
class PeerNames:
    """Who comes in with which certificate: by whole subject, or by a subject alternative name. Nothing else matches."""

    by_subject: Mapping[Subject, Principal]
    by_alternative: Mapping[str, Principal]

    def of_certificate(self, certificate: Mapping[str, Any]) -> Principal | None:
        """Return whom a verified certificate (as `SSLSocket.getpeercert` tells it) names."""
        for kind, value in certificate.get("subjectAltName", ()):
            found = self.by_alternative.get(f"{kind}:{value}")
            if found is not None:
                return found
        subject = tuple(
            frozenset((_NUMBERS.get(name, name), value) for name, value in part)
            for part in certificate.get("subject", ())
        )
        return self.by_subject.get(subject)

    def of_text(self, text: str) -> Principal | None:
        """Return whom the text of a gateway names: a DN of RFC 4514, or an alternative name."""
        if _ALTERNATIVE.fullmatch(text):
            return self.by_alternative.get(text)
        try:
            return self.by_subject.get(subject_of(text))
        except ValueError:
            return None


def expires_at(certificate: Mapping[str, Any]) -> float:
    """Return when a certificate ends, in seconds since 1970."""
    return _moment(certificate["notAfter"])


def subject_of(text: str) -> Subject:
    """Return a DN of RFC 4514 (the most specific part first) as comparable parts; raises ValueError."""
    parts = Name.from_rfc4514_string(text, _WRITTEN).rdns
    if not parts or not all(isinstance(attribute.value, str) for part in parts for attribute in part):
        raise ValueError("a name is text")
    return tuple(frozenset((a.oid.dotted_string, str(a.value)) for a in part) for part in parts)


def peer_names(text: str) -> PeerNames:
    """Return what the setting `mtls_subjects` says; raises SettingsError."""
    by_subject: dict[Subject, Principal] = {}
    by_alternative: dict[str, Principal] = {}
    for name, roles, subject in _entries(text):
        principal = Principal(name, frozenset(roles))
        known: dict[Any, Principal] = by_alternative if _ALTERNATIVE.fullmatch(subject) else by_subject
        try:
            key = subject if known is by_alternative else subject_of(subject)
        except ValueError:
            raise SettingsError(f"mtls_subjects has {subject!r}, which is no DN such as CN=desk,O=Airport.") from None
        if known.setdefault(key, principal) != principal:
            raise SettingsError(f"mtls_subjects has {subject!r} twice, for {known[key].name!r} and for {name!r}.")
    return PeerNames(by_subject, by_alternative)


def _entries(text: str) -> Iterable[tuple[str, list[str], str]]:
    for entry in filter(None, map(str.strip, text.split(";"))):
        found = re.fullmatch(r"([^=:]+)=([a-z+]+):(.+)", entry)
        if found is None or set(found[2].split("+")) - set(ROLES):
            raise SettingsError(
                f"mtls_subjects has {entry!r}, which is not NAME=ROLES:SUBJECT, roles of {', '.join(ROLES)}."
            )
        yield found[1].strip(), found[2].split("+"), found[3].strip()


@functools.lru_cache(maxsize=1024)
def _moment(text: str) -> float:
    # Asked for with each request, and reading a date takes 20 µs.
    return float(ssl.cert_time_to_seconds(text))
