"""How long a worker may answer without looking for what else has come: the limit on work that is done at once.

Requests answered in the call that received them never wait in our memory, so there is no queue to count. They wait in
the kernel, for as long as one turn of the event loop takes: the answers to all that were found ready together. When a
turn takes too long, a part of what is left of it is refused, which costs less than an answer. From then on a turn
answers a few and refuses many of the rest, so that a refusal comes at once and not after the wait that it is to spare.
"""

from __future__ import annotations

from math import inf

# The longest turn that is still taken for a busy moment. It is enough for a thousand small requests, so a worker that
# many clients ask at the same time answers them all.
MAX_TURN_S = 0.05
# A process that was not run for a while is late, but not overloaded: it has answered fewer than these.
MIN_ANSWERED = 256
# While the worker refuses, so many are answered in every turn. Counting, unlike time, is not disturbed by the pauses
# that other processes cause, so enough clients stay to keep the worker at work.
ALWAYS_ANSWERED = 32
# Of those beyond, one is answered for so many that are refused: clients that ask again at once, whatever they are told,
# can take a part of the worker's time with it, and not nearly all.
REFUSED_FOR_ONE = 1
# For so long after a refusal turns are kept short: clients that were told to come back do so within five seconds.
REFUSING_FOR_S = 2.0


class Lag:
    """Tells whether a request is one too many in its turn; ask `too_many` where now is past `look_at`.

    A turn begins with the first answer that is `sent` in it; count them all.
    """

    __slots__ = ("_at_least", "_refused", "_refusing_until", "look_at", "sent")

    def __init__(self) -> None:
        self.look_at = inf
        self.sent = 0
        self._at_least = MIN_ANSWERED
        self._refused = 0
        self._refusing_until = -inf

    def begin_turn(self, now: float) -> None:
        """Note that the first request of a turn is answered; what was in it before stays, if it had begun."""
        if self.look_at == inf:
            refusing = now < self._refusing_until
            self.look_at = now if refusing else now + MAX_TURN_S
            self._at_least = ALWAYS_ANSWERED if refusing else MIN_ANSWERED
            self.sent = self._refused = 0

    def too_many(self, now: float) -> bool:
        """Return whether what comes *now*, after `look_at`, is to be refused."""
        answered = self.sent - self._refused
        if answered < self._at_least + self._refused // REFUSED_FOR_ONE:
            return False
        self._refused += 1
        self._refusing_until = now + REFUSING_FOR_S
        return True

    def end_turn(self) -> None:
        """Begin anew with the next answer."""
        self.look_at = inf
