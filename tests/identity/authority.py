"""An authority that makes certificates, and handshakes in which they are shown."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from atraso.serving.server import tls_context

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates, kept in *folder*; another authority of the same name is still another."""

    def __init__(self, folder: Path, name: str = "Airport CA") -> None:
        self._folder, self._count = folder, 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.itself = self._kept(self._builder(self._name, self._key), self._key, authority=True)

    def pair(
        self, subject: x509.Name | str, alternatives: tuple[x509.GeneralName, ...] = (), *, ends_in_days: float = 1
    ) -> Pair:
        """A certificate for *subject*, a DN of RFC 4514, that began a while ago."""
        name = x509.Name.from_rfc4514_string(subject) if isinstance(subject, str) else subject
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name, key, ends_in_days)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return self._kept(builder, key)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, ends_in_days: float = 1
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - 9 * DAY)
            .not_valid_after(now + ends_in_days * DAY)
        )  # fmt: skip

    def _kept(
        self, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, *, authority: bool = False
    ) -> Pair:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        self._count += 1
        pair = Pair(self._folder / f"{self._count}.pem", self._folder / f"{self._count}.key")
        pair.certificate.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair


def shown(authority: Authority, server: Pair, client: Pair | None) -> dict[str, Any] | None:
    """What our side of a real handshake on loopback knows of *client*; raises ssl.SSLError where it refuses."""
    ours = tls_context(server.certificate, server.key, authority.itself.certificate)
    theirs = ssl.create_default_context(cafile=str(authority.itself.certificate))
    theirs.check_hostname = False
    if client is not None:
        theirs.load_cert_chain(client.certificate, client.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def connect() -> None:
            with socket.create_connection(listener.getsockname(), timeout=10) as plain:
                try:
                    with theirs.wrap_socket(plain) as secured:
                        secured.recv(1)
                except OSError:
                    pass  # refused; our side says why

        thread = threading.Thread(target=connect)
        thread.start()
        try:
            accepted, _ = listener.accept()
            accepted.settimeout(10)
            with accepted, ours.wrap_socket(accepted, server_side=True) as secured:
                found = secured.getpeercert()
                secured.send(b".")
                return found or None
        finally:
            thread.join()
