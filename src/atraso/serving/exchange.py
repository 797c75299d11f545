"""One request that has arrived whole, and its answer on the wire."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any

from atraso.serving.marks import trace_told
from atraso.serving.problems import PROBLEM_JSON, problem_body

if TYPE_CHECKING:
    from atraso.serving.connection import Connection

logger = logging.getLogger("atraso.serving")

# Loose, because scopes and messages are checked by those who read them; uvicorn's own types say the same.
Message = Any
Application = Callable[..., Awaitable[None]]

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_WITHOUT_BODY = (204, 304)
NOTHING_TOLD: Mapping[bytes, bytes] = {}
# How the end of an answer's body is told.
COUNTED, CHUNKED, ABSENT, UNTIL_CLOSE = range(4)


class Exchange:
    """A request and its answer; the body is here from the start, so `receive` never waits for a client.

    Head and body of an answer leave in one write where they come as one.
    """

    __slots__ = (
        "_connection",
        "_framing",
        "_head",
        "_left",
        "_waiter",
        "arrived_at",
        "body",
        "complete",
        "gone",
        "held_bytes",
        "keep_alive",
        "picked",
        "scope",
        "started",
        "status",
        "told",
        "trace",
    )

    def __init__(  # noqa: PLR0917 - every request comes through here, and names cost time
        self,
        connection: Connection,
        scope: Any,
        body: bytes,
        keep_alive: bool,
        held_bytes: int,
        told: Mapping[bytes, bytes] = NOTHING_TOLD,
        picked: bool = False,
    ) -> None:
        self.scope = scope
        # What the client told of the request itself, and whether it is one of those that are told of.
        self.told = told
        self.picked = picked
        self.trace = trace_told(told) if told else None
        self.keep_alive = keep_alive
        self.held_bytes = held_bytes
        self.arrived_at = monotonic()
        self.gone = False
        self.started = False
        self.status = 0
        self.complete = False
        self._connection = connection
        self.body: bytes | None = body
        self._head = b""
        self._framing = COUNTED
        self._left = 0
        self._waiter: asyncio.Future[None] | None = None

    async def run(self, app: Application) -> None:
        """Let *app* answer; what it fails to answer is answered 500, or cut off where the answer had begun."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            logger.exception("The application failed at %s.", ascii(self.scope["path"][:200]))
        if self.complete or self.gone:
            return
        if self.started and not self._head:
            logger.error("The application left its answer to %s incomplete.", ascii(self.scope["path"][:200]))
            self._connection.transport.close()
            return
        self.started = False  # what there was of an answer had not left yet
        body = problem_body(500, "The service failed to answer this request.")
        headers = [
            (b"content-type", PROBLEM_JSON.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def receive(self) -> Message:
        """Return the whole body, then wait until the client is gone or has its answer."""
        body = self.body
        if body is not None and not self.gone:
            self.body = None
            return {"type": "http.request", "body": body, "more_body": False}
        if not (self.gone or self.complete):
            self._waiter = self._waiter or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiter)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Write a part of the answer, when the client has room for it."""
        connection = self._connection
        if connection.flow.write_paused and not self.gone:
            await connection.flow.drain()
        if self.gone:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.started and not self.complete:
            self._write(message.get("body", b""), message.get("more_body", False))
        elif kind == "http.response.start" and not self.started:
            self._begin(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"The application sent {kind!r} out of turn.")

    def leave(self) -> None:
        """Note that the client is gone, or needs nothing more."""
        self.gone = True
        self._wake()

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.status = status
        lines = [_STATUS_LINES[status]]
        count = 2
        length = None
        closing = False
        for name, value in (*self._connection.server_state.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
            count += 1
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value.lower() == b"close":
                closing = True
        if self.trace is not None:
            lines += (b"traceresponse: ", self.trace.response(), b"\r\n")
            count += 1
        if closing:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
            count += 1
        if self.scope["method"] == "HEAD" or status in _WITHOUT_BODY:
            self._framing = ABSENT
        elif length is not None:
            self._framing = COUNTED
            self._left = length
        elif self.scope["http_version"] == "1.1":
            self._framing = CHUNKED
            lines.append(b"transfer-encoding: chunked\r\n")
            count += 1
        else:
            # HTTP/1.0 knows no chunks: its connections always close, and that ends the body.
            self._framing = UNTIL_CLOSE
        lines.append(b"\r\n")
        head = b"".join(lines)
        if not head.count(b"\r\n") == head.count(b"\r") == head.count(b"\n") == count:
            raise RuntimeError("A header of the answer holds a line break.")
        self._head = head
        self.started = True

    def _write(self, body: bytes, more: bool) -> None:
        if self._framing == COUNTED:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("The body of the answer is not as long as its Content-Length.")
        elif self._framing == CHUNKED:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        elif self._framing == ABSENT:
            body = b""
        connection = self._connection
        connection.transport.write(self._head + body)
        self._head = b""
        if more:
            return
        self.complete = True
        self._wake()
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
