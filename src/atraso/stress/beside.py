"""Two services measured beside each other, turn by turn, so that what the machine does meanwhile happens to both.

One connection to each, one question at a time, the same flights in the same order; a turn is some milliseconds, and
what is compared of it is its 10th percentile, the time of requests that nothing disturbed: on a busy machine half of
them are. Two starts of one build differ, by how
its memory happens to lie; so builds are started again and again, and each start is a run of its own.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atraso.stress import histogram, machine
from atraso.stress.caller import Caller
from atraso.stress.histogram import latency_of
from atraso.stress.placement import Placement
from atraso.stress.profiles import StressError
from atraso.stress.record import Record
from atraso.stress.runs import Block, Run, common_figures
from atraso.stress.services import launched_with
from atraso.stress.steps import Progress
from atraso.stress.target import Target, bodies, check

PROFILE, STEP, ONE_AT_A_TIME = "beside", "turn by turn", "one at a time"
WARM_UP = 1000
Pair = Callable[[], contextlib.AbstractContextManager[tuple[Target, Target]]]
Command = Sequence[str]


def services(first: Target, second: Target) -> Pair:
    """Return the pair of two services that run."""
    return lambda: contextlib.nullcontext((first, second))


def builds(first: Command, second: Command) -> Pair:
    """Return the pair of two builds, by what stands before `serve`: each is started anew, with one worker.

    Services and client share a processor, so that the scheduler's choices are not what is compared.
    """

    @contextlib.contextmanager
    def started() -> Iterator[tuple[Target, Target]]:
        with (
            tempfile.TemporaryDirectory(prefix="atraso-stress-") as folder,
            Placement().with_services(),
            launched_with(_plain(Path(folder, "first")), "A", command=first) as one,
            launched_with(_plain(Path(folder, "second")), "B", command=second) as other,
        ):
            yield Target("http", "127.0.0.1", one().port), Target("http", "127.0.0.1", other().port)

    return started


def _plain(data: Path) -> dict[str, str]:
    return {"ATRASO_DATA": str(data), "ATRASO_AUTH": "none", "ATRASO_LOG_LEVEL": "error"}


class Beside:
    """A run of a *pair* by their *names*, of some *starts* with some *turns* of some *requests* each.

    `measure` may be interrupted.
    """

    def __init__(self, pair: Pair, names: tuple[str, str], *, starts: int, turns: int, requests: int) -> None:
        self._pair, self._names = pair, names
        self._starts, self._turns, self._requests = starts, turns, requests
        self._runs: tuple[list[Run], list[Run]] = ([], [])
        self._machine, self._date, self._began = machine.this_machine(), machine.now(), time.monotonic()
        self._session = uuid.uuid4().hex

    def measure(self, progress: Progress) -> None:
        """Ask both in turn; nobody is always first. Raises StressError for any but a 200."""
        histogram.check()
        for start in range(self._starts):
            with self._pair() as targets:
                if any(target.scheme != "http" for target in targets):
                    raise StressError("Two services are compared over plain HTTP: name them behind the TLS.")
                for target in targets:
                    check(target)
                self._ask(targets, functools.partial(self._tell, progress, start))

    def _tell(self, progress: Progress, start: int, turn: int) -> None:
        progress(STEP, start * self._turns + turn, self._starts * self._turns)

    def _ask(self, targets: tuple[Target, Target], at_turn: Callable[[int], None]) -> None:
        """Ask both targets in turns, and keep whole turns as a run of each, also where it is interrupted."""
        took: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        first, second = (
            Caller(target.port, itertools.cycle([target.request(body) for body in bodies(1)]), host=target.host)
            for target in targets
        )
        try:
            with first, contextlib.ExitStack() as opened:
                first.block(WARM_UP)
                opened.enter_context(second)  # not before: a connection that says nothing is closed after a while
                second.block(WARM_UP)
                for turn in range(self._turns):
                    at_turn(turn)
                    if turn % 2 == 0:
                        one, other = first.block(self._requests), second.block(self._requests)
                    else:
                        other, one = second.block(self._requests), first.block(self._requests)
                    took.append((one, other))
        finally:
            if took:
                for n, runs in enumerate(self._runs):
                    runs.append(_run([turn[n] for turn in took], self._requests))

    @property
    def has_rows(self) -> bool:
        """Whether there is something to record."""
        return bool(self._runs[1])

    def records(self, *, partial: bool = False) -> tuple[Record, Record]:
        """Return a record for each, of one session."""
        first, second = (self._record(n, partial=partial) for n in (0, 1))
        return first, second

    def _record(self, n: int, *, partial: bool) -> Record:
        told = f"--starts {self._starts} --turns {self._turns} --requests {self._requests}"
        return Record(
            profile=PROFILE,
            date=self._date,
            command=f"atraso stress compare {' '.join(self._names)} {told}",
            machine=self._machine,
            versions=machine.versions(),
            settings={"starts": self._starts, "turns": self._turns, "requests": self._requests},
            runs=tuple(self._runs[n]),
            commit=machine.commit(),
            target=self._names[n],
            session=self._session,
            partial=partial,
            took_s=round(time.monotonic() - self._began, 1),
        )


def _run(took: list[NDArray[np.int64]], requests: int) -> Run:
    every = np.concatenate(took)
    latency = latency_of([Counter(np.rint(every / 1000).astype(int).tolist())])
    took_s = float(every.sum()) / 1e9
    rate = round(len(every) / took_s, 1)
    levels = [(np.percentile(block, (50, 99, 10)) / 1e6).round(6).tolist() for block in took]
    return Run(
        name=STEP, driver="caller", loop=ONE_AT_A_TIME,
        asked={"connections": 1, "turns": len(took), "requests": requests},
        took_s=round(took_s, 3), answers=len(every), good=len(every), rate=rate, flights_per_s=rate,
        figures=common_figures(len(every), 0, rate, latency), latency=latency,
        blocks=tuple(Block(round(1000 / level[0], 1), *level) for level in levels),
    )  # fmt: skip
