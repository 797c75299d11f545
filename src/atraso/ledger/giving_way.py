"""Giving way where others wait for the processors: what is kept can wait in the spools, an answer cannot.

A batch of 10,000 rows keeps a processor for a tenth of a second, in which it is shared with whoever answers. So on a
crowded machine batches are small, with rests between them.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

# Time on a processor and time spent waiting for one, in nanoseconds (Linux, Documentation/scheduler/sched-stats.rst).
OF_THIS_THREAD = Path("/proc/thread-self/schedstat")
# Who has waited for a processor for more than this part of its time is not alone on them.
CROWDED = 0.25
# Then it rests for so many times as long as it has worked, and looks again.
REST_PER_WORK = 5.0
LONGEST_S = 1.0
BATCH_ROWS, CROWDED_BATCH_ROWS = 10_000, 500


class GivingWay:
    """Tells how many `rows` the calling thread is to take at once, and how long to rest after them.

    Where the system does not say who waited, it never rests.
    """

    def __init__(self, source: Path = OF_THIS_THREAD) -> None:
        self._source = source
        self.rows = BATCH_ROWS
        self._worked_ns, self._waited_ns = self._read()

    def rest_s(self) -> float:
        """Return how long to rest after what was done since the last call: nothing on a machine that has time."""
        worked_ns, waited_ns = self._read()
        worked, waited = worked_ns - self._worked_ns, waited_ns - self._waited_ns
        self._worked_ns, self._waited_ns = worked_ns, waited_ns
        if waited <= CROWDED * (worked + waited):
            self.rows = min(self.rows * 5 // 4, BATCH_ROWS)  # slowly: a crowd has its pauses
            return 0.0
        self.rows = CROWDED_BATCH_ROWS
        return min(worked / 1e9 * REST_PER_WORK, LONGEST_S)

    def _read(self) -> tuple[int, int]:
        with contextlib.suppress(OSError, ValueError):
            worked, waited, _ = self._source.read_text().split()
            return int(worked), int(waited)
        return 0, 0
