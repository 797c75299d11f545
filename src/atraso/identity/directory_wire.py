"""The bytes between us and a directory's server: a connection that is encrypted, and ends when its time is over.

libldap's own connections wait for ever for a server that falls silent inside a TLS handshake or a message, and heed
settings of the whole machine (ldap.conf, LDAPTLS_*). So it is given one end of a pair of sockets, and a thread here
carries what it says to the server and back.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from atraso.core.errors import SettingsError

MAX_ANSWERS = 8 * 2**20  # bytes a server may say in one log-in: nobody is in so many groups
_PIECE = 65536
_MAX_START_TLS = 4096
# RFC 4511, section 4.14: ExtendedRequest [APPLICATION 23] with this name, as message 1.
_START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
# Message 1, ExtendedResponse [APPLICATION 24], lengths in any form, resultCode success.
_START_TLS_DONE = re.compile(rb"\x02\x01\x01\x78(?:[\x00-\x7f]|\x81.|\x82..|\x84....)\x0a\x01\x00", re.DOTALL)


def tls_of(ca_file: Path | None) -> ssl.SSLContext:
    """Return what demands a certificate of the right name by *ca_file* alone, or by the machine's authorities.

    Raises SettingsError for a file that holds no certificate.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingsError(f"The directory's ca_file {ca_file} cannot be used: {error.strerror or error}.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def open_wire(url: str, tls: ssl.SSLContext | None, timeout_s: float, deadline: float) -> socket.socket:
    """Return a socket on which a plain client may speak with the server at *url*, until *deadline*.

    The way to the server is encrypted by *tls* (None: it is not), from the start for ldaps, by StartTLS for ldap.
    Raises OSError within *timeout_s*, ssl.SSLError where there is no encryption or the certificate is not right.
    """
    parts = urlsplit(url)
    host, by = parts.hostname or "", min(time.monotonic() + timeout_s, deadline)
    server = socket.create_connection((host, parts.port or (636 if parts.scheme == "ldaps" else 389)), _left(by))
    try:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            if parts.scheme == "ldap":
                _start_tls(server, by)
            server.settimeout(_left(by))
            server = tls.wrap_socket(server, server_hostname=host)
        ours, theirs = socket.socketpair()
    except BaseException:
        server.close()
        raise
    threading.Thread(target=_carry, args=(ours, server, deadline), name="directory-wire", daemon=True).start()
    return theirs


def _start_tls(server: socket.socket, by: float) -> None:
    """Ask for encryption. What follows the answer is the handshake's to judge: nothing is read ahead in plain."""
    server.settimeout(_left(by))
    server.sendall(_START_TLS)
    length = _exactly(server, 2, by)[1]
    if length & 0x80:
        length = int.from_bytes(_exactly(server, length & 0x7F, by), "big")
    if length > _MAX_START_TLS or not _START_TLS_DONE.match(_exactly(server, length, by)):
        raise ssl.SSLError("the server refuses StartTLS")


def _exactly(server: socket.socket, count: int, by: float) -> bytes:
    read = b""
    while len(read) < count:
        server.settimeout(_left(by))
        piece = server.recv(count - len(read))
        if not piece:
            raise ConnectionResetError("the server ended the connection")
        read += piece
    return read


def _left(by: float) -> float:
    left = by - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _carry(ours: socket.socket, server: socket.socket, deadline: float) -> None:
    """Carry bytes both ways until one side ends, too much is said, or the time is over; then end both."""
    with ours, server, contextlib.suppress(OSError):
        poll, said = select.poll(), 0
        poll.register(ours, select.POLLIN)
        poll.register(server, select.POLLIN)
        while said <= MAX_ANSWERS:
            ready = {number for number, _ in poll.poll(_left(deadline) * 1000)}
            if ours.fileno() in ready:
                piece = ours.recv(_PIECE)
                if not piece:
                    return
                server.settimeout(_left(deadline))
                server.sendall(piece)
            if server.fileno() in ready:
                # Readable may mean half a record or a session ticket, and the other side may want to speak: never wait.
                server.settimeout(0)
                with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
                    while said <= MAX_ANSWERS:
                        piece = server.recv(_PIECE)
                        if not piece:
                            return
                        said += len(piece)
                        ours.settimeout(_left(deadline))
                        ours.sendall(piece)
