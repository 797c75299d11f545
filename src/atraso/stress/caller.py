"""One client on one kept connection that asks, waits for the whole answer and asks again, by the clock."""

from __future__ import annotations

import gc
import socket
import ssl
from collections.abc import Iterator
from time import perf_counter_ns
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from atraso.stress.profiles import StressError

LOOPBACK = "127.0.0.1"
TIMEOUT_S = 30.0
_READ_BYTES = 1 << 16
_OK = b"HTTP/1.1 200 "
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Caller:
    """Sends *requests* in turn to a port of *host*, over TLS with a *context*; a context manager.

    With *reconnects* each has a connection of its own, and connecting counts.
    A plain blocking socket: what lies between the two looks at the clock is the service, the loopback and little else.
    """

    def __init__(
        self,
        port: int,
        requests: Iterator[bytes],
        context: ssl.SSLContext | None = None,
        *,
        reconnects: bool = False,
        host: str = LOOPBACK,
    ) -> None:
        self._host, self._port, self._requests, self._context = host, port, requests, context
        self._reconnects = reconnects

    def __enter__(self) -> Self:
        self._socket = self._connected()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def block(self, count: int) -> NDArray[np.int64]:
        """Return how long each of *count* requests took, in nanoseconds; raises StressError for any but a 200."""
        took = np.empty(count, np.int64)
        requests, send, receive = self._requests, self._socket.sendall, self._socket.recv
        gc.disable()  # what it would collect here is not the service's
        try:
            for place in range(count):
                request = next(requests)
                if self._reconnects:
                    self._socket.close()
                began = perf_counter_ns()
                if self._reconnects:
                    self._socket = self._connected()
                    send, receive = self._socket.sendall, self._socket.recv
                send(request)
                answer = receive(_READ_BYTES)
                ended = perf_counter_ns()
                while not _is_whole(answer):
                    more = receive(_READ_BYTES)
                    ended = perf_counter_ns()
                    if not more:
                        raise StressError("The service closed the connection instead of answering.")
                    answer += more
                took[place] = ended - began
                if not answer.startswith(_OK):
                    raise StressError(f"The service answered {answer[9:300].decode('latin-1')!r}.")
        except OSError as error:
            raise StressError(f"The service gave no answer: {error}.") from None
        finally:
            gc.enable()
        return took

    def _connected(self) -> socket.socket:
        plain = socket.create_connection((self._host, self._port), TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain if self._context is None else self._context.wrap_socket(plain, server_hostname=self._host)


def _is_whole(answer: bytes) -> bool:
    head = answer.find(_HEAD_END)
    if head < 0:
        return False
    at = answer.find(_LENGTH, 0, head)
    if at < 0:  # as the service does not write it, but others do
        at = answer[:head].lower().find(_LENGTH)
        if at < 0:
            raise StressError("An answer does not say how long it is, so it cannot be told when it is whole.")
    at += len(_LENGTH)
    return len(answer) >= head + len(_HEAD_END) + int(answer[at : answer.find(b"\r", at)])
