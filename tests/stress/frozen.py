"""Servers that are known by heart: `python -m tests.stress.frozen KIND`, which says its port and answers anything.

`frozen` answers at once but stands still for the last second of every five; `failing` answers 500; `wrong` answers 200
with something else; `babbling` answers once and then says what is no HTTP; `dying` ends when it has answered often
enough, and the others say then that they have.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable

PREDICTION = b'{"predictions":[{"delay_probability":0.2}]}'
BABBLE = b"SSH-2.0-OpenSSH\r\n\r\n"
EVERY_S, FROZEN_S = 5.0, 1.0
ENOUGH = 300  # more than a load of 100 a second is warmed up with


class Answering(asyncio.Protocol):
    """A connection on which every request has a body and one answer."""

    def __init__(self, answer: Callable[[], bytes], at_answer: Callable[[], None]) -> None:
        self._answer, self._at_answer, self._got = answer, at_answer, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (head := self._got.find(b"\r\n\r\n") + 4) >= 4:
            at = self._got.lower().find(b"content-length: ", 0, head) + 16
            end = head + int(self._got[at : self._got.find(b"\r", at)])
            if len(self._got) < end:
                return
            self._got = self._got[end:]
            self._transport.write(self._answer())
            self._at_answer()


async def serve(kind: str) -> None:
    """Answer until the end."""
    status, body = {"failing": (b"500 Oh", b"{}"), "wrong": (b"200 OK", b"[]")}.get(kind, (b"200 OK", PREDICTION))
    answer = b"HTTP/1.1 %b\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )
    answered = 0

    def at_answer() -> None:
        nonlocal answered
        answered += 1
        if answered == ENOUGH:
            print("enough", flush=True)  # noqa: T201
            if kind == "dying":
                os._exit(0)

    def next_answer() -> bytes:
        return BABBLE if kind == "babbling" and answered else answer

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(next_answer, at_answer), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    next_at = loop.time()
    while True:
        next_at += EVERY_S
        await asyncio.sleep(next_at - FROZEN_S - loop.time())
        if kind == "frozen":
            time.sleep(max(next_at - loop.time(), 0.0))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
