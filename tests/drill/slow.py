"""Clients that are slow, broken or silent, and come again when they are turned away."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.processes import HOST

EVERY_S = 1.0
CLOSED_WITHIN_S = 3.0
PIECE_BYTES = 64 * 1024

# What a bad client sends until it is answered; the connection is its to close.
Sending = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Crowd:
    """What bad clients met: connections made and still open, answers by status, seconds until they came."""

    open: int = 0
    made: int = 0
    unable: int = 0
    left_open: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)


@contextlib.contextmanager
def crowd(port: int, count: int, send: Sending) -> Iterator[Crowd]:
    """Keep *count* clients at work while the block runs, each sending what *send* does."""
    seen = Crowd()
    loop = asyncio.new_event_loop()
    main = loop.create_task(_run(port, count, send, seen))

    def work() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(main)
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield seen
    finally:
        loop.call_soon_threadsafe(main.cancel)
        thread.join(30)
        assert not thread.is_alive()


def drip(first: bytes, slowly: bytes) -> Sending:
    """Return what sends *first* at once and then a byte a second."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        for byte in slowly:
            writer.write(bytes([byte]))
            await asyncio.sleep(EVERY_S)

    return send


def endless(first: bytes, again: bytes, every_s: float) -> Sending:
    """Return what sends *first* and then *again* and again, without an end."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(every_s)

    return send


def cut(part: bytes) -> Sending:
    """Return what sends *part* of a request and leaves: every other time rudely, so that no answer can come."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        await asyncio.sleep(random.random() * EVERY_S)
        if random.random() < 0.5:
            writer.transport.abort()
        else:
            writer.write_eof()

    return send


async def _run(port: int, count: int, send: Sending, seen: Crowd) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(_client(port, send, seen))


async def _client(port: int, send: Sending, seen: Crowd) -> None:
    while True:
        await asyncio.sleep(random.random() * EVERY_S)  # they do not beat as one
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            seen.unable += 1
            continue
        seen.made += 1
        seen.open += 1
        began = time.monotonic()
        sending = asyncio.ensure_future(send(writer))
        try:
            said = await reader.read(PIECE_BYTES)
            if said:
                seen.took_s.append(time.monotonic() - began)
                seen.statuses[int(said[9:12])] += 1
                await _closed(reader, seen)
        except OSError:
            pass  # the service closed while we were still sending
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await sending
            seen.open -= 1
            writer.close()


async def _closed(reader: asyncio.StreamReader, seen: Crowd) -> None:
    """Read until the service closes; count it where it does not, though it said that it would."""
    try:
        async with asyncio.timeout(CLOSED_WITHIN_S):
            while await reader.read(PIECE_BYTES):
                pass
    except TimeoutError:
        seen.left_open += 1
