"""Clients that send a byte a second, in a head or in a body, and come again when they are turned away."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.processes import HOST
from benchmarks.questions import body_of
from tests.drill.service import flights, head

EVERY_S = 1.0


@dataclass
class Crowd:
    """What slow clients met: connections made and still open, and how often they were turned away or answered."""

    open: int = 0
    made: int = 0
    turned_away: int = 0
    answered: int = 0
    unable: int = 0


@contextlib.contextmanager
def crowd(port: int, count: int) -> Iterator[Crowd]:
    """Keep *count* slow clients at work while the block runs, every other one in its head."""
    seen = Crowd()
    loop = asyncio.new_event_loop()
    main = loop.create_task(_run(port, count, seen))

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


async def _run(port: int, count: int, seen: Crowd) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(count):
            group.create_task(_slow_client(port, seen, in_head=n % 2 == 0))


async def _slow_client(port: int, seen: Crowd, *, in_head: bool) -> None:
    body = body_of(flights()[0])
    await asyncio.sleep(random.random() * EVERY_S)  # they do not beat as one
    while True:
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            seen.unable += 1
            await asyncio.sleep(EVERY_S)
            continue
        seen.made += 1
        seen.open += 1
        try:
            if in_head:
                slowly = head(len(body))
            else:
                writer.write(head(len(body)))
                slowly = body
            await _drip(reader, writer, slowly, seen)
        except OSError:
            seen.turned_away += 1
        finally:
            seen.open -= 1
            writer.close()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slowly: bytes, seen: Crowd) -> None:
    """Send a byte a second until the other side says something or leaves."""
    for byte in slowly:
        writer.write(bytes([byte]))
        await writer.drain()
        try:
            said = await asyncio.wait_for(reader.read(65536), EVERY_S)
        except TimeoutError:
            continue
        if said.startswith(b"HTTP/1.1 200"):
            seen.answered += 1
        else:
            seen.turned_away += 1
        return
