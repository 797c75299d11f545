"""A throwaway authority, with certificates for a server on the loopback and for a client."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID as Use
from cryptography.x509.oid import NameOID

LIFE = timedelta(days=2)
CLIENT = "stress"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where they are, as PEM: the authority, the server's and the client's, with their keys."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and its two certificates in *folder*; the server's is for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("throwaway authority")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    built = _begun(name, name, key.public_key()).add_extension(x509.BasicConstraints(True, None), True)
    authority = built.add_extension(usage, True).sign(key, hashes.SHA256())
    here = folder / "authority.pem"
    here.write_bytes(authority.public_bytes(Encoding.PEM))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    serves, asks = (x509.ExtendedKeyUsage([use]) for use in (Use.SERVER_AUTH, Use.CLIENT_AUTH))
    server = _signed(folder, "server", key, name, address, serves)
    client = _signed(folder, CLIENT, key, name, asks)
    return Certificates(here, *server, *client)


def _signed(
    folder: Path,
    common_name: str,
    by: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    *extensions: x509.ExtensionType,
) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    built = _begun(_name(common_name), issuer, key.public_key())
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    for extension in extensions:
        built = built.add_extension(extension, False)
    certificate = built.add_extension(usage, True).sign(by, hashes.SHA256())
    here, key_here = folder / f"{common_name}.pem", folder / f"{common_name}.key"
    here.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_here.touch(0o600)
    key_here.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return here, key_here


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + LIFE)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
