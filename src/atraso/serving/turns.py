"""Turns of the event loop for work that comes in steps: one step a turn, whoever's it is."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Lets one step after another begin, each in a turn of its own, those who asked first before the others.

    With a plain `sleep(0)` every request at work takes its step in every turn: a few hundred batches hold the loop for
    seconds, in which nobody is read, refused or answered and the supervisor hears nothing.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def next(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiting.append(waiter)
        if len(self._waiting) == 1:
            loop.call_soon(self._give, loop)
        await waiter

    def _give(self, loop: asyncio.AbstractEventLoop) -> None:
        waiter = self._waiting.popleft()
        if not waiter.done():
            waiter.set_result(None)
        if self._waiting:
            loop.call_soon(self._give, loop)
