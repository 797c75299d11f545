"""Answers on their way out: those of one turn of the event loop leave together.

What has to be kept of an answer before it is given (`settle`) is then written once for all of them, and not once for
each: a write to a file costs more than everything else that is done for a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from atraso.telemetry.cells import Recorder
from atraso.telemetry.names import Outcome

Loop = asyncio.AbstractEventLoop


class Outbox:
    """Holds the answers of one worker until the end of the turn; *settle* is called before any of them leaves."""

    def __init__(self, recorder: Recorder, settle: Callable[[], None] | None = None) -> None:
        self._recorder = recorder
        self._settle = settle
        self._held: list[tuple[asyncio.Transport, bytes, int, float]] = []

    def send(self, loop: Loop, transport: asyncio.Transport, answer: bytes, route: int, arrived_at: float) -> None:
        """Send a whole *answer* with status 200, to a request that *arrived_at* that time, at the end of this turn."""
        if not self._held:
            loop.call_soon(self.send_all)
        self._held.append((transport, answer, route, arrived_at))

    def send_all(self) -> None:
        """Send what is held, now: whoever closes a connection or writes to it does this first."""
        held, self._held = self._held, []
        if not held:
            return
        if self._settle is not None:
            self._settle()
        now = monotonic()
        count = self._recorder.answered
        for transport, answer, route, arrived_at in held:
            if not transport.is_closing():
                transport.write(answer)
                count(route, Outcome.OK, now - arrived_at)
