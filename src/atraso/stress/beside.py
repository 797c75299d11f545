"""Two services measured beside each other, turn by turn, so that what the machine does meanwhile happens to both.

One connection to each, one question at a time, the same flights in the same order; a turn is some milliseconds, and
what is kept of it is its median, which a few disturbed requests do not move.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from atraso.stress import histogram, machine
from atraso.stress.caller import Caller
from atraso.stress.histogram import latency_of
from atraso.stress.profiles import StressError
from atraso.stress.record import Record
from atraso.stress.runs import Block, Run, common_figures
from atraso.stress.steps import Progress
from atraso.stress.target import Target, bodies, check

PROFILE, STEP, ONE_AT_A_TIME = "beside", "turn by turn", "one at a time"
WARM_UP = 2000


class Beside:
    """A run of two targets in *turns* of some *requests* each; `measure` may be interrupted."""

    def __init__(self, first: Target, second: Target, turns: int, requests: int) -> None:
        self._targets, self._turns, self._requests = (first, second), turns, requests
        self._took: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
        self._machine, self._date, self._began = machine.this_machine(), machine.now(), time.monotonic()
        self._session = uuid.uuid4().hex

    def measure(self, progress: Progress) -> None:
        """Ask both in turn; nobody is always first. Raises StressError for any but a 200."""
        histogram.check()
        if any(target.scheme != "http" for target in self._targets):
            raise StressError("Two services are compared over plain HTTP: name them behind the TLS.")
        for target in self._targets:
            check(target)
        first, second = (
            Caller(
                target.port,
                itertools.cycle([target.request(body) for body in bodies(1)]),
                host=target.host,
            )
            for target in self._targets
        )
        with first, second:
            callers = (first, second)
            for caller in callers:
                caller.block(WARM_UP)
            for turn in range(self._turns):
                progress(STEP, turn, self._turns)
                order = (0, 1) if turn % 2 == 0 else (1, 0)
                found = {n: callers[n].block(self._requests) for n in order}
                for n, took in enumerate(self._took):
                    took.append(found[n])

    @property
    def has_rows(self) -> bool:
        """Whether there is something to record."""
        return bool(self._took[1])

    def records(self, *, partial: bool = False) -> tuple[Record, Record]:
        """Return a record for each, of one session."""
        first, second = (self._record(n, partial=partial) for n in (0, 1))
        return first, second

    def _record(self, n: int, *, partial: bool) -> Record:
        urls = " ".join(target.origin for target in self._targets)
        return Record(
            profile=PROFILE,
            date=self._date,
            command=f"atraso stress compare {urls} --turns {self._turns} --requests {self._requests}",
            machine=self._machine,
            versions=machine.versions(),
            settings={"turns": self._turns, "requests": self._requests},
            runs=(_run(self._took[n], self._requests, partial=partial),),
            commit=machine.commit(),
            target=self._targets[n].origin,
            session=self._session,
            partial=partial,
            took_s=round(time.monotonic() - self._began, 1),
        )


def _run(took: list[NDArray[np.int64]], requests: int, *, partial: bool) -> Run:
    every = np.concatenate(took)
    latency = latency_of([Counter(np.rint(every / 1000).astype(int).tolist())])
    took_s = float(every.sum()) / 1e9
    rate = round(len(every) / took_s, 1)
    medians = [float(np.median(block)) / 1e6 for block in took]
    return Run(
        name=STEP, driver="caller", loop=ONE_AT_A_TIME,
        asked={"connections": 1, "turns": len(took), "requests": requests},
        took_s=round(took_s, 3), answers=len(every), good=len(every), rate=rate, flights_per_s=rate,
        figures=common_figures(len(every), 0, rate, latency), latency=latency,
        blocks=tuple(Block(round(1000 / median, 1), round(median, 6)) for median in medians), partial=partial,
    )  # fmt: skip
