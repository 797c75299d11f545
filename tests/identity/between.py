"""What may stand between a client and its directory: somebody who listens, strips the encryption, or falls silent."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

START_TLS = b"1.3.6.1.4.1.1466.20037"
SUCCESS, PROTOCOL_ERROR, UNWILLING = 0, 2, 53
# A successful answer to a bind, in plain, as somebody might send it ahead of its time.
BIND_SUCCESS = bytes.fromhex("300c02010261070a010004000400")


class Between:
    """A relay on loopback to *port*; a context manager. It keeps in `heard` what the client said.

    *start_tls* is what it answers to that wish itself, with *ahead* behind it; *silent_after* is how many pieces from
    the server it passes on before it says nothing more.
    """

    def __init__(
        self, port: int, start_tls: int | None = None, ahead: bytes = b"", silent_after: int | None = None
    ) -> None:
        self._port, self._start_tls, self._ahead, self._silent_after = port, start_tls, ahead, silent_after
        self.heard = b""
        self.visits = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url, self.tls_url = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in (self._listener, *self._open):
            end.close()

    def kinds(self) -> list[int]:
        """Return the kind (tag) of each message that the client said in plain: 0x60 bind, 0x63 search, 0x42 unbind."""
        found, rest = [], self.heard
        while rest:
            length, start = rest[1], 2
            if length & 0x80:
                start += length & 0x7F
                length = int.from_bytes(rest[2:start])
            found.append(rest[start + 2 + rest[start + 1]])
            rest = rest[start + length :]
        return found

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self.visits += 1
                self._open += [client, server]
                for work in (self._up, self._down):
                    self._threads.append(threading.Thread(target=work, args=(client, server)))
                    self._threads[-1].start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := client.recv(65536):
                self.heard += said
                if self._start_tls is not None and START_TLS in said:
                    answer = bytes((0x30, 12, 2, 1, said[4], 0x78, 7, 10, 1, self._start_tls, 4, 0, 4, 0))
                    client.sendall(answer + self._ahead)
                else:
                    server.sendall(said)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while said := server.recv(65536):
                if self._silent_after is None or passed < self._silent_after:
                    client.sendall(said)
                    passed += 1
        if self._silent_after is None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
