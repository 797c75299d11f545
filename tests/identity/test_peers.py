"""Clients by certificate: a whole name that a real handshake proved, or that a trusted gateway tells."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from atraso.bootstrap.certificate_peers import CertificatePeers
from atraso.core.errors import SettingsError
from atraso.identity.peers import PeerNames, expires_at, peer_names, subject_of
from atraso.identity.principal import Principal
from atraso.serving.guard import Admitted, Refused
from tests.identity.authority import Authority, Pair, shown

DESK = Principal("desk", frozenset({"predict"}))
NAMES = peer_names("desk=predict:CN=desk,O=Airport; feed=predict+report:URI:spiffe://airport.example/feed;"
                   "tower=admin:DNS:tower.airport.example")  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.pair("CN=localhost")


def attribute(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute:
    return x509.NameAttribute(oid, value)


def rdn(*attributes: x509.NameAttribute) -> x509.RelativeDistinguishedName:
    return x509.RelativeDistinguishedName(attributes)


# Names in the order of the certificate (the most general part first), and as the settings or a gateway write them.
UNUSUAL = {
    "several parts": (x509.Name.from_rfc4514_string("CN=desk,OU=Ops,O=Airport,C=CL"), "CN=desk,OU=Ops,O=Airport,C=CL"),
    "two of a kind": (x509.Name.from_rfc4514_string("CN=desk,OU=a,OU=b"), "CN=desk,OU=a,OU=b"),
    "multi-valued": (
        x509.Name([rdn(attribute(NameOID.ORGANIZATION_NAME, "Airport")),
                   rdn(attribute(NameOID.COMMON_NAME, "desk"), attribute(NameOID.USER_ID, "7"))]),
        "UID=7+CN=desk,O=Airport"),
    "escaped": (
        x509.Name([rdn(attribute(NameOID.ORGANIZATION_NAME, 'Air, Port + "Co" <1> \\ #2 =')),
                   rdn(attribute(NameOID.COMMON_NAME, " desk "))]),
        'CN=\\ desk\\ ,O=Air\\, Port \\+ \\"Co\\" \\<1\\> \\\\ #2 ='),
    "in hexadecimal": (
        x509.Name([rdn(attribute(NameOID.COMMON_NAME, "Ñandú; 鳥"))]), "CN=\\C3\\91and\\C3\\BA\\3B \\E9\\B3\\A5"),
    "with other letters": (x509.Name([rdn(attribute(NameOID.COMMON_NAME, "Ñandú 鳥"))]), "CN=Ñandú 鳥"),
    "domain": (x509.Name.from_rfc4514_string("CN=desk,DC=airport,DC=example"), "CN=desk,DC=airport,DC=example"),
    "with a mail address": (
        x509.Name([rdn(attribute(NameOID.COMMON_NAME, "desk")),
                   rdn(attribute(NameOID.EMAIL_ADDRESS, "desk@airport.example"))]),
        "emailAddress=desk@airport.example,CN=desk"),
    "with a serial number, a title and a street": (
        x509.Name([rdn(attribute(NameOID.SERIAL_NUMBER, "7")), rdn(attribute(NameOID.TITLE, "chief")),
                   rdn(attribute(NameOID.STREET_ADDRESS, "Avenida 1"))]),
        "street=Avenida 1,title=chief,serialNumber=7"),
    "by number": (
        x509.Name([rdn(attribute(NameOID.DN_QUALIFIER, "7")), rdn(attribute(NameOID.COMMON_NAME, "desk"))]),
        "CN=desk,2.5.4.46=7"),
    "by a number of nobody": (
        x509.Name([rdn(attribute(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), "7"))]), "1.3.6.1.4.1.99999.1=7"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNUSUAL)
def test_a_subject_of_a_real_certificate_comes_in(authority: Authority, server: Pair, kind: str) -> None:
    """As the handshake tells it and as the settings write it, multi-valued and escaped parts too."""
    subject, text = UNUSUAL[kind]
    names = peer_names(f"desk=predict:{text}")
    certificate = shown(authority, server, authority.pair(subject))
    assert certificate is not None
    assert names.of_certificate(certificate) == DESK
    assert names.of_text(text) == DESK
    assert NAMES.of_certificate(certificate) is None
    assert NAMES.of_text(text) is None


def test_an_alternative_name_of_a_real_certificate_comes_in(authority: Authority, server: Pair) -> None:
    """Whatever the subject is, and beside names that nobody here knows."""
    feed = x509.UniformResourceIdentifier("spiffe://airport.example/feed")
    for alternatives, name in (
        ((feed,), "feed"),
        ((x509.DNSName("other.example"), x509.DNSName("tower.airport.example")), "tower"),
    ):
        certificate = shown(authority, server, authority.pair("CN=whoever", alternatives))
        assert certificate is not None
        found = NAMES.of_certificate(certificate)
        assert found is not None
        assert found.name == name


@pytest.mark.parametrize(
    "alternative", [x509.DNSName("xtower.airport.example"), x509.DNSName("tower.airport.example.evil.example"),
                    x509.DNSName("*.airport.example"), x509.DNSName("tower"), x509.DNSName("spiffe://airport.example/feed"),
                    x509.UniformResourceIdentifier("spiffe://airport.example/feed/x"),
                    x509.UniformResourceIdentifier("spiffe://airport.example/fee"),
                    x509.UniformResourceIdentifier("tower.airport.example"), x509.RFC822Name("tower.airport.example"),
                    x509.UniformResourceIdentifier("x,DNS:tower.airport.example"),
                    x509.DNSName("x,URI:spiffe://airport.example/feed"),
                    x509.DirectoryName(x509.Name.from_rfc4514_string("CN=desk,O=Airport"))],
)  # fmt: skip
def test_an_alternative_name_that_only_resembles_one_stays_out(
    authority: Authority, server: Pair, alternative: x509.GeneralName
) -> None:
    """A part of it, more than it, a pattern, or another kind of name."""
    certificate = shown(authority, server, authority.pair("CN=whoever", (alternative,)))
    assert certificate is not None
    assert NAMES.of_certificate(certificate) is None


RESEMBLING = ["CN=desk", "CN=desk,O=Airport,C=CL", "C=CL,CN=desk,O=Airport", "O=Airport,CN=desk", "CN=desk+O=Airport",
              "CN=Desk,O=Airport", "CN=desk,O=airport", "CN=desk2,O=Airport", "CN=des,O=Airport",
              "CN=desk\\ ,O=Airport", "CN=desk\\,O\\=Airport", "CN=x\\,CN\\=desk,O=Airport", "OU=desk,O=Airport",
              "CN=desk,OU=Airport", "CN=desk,CN=desk,O=Airport", "CN=desk,O=Airport\\00", "CN=*,O=Airport",
              "O=Airport"]  # fmt: skip


@pytest.mark.parametrize("subject", RESEMBLING)
def test_a_subject_that_only_resembles_one_stays_out(authority: Authority, server: Pair, subject: str) -> None:
    """Parts, more parts, another order, another case, or separators inside a value; in a handshake and as a text."""
    certificate = shown(authority, server, authority.pair(subject))
    assert certificate is not None
    assert NAMES.of_certificate(certificate) is None
    assert NAMES.of_text(subject) is None


@pytest.mark.parametrize(
    "text", ["", " ", "desk", "CN", "CN=", "=desk", ",", "CN=desk,", ",CN=desk,O=Airport", "CN=desk;O=Airport",
             "/O=Airport/CN=desk", "CN=desk,O=Airport\n", "URI:", "DNS:", "URI: spiffe://airport.example/feed",
             "uri:spiffe://airport.example/feed", "URI:spiffe://airport.example/feed DNS:x",
             "CN=#0c046465736b,O=Airport", "CN=desk,O=Airport\\", "CN=desk,O=Airport,X=1", "CN=\ufffd",
             "CN=desk,O=Airport,", "\0", "CN=desk\\,O=Airport"],
)  # fmt: skip
def test_a_text_that_is_no_such_name_is_nobody(text: str) -> None:
    """And nothing stumbles over it."""
    assert NAMES.of_text(text) is None


PIECES = [
    "CN",
    "O",
    "UID",
    "1.2.3",
    "=",
    ",",
    "+",
    "\\",
    "\\C3",
    "\\,",
    "#",
    "#0c",
    "desk",
    '"',
    " ",
    "\0",
    "é",
    "URI:",
    ".",
]


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_text_stumbles(text: str) -> None:
    """Whatever a gateway sends."""
    assert NAMES.of_text(text) is None or text in ("CN=desk,O=Airport",)


values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@given(st.lists(st.tuples(st.sampled_from(["CN", "OU", "O", "L"]), values), min_size=1, max_size=4))
def test_every_subject_is_read_back_from_its_text(parts: list[tuple[str, str]]) -> None:
    """Escaped as RFC 4514 has it: no value can pass for a separator."""
    oids = {"CN": NameOID.COMMON_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "O": NameOID.ORGANIZATION_NAME,
            "L": NameOID.LOCALITY_NAME}  # fmt: skip
    name = x509.Name([attribute(oids[kind], value) for kind, value in parts])
    expected = tuple(frozenset({(oids[kind].dotted_string, value)}) for kind, value in parts)
    assert subject_of(name.rfc4514_string()) == expected


def test_a_certificate_that_ended_gets_no_handshake(authority: Authority, server: Pair) -> None:
    """While one that has not ended does, and tells when it will."""
    with pytest.raises(ssl.SSLError, match="expired"):
        shown(authority, server, authority.pair("CN=desk,O=Airport", ends_in_days=-0.001))
    certificate = shown(authority, server, authority.pair("CN=desk,O=Airport", ends_in_days=2))
    assert certificate is not None
    assert expires_at(certificate) == pytest.approx(time.time() + 2 * 86400, abs=60)


def test_a_certificate_of_a_stranger_gets_no_handshake(authority: Authority, server: Pair, tmp_path: Path) -> None:
    """Though their authority is called like ours; nor does one that a client signed."""
    stranger = Authority(tmp_path)
    with pytest.raises(ssl.SSLError):
        shown(authority, server, stranger.pair("CN=desk,O=Airport"))
    with pytest.raises(ssl.SSLError):
        shown(authority, server, stranger.itself)
    assert shown(authority, server, authority.pair("CN=desk,O=Airport")) is not None


def test_whoever_shows_nothing_may_still_have_a_token(authority: Authority, server: Pair) -> None:
    """The handshake succeeds, and nobody is named."""
    assert shown(authority, server, None) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [("desk", "NAME=ROLES:SUBJECT"), ("desk=predict", "NAME=ROLES"), ("desk=king:CN=desk", "roles of"),
     ("desk=predict+king:CN=desk", "roles of"), ("desk=:CN=desk", "NAME=ROLES"), ("=predict:CN=desk", "NAME=ROLES"),
     ("desk=predict:desk", "no DN"), ("desk=predict:CN=", "no DN"), ("desk=predict:/CN=desk", "no DN"),
     ("desk=predict:X=desk", "no DN"), ("desk=predict:CN=a,b", "no DN"), ("desk=Predict:CN=desk", "NAME=ROLES"),
     ("a=predict:CN=desk; b=admin:CN=desk", "twice"), ("a=predict:DNS:a.example;b=admin:DNS:a.example", "twice"),
     ("a=predict:UID=1+CN=desk; a=admin:CN=desk+UID=1", "twice")],
)  # fmt: skip
def test_a_setting_that_is_not_understood_is_refused(text: str, told: str) -> None:
    """When the service starts, in words."""
    with pytest.raises(SettingsError, match=told):
        peer_names(text)


def test_a_setting_may_name_nobody_or_the_same_twice() -> None:
    """One name may have several certificates."""
    assert peer_names(" ; ;") == PeerNames({}, {})
    names = peer_names("desk=predict:CN=desk;desk=predict:CN=old desk;desk=predict:CN=desk;")
    assert names.of_text("CN=desk") == names.of_text("CN=old desk") == DESK


# --- from a request to a principal


def scope(*told: bytes, address: str | None = "10.1.2.3", certificate: Any = None, name: bytes = b"x-client") -> Any:
    headers = [(b"host", b"a"), *((name, value) for value in told)]
    request = {"headers": headers, "client": None if address is None else (address, 1)}
    return request | ({"extensions": {"tls": {"peer_certificate": certificate}}} if certificate is not None else {})


GATEWAY = CertificatePeers(NAMES, "X-Client", "10.0.0.0/8, 2001:db8::1")
DIRECT = CertificatePeers(NAMES, "", "")
SUBJECT = b"CN=desk,O=Airport"


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "2001:0db8:0:0::1"])
def test_a_trusted_gateway_is_believed(address: str) -> None:
    """From any spelling of its address."""
    assert GATEWAY.principal_of(scope(SUBJECT, address=address)) == Admitted(DESK)
    assert GATEWAY.principal_of(scope(b"CN=who", address=address)) == Refused("unknown certificate")


@pytest.mark.parametrize(
    "address", ["11.1.2.3", "192.0.2.1", "127.0.0.1", "::ffff:11.1.2.3", "2001:db8::2", "::1", "", None, "unix",
                "10.1.2.3, 192.0.2.1", "10.1.2", "::10.1.2.3"],
)  # fmt: skip
def test_nobody_else_is(address: str | None) -> None:
    """The header counts for nothing from another address, or from none that can be told."""
    assert GATEWAY.principal_of(scope(SUBJECT, address=address)) is None


def test_a_header_that_comes_twice_is_not_believed() -> None:
    """A client's own may have come through beside the gateway's, in whatever order."""
    for told in ((SUBJECT, SUBJECT), (b"CN=who", SUBJECT), (SUBJECT, b""), (SUBJECT, b"CN=who")):
        assert GATEWAY.principal_of(scope(*told)) == Refused("unknown certificate")
    for joined in (SUBJECT + b", " + SUBJECT, SUBJECT + b",", b"," + SUBJECT):
        assert GATEWAY.principal_of(scope(joined)) == Refused("unknown certificate")
    assert GATEWAY.principal_of(scope(SUBJECT)) == Admitted(DESK)


def test_another_header_says_nothing() -> None:
    """And without a header nobody is named."""
    assert GATEWAY.principal_of(scope()) is None
    for name in (b"x_client", b"x-client-", b"client", b"x-forwarded-client-cert"):
        assert GATEWAY.principal_of(scope(SUBJECT, name=name)) is None


def test_names_of_a_gateway_are_in_utf_8() -> None:
    """Written or escaped; bytes that are none name nobody."""
    peers = CertificatePeers(peer_names("desk=predict:CN=Ñandú"), "X-Client", "10.0.0.0/8")
    for told in ("CN=Ñandú".encode(), b"CN=\\C3\\91and\\C3\\BA"):
        assert peers.principal_of(scope(told)) == Admitted(DESK)
    for told in ("CN=Ñandú".encode("latin-1"), b"CN=\xff", b"", b"\x80"):
        assert peers.principal_of(scope(told)) == Refused("unknown certificate")


def test_a_header_is_not_believed_where_none_is_set() -> None:
    """From whatever address."""
    for address in ("10.1.2.3", "127.0.0.1"):
        assert DIRECT.principal_of(scope(SUBJECT, address=address)) is None


def test_a_certificate_of_the_handshake_counts_before_any_header(authority: Authority, server: Pair) -> None:
    """Until it ends, which is looked at with each request of a long connection."""
    certificate = shown(authority, server, authority.pair("CN=desk,O=Airport"))
    assert certificate is not None
    for peers in (DIRECT, GATEWAY):
        assert peers.principal_of(scope(certificate=certificate)) == Admitted(DESK, expires_at(certificate))
        ended = {**certificate, "notAfter": "Jan  1 00:00:00 2020 GMT"}
        assert peers.principal_of(scope(certificate=ended)) == Refused("expired certificate", "desk")
        other = shown(authority, server, authority.pair("CN=who"))
        assert peers.principal_of(scope(SUBJECT, certificate=other)) == Refused("unknown certificate")


@pytest.mark.parametrize(
    ("header", "gateways"), [("X-Client", ""), ("", "10.0.0.0/8"), ("X-Client", " , "), ("X-Client", "10.0.0.1/8"),
                             ("X-Client", "gateway"), ("X-Client", "10.0.0.0/33")],
)  # fmt: skip
def test_a_header_that_anybody_could_send_is_refused(header: str, gateways: str) -> None:
    """When the service starts: header and addresses belong together."""
    with pytest.raises(SettingsError, match="mtls_gateways"):
        CertificatePeers(NAMES, header, gateways)
