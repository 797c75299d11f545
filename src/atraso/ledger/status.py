"""How the ledger is doing, told by its writer to all processes of a service through shared memory."""

from __future__ import annotations

import mmap
import time
from dataclasses import astuple, dataclass, fields

from atraso.ledger.run import BILLION, Run

# A writer that has not moved for so long is in trouble: whoever reports a departure waits no longer than that.
SILENT_AFTER_S = 10.0


@dataclass(slots=True)
class Status:
    """Counts since the service started, and how things are now; sizes in bytes, moments in milliseconds since 1970.

    `rows_stored` counts what this run kept and is exact whatever is killed; the other counts may miss what a killed
    writer was about to tell. `rows_recovered` are those that an earlier run had left, `rows_aside` those of this run
    in records that cannot be stored.

    `refused` counts records that cannot be stored, `torn` and `damaged` files that end in something unreadable: all
    of them are kept beside. `failing` is 1 while the database or the folder cannot be used, and while there is no
    writer that moves, 0 otherwise.
    """

    rows_stored: int = 0
    rows_recovered: int = 0
    rows_aside: int = 0
    refused: int = 0
    torn: int = 0
    damaged: int = 0
    pruned: int = 0
    errors: int = 0
    failing: int = 0
    queued_files: int = 0
    queued_bytes: int = 0
    database_bytes: int = 0
    last_success_ms: int = 0


_CELLS = len(fields(Status))
_TOLD, _MOVED = 2 * _CELLS, 2 * _CELLS + 1


class StatusBoard:
    """A status in memory that forked processes share; its counts outlive the writer's own process.

    Beside it stands when the writer moved last, so that everybody sees one that stands still, or that there is none.
    """

    def __init__(self, run: Run | None = None) -> None:
        self.run = run or Run()
        # Two statuses in turn: a writer that is killed while it tells leaves the other one whole.
        self._cells = memoryview(mmap.mmap(-1, (2 * _CELLS + 2) * 8)).cast("Q")
        self.moved()

    def moved(self) -> None:
        """Say that the writer's work moves on."""
        self._cells[_MOVED] = time.monotonic_ns()

    def silent_s(self) -> float:
        """Return how long ago the writer moved last, or this was made; a suspended machine's time does not count."""
        return max(time.monotonic_ns() - self._cells[_MOVED], 0) / BILLION

    def tell(self, status: Status) -> None:
        """Say how the ledger is doing; the writer does, and nobody else."""
        told = self._cells[_TOLD] + 1
        start = told % 2 * _CELLS
        for cell, value in enumerate(astuple(status), start):
            self._cells[cell] = value
        self._cells[_TOLD] = told

    def read(self) -> Status:
        """Return what was told last, as it was told; a writer that is silent is failing whatever it told."""
        while True:
            told = self._cells[_TOLD]
            start = told % 2 * _CELLS
            status = Status(*self._cells[start : start + _CELLS])
            if self._cells[_TOLD] == told:
                if self.silent_s() > SILENT_AFTER_S:
                    status.failing = 1
                return status
