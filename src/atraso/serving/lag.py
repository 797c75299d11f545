"""How long a worker may answer without looking for what else has come: the limit on work that is done at once.

Requests answered in the call that received them never wait in our memory, so there is no queue to count. They wait in
the kernel, for as long as one turn of the event loop takes: the answers to all that were found ready together. When a
turn takes too long, what is left of it is refused, which costs a fifth of an answer; while that goes on, turns are kept
short, so that a refusal comes at once and not after the wait that it is to spare.
"""

from __future__ import annotations

import asyncio
from math import inf

# The longest turn that is still taken for a busy moment. About 700 small requests, so a worker that many clients ask
# at the same time answers them all.
MAX_TURN_S = 0.05
# A process that was not run for a while is late, but not overloaded: it has answered little in its turn.
MIN_ANSWERED = 64
# How long a turn may answer while the worker refuses, and how long after a refusal that still is so.
SHORT_TURN_S = 0.003
REFUSING_FOR_S = 0.1
# A turn is begun anew as often as this, not each time the loop turns, which would cost each request a microsecond.
LOOK_EVERY_S = 0.01


class Lag:
    """Tells whether the turn of the loop has taken too long; ask `too_long` where now is past `look_at`.

    Count what is answered at once in `answered`.
    """

    __slots__ = ("_refusing_until", "answered", "look_at")

    def __init__(self) -> None:
        self.look_at = -inf
        self.answered = 0
        self._refusing_until = -inf

    def too_long(self, now: float, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether what comes *now*, at or after `look_at`, is to be refused."""
        refusing = now < self._refusing_until
        if self.look_at == -inf:
            # The first request since the loop was seen to turn.
            self.answered = 0
            self.look_at = now + (SHORT_TURN_S if refusing else MAX_TURN_S)
            if refusing:
                loop.call_soon(self._turned)
            else:
                loop.call_later(LOOK_EVERY_S, self._turned)
            return False
        if not refusing and self.answered < MIN_ANSWERED:
            return False
        self._refusing_until = now + REFUSING_FOR_S
        return True

    def _turned(self) -> None:
        self.look_at = -inf
