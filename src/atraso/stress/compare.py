"""Whether one run is slower than another, or only looks it: a bootstrap interval of the ratio of their speeds.

Two starts of one build differ, by how its memory happens to lie, so it takes several starts of each to see a small
difference: those are resampled (Künsch 1989), in pairs where each was measured turn by turn beside the other. What a
single start of each can show is more than starts differ by. A run at another time is as far off as another part of the
same run may be, so there a single part of each is drawn: whole minutes of noise are no difference then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.stress.profiles import StressError
from atraso.stress.record import Record
from atraso.stress.runs import Run

CONFIDENCE = 0.99
RESAMPLES = 4000
# What is said of a difference of less than this is more than the method can promise.
LEAST_DIFFERENCE = 0.01
# As far do two starts of one build differ in speed, with all else equal: one in seven is slower by so much.
STARTS_DIFFER = 0.2
# With fewer values the interval of a bootstrap is narrower than it says.
LEAST = 5
SLOWER, FASTER, SAME, UNTOLD = "slower", "faster", "no difference", "cannot be told"
_SEED = 2017


@dataclass(frozen=True, slots=True)
class Difference:
    """How fast the second run's step was beside the first's: a ratio above 1 is faster, with its 99 % interval."""

    step: str
    figure: str
    first: float
    second: float
    ratio: float
    low: float
    high: float
    verdict: str
    how: str

    @property
    def sentence(self) -> str:
        """The difference in words."""
        if self.verdict == UNTOLD:
            return f"{self.step}: {UNTOLD}, {self.how}"
        return (
            f"{self.step}: {self.verdict}; {self.figure} {self.first:,.4g} then {self.second:,.4g}, speed x "
            f"{self.ratio:.3f} (99 %: {self.low:.3f} to {self.high:.3f}), {self.how}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found: a difference for each step, one verdict, and what to beware of."""

    verdict: str
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def compare(first: Record, second: Record) -> Comparison:
    """Return how *second* did beside *first*; raises StressError where they have no step in common."""
    ours, theirs = _by_step(first), _by_step(second)
    common = [step for step in ours if step in theirs]
    if not common:
        raise StressError("The two runs have no step in common that was answered well, so there is nothing to compare.")
    beside = first.session is not None and first.session == second.session
    found = tuple(_difference(step, ours[step], theirs[step], beside=beside) for step in common)
    return Comparison(_verdict(found), found, tuple(_notes(first, second)))


