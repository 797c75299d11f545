"""When clients that were refused are told to come back: spread over some seconds, so that they make no wave.

To refuse a client that has rested costs as much as several answers, because all that belongs to its connection is cold.
So the more clients there are, the longer they rest: what they ask in vain stays a small part of the work.
"""

from __future__ import annotations

from collections.abc import Sized

# Of all clients of a worker, if all were refused.
AT_MOST_A_SECOND = 500
LEAST_SPREAD_S, LONGEST_S = 5, 30
EVERY_WAIT_S = range(1, LONGEST_S + 1)


class Returns:
    """Spreads the clients with *connections* (a living set) over 1 to 5 s, over up to 30 s where they are thousands."""

    def __init__(self) -> None:
        self.connections: Sized = ()
        self._last_s = 0

    def next_s(self) -> int:
        """Return the whole seconds after which the next refused client may come back."""
        # Those that rest from 1 to n seconds do so for n / 2 on average.
        spread_s = min(max(2 * len(self.connections) // AT_MOST_A_SECOND, LEAST_SPREAD_S), LONGEST_S)
        self._last_s = self._last_s % spread_s + 1
        return self._last_s
