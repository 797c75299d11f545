"""How long a worker may answer without looking for what else has come: the limit on work that is done at once.

Requests answered in the call that received them never wait in our memory, so there is no queue to count. They wait in
the kernel, for as long as one turn of the event loop takes: the answers to all that were found ready together. When a
turn takes too long, most of what is left of it is refused, which costs a fifth of an answer. From then on a turn
answers a few and refuses most of the rest, so that a refusal comes at once and not after the wait that it is to spare.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

# The longest turn that is still taken for a busy moment. It is enough for some 700 small requests, so a worker that
# many clients ask at the same time answers them all.
MAX_TURN_S = 0.05
# A process that was not run for a while is late, but not overloaded: it has answered fewer than these.
MIN_ANSWERED = 256
# While the worker refuses, so many are answered in every turn. Counting, unlike time, is not disturbed by the pauses
# that other processes cause, so enough clients stay to keep the worker at work.
ALWAYS_ANSWERED = 32
# Of those beyond, one is answered for so many that are refused: clients that ask again at once, whatever they are told,
# can take a quarter of the worker's time with it, and not nearly all.
REFUSED_FOR_ONE = 2
# For so long after a refusal turns are kept short: clients that were told to come back do so within five seconds.
REFUSING_FOR_S = 2.0
# Otherwise a turn is looked for as often as this, not each time the loop turns, which would cost a request more.
LOOK_EVERY_S = 0.01
# With thousands of requests always ready the loop may not come to its timers for seconds, and a worker that answers
# all the while must not be taken for a silent one.
BEAT_EVERY_S = 0.5


class Lag:
    """Tells whether a request is one too many in its turn; ask `too_many` where now is past `look_at`.

    Count what is answered at once in `answered`. *beat* is called now and then while there is too much.
    """

    __slots__ = ("_at_least", "_beat_at", "_refused", "_refusing_until", "answered", "beat", "look_at")

    def __init__(self, beat: Callable[[], object] = lambda: None) -> None:
        self.look_at = -inf
        self.beat = beat
        self._beat_at = -inf
        self.answered = 0
        self._at_least = MIN_ANSWERED
        self._refused = 0
        self._refusing_until = -inf

    def too_many(self, now: float, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether what comes *now*, after `look_at`, is to be refused."""
        if self.look_at == -inf:
            # The first request since the loop was seen to turn.
            self.answered = self._refused = 0
            if now < self._refusing_until:
                self.look_at = now
                self._at_least = ALWAYS_ANSWERED
                loop.call_soon(self._turned)
            else:
                self.look_at = now + MAX_TURN_S
                self._at_least = MIN_ANSWERED
                loop.call_later(LOOK_EVERY_S, self._turned)
            return False
        if now >= self._beat_at:
            self._beat_at = now + BEAT_EVERY_S
            self.beat()
        if self.answered < self._at_least + self._refused // REFUSED_FOR_ONE:
            return False
        self._refused += 1
        self._refusing_until = now + REFUSING_FOR_S
        return True

    def _turned(self) -> None:
        self.look_at = -inf
