"""How far a challenger has come, told by its process to all processes of a service through shared memory."""

from __future__ import annotations

import mmap
import time

_ANSWERS, _UNTIL = range(2)
_CELLS = 2


class ShadowProgress:
    """Two numbers that outlive the process that tells them; made before it is forked.

    Everything asked before `answered_until_ms` (since 1970) is answered, but for what cannot be. It stands still, and
    so falls behind, when that process does; where there never was one it is the moment when this was made.
    """

    def __init__(self) -> None:
        # Each is written at once and stands for itself: nothing can be torn.
        self._cells = memoryview(mmap.mmap(-1, _CELLS * 8)).cast("Q")
        self._cells[_UNTIL] = time.time_ns() // 1_000_000

    @property
    def answers(self) -> int:
        """How many answers the ledger has been given since the service started."""
        return self._cells[_ANSWERS]

    @property
    def answered_until_ms(self) -> int:
        """Up to when all is answered, in milliseconds since 1970."""
        return self._cells[_UNTIL]

    def behind_s(self, now_s: float) -> float:
        """Return how far the challenger is behind at *now_s*."""
        return max(now_s - self.answered_until_ms / 1000, 0.0)

    def tell(self, *, answers: int = 0, until_ms: int | None = None) -> None:
        """Count *answers*, and say up to when all is answered."""
        self._cells[_ANSWERS] += answers
        if until_ms is not None:
            self._cells[_UNTIL] = until_ms
