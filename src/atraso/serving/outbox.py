"""Answers on their way out: those of one turn of the event loop leave together.

What has to be kept of an answer before it is given (`settle`) is then written once for all of them, and not once for
each: a write to a file costs more than everything else that is done for a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from atraso.serving.lag import Lag
from atraso.telemetry.cells import Recorder
from atraso.telemetry.names import ROUTES, Outcome

Loop = asyncio.AbstractEventLoop
Held = tuple[asyncio.Transport, bytes, int, float, Outcome]

_PROMISED = ROUTES.index("/v1/predictions")


class Outbox:
    """Holds the answers of one worker until the end of the turn; *settle* is called before any of them leaves.

    Where it returns False those to /v1/predictions may not be given, and what *instead* returns leaves in their place.
    """

    def __init__(
        self,
        recorder: Recorder,
        settle: Callable[[], bool] | None = None,
        instead: Callable[[], bytes] = lambda: b"",
    ) -> None:
        self.lag = Lag()
        self._recorder = recorder
        self._settle = settle
        self._instead = instead
        self._held: list[Held] = []

    def send(  # noqa: PLR0917 - every answer comes through here, and names cost time
        self,
        loop: Loop,
        transport: asyncio.Transport,
        answer: bytes,
        route: int,
        arrived_at: float,
        outcome: Outcome = Outcome.OK,
    ) -> None:
        """Send a whole *answer* to a request that *arrived_at* that time, at the end of this turn."""
        if not self._held:
            loop.call_soon(self._end_turn)
            self.lag.begin_turn(arrived_at)
        self.lag.sent += 1
        self._held.append((transport, answer, route, arrived_at, outcome))

    def send_all(self) -> None:
        """Send what is held, now: whoever closes a connection or writes to it does this first."""
        held, self._held = self._held, []
        if not held:
            return
        if self._settle is not None and not self._settle():
            held = [self._refused(*each) for each in held]
        now = monotonic()
        count = self._recorder.answered
        for transport, answer, route, arrived_at, outcome in held:
            if not transport.is_closing():
                transport.write(answer)
                count(route, outcome, now - arrived_at)

    def _refused(
        self, transport: asyncio.Transport, answer: bytes, route: int, arrived_at: float, outcome: Outcome
    ) -> Held:
        """Return what leaves instead of an answer that may not be given."""
        if route == _PROMISED and outcome == Outcome.OK:
            return transport, self._instead(), route, arrived_at, Outcome.SHED_503
        return transport, answer, route, arrived_at, outcome

    def _end_turn(self) -> None:
        self.lag.end_turn()
        self.send_all()
