"""A real server in a thread, and a client that sends exactly the bytes it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from atraso.serving.gate import Gate, ServerLimits
from atraso.serving.server import LimitedServer, bind

App = Callable[..., Awaitable[None]]


@dataclass
class Echo:
    """An application that keeps each request and answers with what it got, after `hold` lets it."""

    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[list[tuple[bytes, bytes]]] = field(default_factory=list)
    answer: bytes | None = None
    hold: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        self.requests.append((scope["method"], scope["path"], body))
        self.headers.append(scope["headers"])
        if self.hold is not None:
            await self.hold()
        content = self.answer if self.answer is not None else f"{scope['path']} {len(body)}".encode()
        headers = [(b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class Held:
    """An application's work that goes on until `let_go` is called from the test's thread."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self._free = threading.Event()

    async def __call__(self) -> None:
        """Wait as work would, without holding the loop."""
        self.begun.release()
        while not self._free.is_set():
            await asyncio.sleep(0.005)

    def let_go(self) -> None:
        """End all work, now and later."""
        self._free.set()


@dataclass
class Running:
    """A server that runs; `server` is uvicorn's."""

    port: int
    server: LimitedServer
    thread: threading.Thread

    @property
    def gate(self) -> Gate:
        """Return what its connections share."""
        return self.server.gate

    @property
    def connections(self) -> list[Any]:
        """Return its connections, as far as they hold a place."""
        return list(self.server.server_state.connections)

    def stop(self) -> float:
        """Ask it to stop and return the seconds that took."""
        began = time.monotonic()
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()
        return time.monotonic() - began


@contextlib.contextmanager
def serving(app: App, **limits: Any) -> Iterator[Running]:
    """Serve *app* within *limits* on a free port of the loopback."""
    listener = bind("127.0.0.1", 0)
    server = LimitedServer(
        app,
        Gate(ServerLimits(**{"shutdown_timeout_s": 0.5, **limits}), settle=getattr(app, "settle", None)),
        lambda: True,
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    port = listener.getsockname()[1]
    thread.start()
    while not server.started:
        time.sleep(0.005)
    running = Running(port, server, thread)
    try:
        yield running
    finally:
        running.stop()


@dataclass
class Answer:
    """One response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        """Return the sentence of a problem document, which must be a whole one."""
        assert self.headers["content-type"] == "application/problem+json"
        document = json.loads(self.body)
        assert document["status"] == self.status
        assert document["type"] == "about:blank"
        assert document["title"]
        detail: str = document["detail"]
        return detail


class Client:
    """A plain socket to the server."""

    def __init__(self, port: int, timeout_s: float = 5.0, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self.got = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Client:
        """Send *data* as one segment, as far as the other side still takes it."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
        return self

    def drip(self, data: bytes, every_s: float) -> Client:
        """Send a byte at a time until the server answers or leaves."""
        self.socket.settimeout(every_s)
        for byte in data:
            with contextlib.suppress(ConnectionError):
                self.socket.sendall(bytes([byte]))
            try:
                self.got = self.socket.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
            except ConnectionError:
                pass
            break
        self.got = b""
        self.socket.settimeout(5)
        return self

    def end(self) -> Client:
        """Close our half of the connection."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """End rudely: the other side gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def answer(self, *, head_only: bool = False) -> Answer:
        """Read one response with a Content-Length."""
        while b"\r\n\r\n" not in self.got:
            self._read()
        head, _, rest = self.got.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.got = rest
        status = int(first.split()[1])
        length = 0 if head_only or status == 100 else int(headers["content-length"])
        while len(self.got) < length:
            self._read()
        body, self.got = self.got[:length], self.got[length:]
        return Answer(status, headers, body)

    def _read(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the server closed the connection after {self.got!r}")
        self.got += data

    def closed_after(self, within_s: float = 5.0) -> float:
        """Return the seconds until the server closes; anything it still says is a failure."""
        began = time.monotonic()
        self.socket.settimeout(within_s)
        with contextlib.suppress(ConnectionResetError):
            rest = self.got + self.socket.recv(65536)
            assert rest == b"", rest
        return time.monotonic() - began


def request(path: str = "/", body: bytes = b"", method: str = "POST", *headers: str) -> bytes:
    """Return the bytes of a plain request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: t", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


GET = request(method="GET")
BODY_HEAD = b"POST /slow HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n"