def ratio_of_pairs(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio second : first of what was measured in pairs, the median of them, with its interval."""
    logs = np.log(np.asarray(second)) - np.log(np.asarray(first))
    drawn = logs[np.random.default_rng(_SEED).integers(0, len(logs), (RESAMPLES, len(logs)))]
    return _interval(float(np.median(logs)), np.median(drawn, axis=1))


def ratio_of_repetitions(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Return the same of repeated runs that are no pairs."""
    logs = [np.log(np.asarray(values)) for values in (first, second)]
    dice = np.random.default_rng(_SEED)
    drawn = [np.median(values[dice.integers(0, len(values), (RESAMPLES, len(values)))], axis=1) for values in logs]
    return _interval(float(np.median(logs[1]) - np.median(logs[0])), drawn[1] - drawn[0])


def ratio_of_parts(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Return the same of parts of two single runs, any of which may be what another run would have been."""
    logs = [np.log(np.asarray(values)) for values in (first, second)]
    every = (logs[1][:, None] - logs[0][None, :]).ravel()
    return _interval(float(np.median(logs[1]) - np.median(logs[0])), every)


def verdict_of(low: float, high: float, least: float) -> str:
    """Return what an interval of the ratio of speeds says, where less than *least* is no difference."""
    if high < 1 - least:
        return SLOWER
    return FASTER if low > 1 / (1 - least) else SAME


def _of_turns(first: Run, second: Run) -> float:
    """Return the ratio of the times that a request took."""
    ours, theirs = (_parts([run], closed=False) for run in (first, second))
    return ratio_of_pairs(ours, theirs)[0] if len(ours) == len(theirs) else first.rate / second.rate


def _interval(middle: float, drawn: NDArray[np.float64]) -> tuple[float, float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail)).tolist()
    return float(np.exp(middle)), float(np.exp(low)), float(np.exp(high))


def _by_step(record: Record) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in record.runs:
        if not run.void and run.good:
            found.setdefault(run.name, []).append(run)
    return found


def _difference(step: str, first: list[Run], second: list[Run], *, beside: bool) -> Difference:
    closed, undisturbed = first[0].loop == "closed", all(block.p10_ms for run in first for block in run.blocks)
    figure = "answers a second" if closed else "undisturbed ms" if undisturbed else "median ms"
    ours, theirs, how = _values(first, second)
    if min(len(ours), len(theirs)) < LEAST:
        why = f"there are {min(len(ours), len(theirs))} values to compare: run it for longer, or with --repeat {LEAST}"
        return Difference(step, figure, 0.0, 0.0, 1.0, 0.0, float("inf"), UNTOLD, why)
    least = LEAST_DIFFERENCE if min(len(first), len(second)) >= LEAST else STARTS_DIFFER
    if beside and len(first) == len(second) >= LEAST:
        how = f"{len(first)} starts of each, turn by turn beside each other"
        ratios = [_of_turns(one, other) for one, other in zip(first, second, strict=True)]
        found = ratio_of_pairs([1.0] * len(ratios), ratios)  # their median: a mean would go with the slow starts
    elif beside and len(ours) == len(theirs):
        how = f"{len(ours)} turns beside each other"
        found = ratio_of_pairs(ours, theirs)
    elif least == LEAST_DIFFERENCE:
        found = ratio_of_repetitions(ours, theirs)
    else:
        found = ratio_of_parts(ours, theirs)
    if not closed:  # the less time, the more speed
        found = (1 / found[0], 1 / found[2], 1 / found[1])
    ratio, low, high = found
    verdict = verdict_of(low, high, least)
    return Difference(step, figure, float(np.median(ours)), float(np.median(theirs)), ratio, low, high, verdict, how)


def _values(first: list[Run], second: list[Run]) -> tuple[list[float], list[float], str]:
    """Return what is compared: the repetitions where there are enough of them, else the parts of the runs."""
    closed = first[0].loop == "closed"
    if min(len(first), len(second)) >= LEAST:
        ours, theirs = ([_speed(run, closed=closed) for run in runs] for runs in (first, second))
        return ours, theirs, f"{len(first)} and {len(second)} repetitions"
    ours, theirs = (_parts(runs, closed=closed) for runs in (first, second))
    return ours, theirs, f"{len(ours)} and {len(theirs)} parts of single runs"


def _speed(run: Run, *, closed: bool) -> float:
    if closed:
        return run.rate
    assert run.latency is not None
    return run.latency.p50_ms


def _parts(runs: list[Run], *, closed: bool) -> list[float]:
    found = [block.rate if closed else block.p10_ms or block.p50_ms or 0.0 for run in runs for block in run.blocks]
    return [value for value in found if value > 0]


def _verdict(found: Sequence[Difference]) -> str:
    verdicts = {difference.verdict for difference in found}
    if SLOWER in verdicts and FASTER in verdicts:
        return "mixed"
    return next((word for word in (SLOWER, FASTER, SAME) if word in verdicts), UNTOLD)


def _notes(first: Record, second: Record) -> list[str]:
    notes = []
    if (first.machine.processor, first.machine.cores) != (second.machine.processor, second.machine.cores):
        notes.append("they ran on different machines: what differs may be those")
    if first.settings != second.settings:
        differing = sorted(set(first.settings.items()) ^ set(second.settings.items()), key=str)
        notes.append(f"they were set differently: {json.dumps(sorted({name for name, _ in differing}))}")
    for name, record in (("first", first), ("second", second)):
        if record.partial:
            notes.append(f"the {name} was stopped early")
        if record.failed:
            notes.append(f"of the {name}, {record.failed:,} requests had no good answer")
        notes += [f"of the {name}, {sentence}" for sentence in record.voids]
        if record.machine.load > 0.3 * record.machine.cores:
            notes.append(f"the {name} ran on a busy machine (load {record.machine.load:g} before it)")
    return notes
