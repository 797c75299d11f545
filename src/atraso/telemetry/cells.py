"""Counters in memory that all workers share: each worker writes its own slot, and whoever is asked adds them up.

A slot outlives its worker, so totals never fall when one is killed and replaced. The memory is anonymous and all of it
is there from the start: no file that a full disk could keep from growing (which kills whoever writes, by SIGBUS), and
none that is left behind. Writing is one store of eight bytes, which is never seen half done.
"""

from __future__ import annotations

import mmap
import threading
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from atraso.telemetry.names import (
    AUTHZ_BOUNDS,
    AUTHZ_KINDS,
    AUTHZ_SECONDS,
    COUNTED,
    DEPARTURES,
    LATENCY_BOUNDS,
    LDAP_OPS,
    LDAP_RESULTS,
    LDAP_SECONDS,
    LDAP_SERVERS,
    LEDGER_ROWS,
    MODEL_SWAPS,
    OUTCOMES,
    PROBABILITY,
    PROBABILITY_BOUNDS,
    REQUEST_SECONDS,
    REQUESTS,
    ROW_STATES,
    TOKEN_RESULTS,
    TOKEN_SECONDS,
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
# What the ledger's writer tells and nobody here counts: nothing stands there before `tell_rows`.
COMPLETED_LATER = frozenset({_STORED, _SET_ASIDE, _RECOVERED})
_DEPARTURES = START_OF[DEPARTURES]
_SECONDS_WIDTH, _SECONDS_SUM = REQUEST_SECONDS.width, REQUEST_SECONDS.width - 1
_PROBABILITY_SUM = _PROBABILITY + PROBABILITY.width - 1
_OUTCOMES = len(OUTCOMES)
_AUTHZ, _TOKEN, _LDAP = START_OF[AUTHZ_SECONDS], START_OF[TOKEN_SECONDS], START_OF[LDAP_SECONDS]
_HITS = tuple(_AUTHZ + 2 * kind * AUTHZ_SECONDS.width for kind in range(len(AUTHZ_KINDS)))
# Log-ins run in threads, and adding to a cell is two steps.
_LDAP_LOCK = threading.Lock()


class Recorder:
    """Counts what one worker does, in its own *cells*."""

    __slots__ = ("_cells", "_hit_cells", "_hits_timed")

    def __init__(self, cells: memoryview | None = None) -> None:
        self._cells = memoryview(bytearray(CELLS * CELL_BYTES)).cast("Q") if cells is None else cells
        self._hit_cells = list(_HITS)  # of each kind: the bucket of a look-up, as it was timed last
        self._hits_timed = [self._hits(at) for at in _HITS]

    def answered(self, route: int, outcome: int, seconds: float) -> None:
        """Count a request to ROUTES[*route*] that was answered after *seconds*."""
        cells = self._cells
        cells[_REQUESTS + route * _OUTCOMES + outcome] += 1
        at = _SECONDS + route * _SECONDS_WIDTH
        cells[at + bisect_left(LATENCY_BOUNDS, seconds)] += 1
        cells[at + _SECONDS_SUM] += int(seconds * BILLION)

    def authorised(self, kind: int, seconds: float, *, hit: bool) -> None:
        """Count a check of who asks, by AUTHZ_KINDS[*kind*], that took *seconds*."""
        self._time(_HITS[kind] + (not hit) * AUTHZ_SECONDS.width, AUTHZ_SECONDS, seconds)
        self._hits_timed[kind] += hit

    def recalled(self, kind: int) -> None:
        """Count a check that was a look-up, without a clock: `look_up_takes` says into which bucket."""
        self._cells[self._hit_cells[kind]] += 1

    def look_up_takes(self, seconds: float) -> None:
        """Let *seconds* stand for the look-ups since the last time, and their bucket be that of those to come."""
        bucket = bisect_left(AUTHZ_BOUNDS, seconds)
        for kind, at in enumerate(_HITS):
            hits = self._hits(at)
            self._cells[at + AUTHZ_SECONDS.width - 1] += int((hits - self._hits_timed[kind]) * seconds * BILLION)
            self._hits_timed[kind] = hits
            self._hit_cells[kind] = at + bucket

    def gave_token(self, result: str, seconds: float) -> None:
        """Count a request for a token with one of TOKEN_RESULTS."""
        self._time(_TOKEN + TOKEN_RESULTS.index(result) * TOKEN_SECONDS.width, TOKEN_SECONDS, seconds)

    def asked_directory(self, server: int, op: str, result: str, seconds: float) -> None:
        """Count a step of a log-in at the *server*-th of the directory: one of LDAP_OPS with one of LDAP_RESULTS."""
        place = min(server, len(LDAP_SERVERS) - 1) * len(LDAP_OPS) + LDAP_OPS.index(op)
        at = _LDAP + (place * len(LDAP_RESULTS) + LDAP_RESULTS.index(result)) * LDAP_SECONDS.width
        with _LDAP_LOCK:
            self._time(at, LDAP_SECONDS, seconds)

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

    def _time(self, at: int, metric: Metric, seconds: float) -> None:
        """Count *seconds* in the series of a histogram that begins *at* that cell."""
        self._cells[at + bisect_left(metric.bounds, seconds)] += 1
        self._cells[at + metric.width - 1] += int(seconds * BILLION)

    def _hits(self, at: int) -> int:
        return sum(self._cells[at : at + AUTHZ_SECONDS.width - 1])


class Board:
    """The slots of all workers, and one for their supervisor; make it before they are forked.

    *servers* are those of the directory, host and port, as metrics name them.
    """

    def __init__(self, slots: int = 1, servers: Sequence[str] = ()) -> None:
        size = ((slots + 1) * CELLS + 1) * CELL_BYTES
        # All pages now: what a worker writes later needs no memory that might not be there.
        self._memory = memoryview(mmap.mmap(-1, size, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)).cast("Q")
        self._slots = slots
        self.servers = tuple(servers)

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
