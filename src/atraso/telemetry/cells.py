"""Counters in memory that all workers share: each worker writes its own slot, and whoever is asked adds them up.

A slot outlives its worker, so totals never fall when one is killed and replaced. The memory is anonymous: no file that
could fill a disk, and none that is left behind. Writing is one store of eight bytes, which is never seen half done.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from atraso.telemetry.names import (
    COUNTED,
    DEPARTURES,
    LATENCY_BOUNDS,
    LEDGER_ROWS,
    MODEL_SWAPS,
    OUTCOMES,
    PROBABILITY,
    PROBABILITY_BOUNDS,
    REQUEST_SECONDS,
    REQUESTS,
    ROW_STATES,
    Metric,
)

CELL_BYTES = 8
# Sums of histograms are kept as whole numbers of this unit: a billionth of a second, or of a probability.
BILLION = 1_000_000_000


def _starts() -> tuple[dict[Metric, int], int]:
    starts, at = {}, 0
    for metric in COUNTED:
        starts[metric] = at
        at += len(metric.series) * metric.width
    return starts, at


START_OF, CELLS = _starts()
_REQUESTS, _SECONDS = START_OF[REQUESTS], START_OF[REQUEST_SECONDS]
_PROBABILITY, _LEDGER, _SWAPS = START_OF[PROBABILITY], START_OF[LEDGER_ROWS], START_OF[MODEL_SWAPS]
_ACCEPTED, _KEPT, _SHED, _REFUSED, _STORED, _SET_ASIDE, _RECOVERED = (_LEDGER + at for at in range(len(ROW_STATES)))
_DEPARTURES = START_OF[DEPARTURES]
_SECONDS_WIDTH, _SECONDS_SUM = REQUEST_SECONDS.width, REQUEST_SECONDS.width - 1
_PROBABILITY_SUM = _PROBABILITY + PROBABILITY.width - 1
_OUTCOMES = len(OUTCOMES)


class Recorder:
    """Counts what one worker does, in its own *cells*."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview | None = None) -> None:
        self._cells = memoryview(bytearray(CELLS * CELL_BYTES)).cast("Q") if cells is None else cells

    def answered(self, route: int, outcome: int, seconds: float) -> None:
        """Count a request to ROUTES[*route*] that was answered after *seconds*."""
        cells = self._cells
        cells[_REQUESTS + route * _OUTCOMES + outcome] += 1
        at = _SECONDS + route * _SECONDS_WIDTH
        cells[at + bisect_left(LATENCY_BOUNDS, seconds)] += 1
        cells[at + _SECONDS_SUM] += int(seconds * BILLION)

    def predicted(self, probability: float) -> None:
        """Count a probability of delay that is answered."""
        cells = self._cells
        cells[_PROBABILITY + bisect_left(PROBABILITY_BOUNDS, probability)] += 1
        cells[_PROBABILITY_SUM] += int(probability * BILLION)

    def predicted_many(self, probabilities: Sequence[float]) -> None:
        """Count many probabilities of delay, in one sweep."""
        places = np.searchsorted(PROBABILITY_BOUNDS, probabilities, side="left")
        counts = np.bincount(places, minlength=len(PROBABILITY_BOUNDS) + 1).tolist()
        cells = self._cells
        for place, count in enumerate(counts):
            cells[_PROBABILITY + place] += count
        cells[_PROBABILITY_SUM] += int(sum(probabilities) * BILLION)

    def kept(self, rows: int) -> None:
        """Count answers that the ledger was promised and that are in the spool."""
        self._cells[_KEPT] += rows

    def shed(self, rows: int) -> None:
        """Count answers that the ledger was promised and that could not be kept."""
        self._cells[_SHED] += rows

    def refused(self, rows: int) -> None:
        """Count answers that were not given because they could not be kept."""
        self._cells[_REFUSED] += rows

    def swapped(self, *, ok: bool) -> None:
        """Count a change of the model."""
        self._cells[_SWAPS + (not ok)] += 1

    def reported(self, *, new: int = 0, repeated: int = 0, scheduled: int = 0, refused: int = 0) -> None:
        """Count what was reported of flights, by what became of it."""
        for place, count in enumerate((new, repeated, scheduled, refused)):
            self._cells[_DEPARTURES + place] += count


class Board:
    """The slots of all workers, and one for their supervisor; make it before they are forked."""

    def __init__(self, slots: int = 1) -> None:
        self._memory = memoryview(mmap.mmap(-1, ((slots + 1) * CELLS + 1) * CELL_BYTES)).cast("Q")
        self._slots = slots

    @property
    def supervisor(self) -> Recorder:
        """The slot of the process that starts the workers."""
        return self.slot(self._slots)

    @property
    def workers(self) -> int:
        """How many workers are ready, as their supervisor says."""
        return self._memory[-1]

    def tell_workers(self, count: int) -> None:
        """Say how many workers are ready; the supervisor does."""
        self._memory[-1] = count

    def slot(self, number: int) -> Recorder:
        """Return the recorder of slot *number*; only one living process may write to it."""
        return Recorder(self._memory[number * CELLS : (number + 1) * CELLS])

    def totals(self) -> list[int]:
        """Return the sum of all slots, cell by cell."""
        slots = [self._memory[at * CELLS : (at + 1) * CELLS] for at in range(self._slots + 1)]
        totals = [sum(cells) for cells in zip(*slots, strict=True)]
        # Not counted but added up, so that the sum holds at every moment, whoever is killed when.
        totals[_ACCEPTED] = totals[_KEPT] + totals[_SHED]
        return totals


def tell_rows(totals: list[int], *, stored: int, set_aside: int, recovered: int) -> int:
    """Complete *totals* with what the ledger's writer had told before they were read; return how many rows are queued.

    Nothing is stored that was not counted before, so this is never negative.
    """
    totals[_STORED], totals[_SET_ASIDE], totals[_RECOVERED] = stored, set_aside, recovered
    return totals[_KEPT] - stored - set_aside
