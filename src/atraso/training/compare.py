"""Comparing candidates: each month predicted by each candidate from the months before it, at every lead.

Only the first nine twelfths of the days take part, whole months of them: the later five ninths are judged, those just
before them show the spread. What comes after takes part in no choice. Each candidate has one thread in a process of
its own, and the features of a month are those of training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff
from atraso.core.errors import SourceError
from atraso.core.flights import DepartureTable, FlightTable, Minutes
from atraso.core.keys import MINUTES_A_DAY
from atraso.training.candidates.candidate import Candidate
from atraso.training.choice import Choice, Month, choose, months_to_calibrate
from atraso.training.crew import PROCESSES, LostError, done_by
from atraso.training.rolling import months_of
from atraso.training.split import time_split
from atraso.training.trials import Outcome, Trial, peak_bytes_here, trier

Floats = NDArray[np.float64]

LEAST_MONTHS = 6
# With this for each of two processes and the half gigabyte of their parent, all is within 6 GB.
PROCESS_MEMORY_BYTES = 2_600_000_000


@dataclass(frozen=True, slots=True)
class Months:
    """The months of a comparison: `whole` are all that may take part, the last of them are `judged`."""

    whole: tuple[int, ...]
    judged: tuple[int, ...]

    @property
    def calibrating(self) -> tuple[int, ...]:
        """The months before those judged that candidates are calibrated by."""
        return tuple(months_to_calibrate(self.whole, self.judged[0]))


@dataclass(slots=True)
class Comparison:
    """What was found, lead by lead; `complete` is False while some of it is still to come.

    `failed` has the reason of one candidate for each lead at which none could be fitted.
    """

    months: Months
    candidates: tuple[Candidate, ...]
    choices: dict[str, Choice] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0


def months_to_compare(scheduled_local: Minutes) -> Months:
    """Return the whole months of the first nine twelfths of the days; the last five ninths of them are judged.

    Raises SourceError for fewer than six such months.
    """
    month = months_of(scheduled_local)
    in_choice = time_split(scheduled_local).fit
    whole = [m for m in np.unique(month).tolist() if in_choice[month == m].all()]
    if len(whole) < LEAST_MONTHS:
        raise SourceError(
            f"comparing candidates takes {LEAST_MONTHS} whole months in the first nine twelfths of the days, "
            f"and there are {len(whole)}; give a longer period"
        )
    return Months(tuple(whole), tuple(whole[round(len(whole) * 4 / 9) :]))


def compare(
    departures: DepartureTable,
    unflown: FlightTable,
    days_off: DaysOff,
    leads: Sequence[str],
    candidates: tuple[Candidate, ...],
    *,
    processes: int = PROCESSES,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    chosen: Callable[[Comparison], None] = lambda _: None,
) -> Comparison:
    """Compare the *candidates* at each of *leads*, in *processes* worker processes (0: in this one).

    *chosen* is called with what was found so far whenever a lead is done. An interruption (Ctrl-C) ends the workers
    at once; what was found is returned, with the lead at hand judged on the months that every candidate had done.
    A candidate that fails is named with the reason, and the others go on.
    """
    months = months_to_compare(departures.flights.scheduled_local)
    found = Comparison(months, candidates)
    said_so_far = _Said(months, candidates, _truth(departures, months))
    trials = list(_trials(leads, months, candidates))
    began, own_began = time.monotonic(), time.process_time()

    def settle(lead: str) -> None:
        choice = said_so_far.choice(lead)
        if choice is not None:
            found.choices[lead] = choice
        elif not left[lead]:
            found.failed[lead] = said_so_far.a_failure(lead)
        found.wall_s = time.monotonic() - began
        found.cpu_s = time.process_time() - own_began + said_so_far.cpu_s(processes)
        found.peak_bytes = said_so_far.peak_bytes(processes)

    done = 0
    progress("starting", done, len(trials))
    prepare = partial(trier, departures, unflown, days_off)
    left = {lead: sum(trial.lead == lead for trial in trials) for lead in leads}
    try:
        for trial, outcome in done_by(prepare, trials, processes, PROCESS_MEMORY_BYTES):
            said_so_far.take(trial, outcome)
            done += 1
            left[trial.lead] -= 1
            progress(f"{trial.lead}, month {trial.month}: {trial.candidate.name}", done, len(trials))
            if not left[trial.lead]:
                found.complete = done == len(trials)
                settle(trial.lead)
                chosen(found)
    except KeyboardInterrupt:
        for lead in leads:
            if lead not in found.choices:
                settle(lead)
    return found


class _Said:
    """What each candidate said, and what it took."""

    def __init__(self, months: Months, candidates: tuple[Candidate, ...], truth: dict[int, Month]) -> None:
        self._months, self._candidates, self._truth = months, candidates, truth
        self._said: dict[tuple[str, str], dict[int, Floats]] = {}
        self._failed: dict[tuple[str, str], str] = {}
        self._fit_cpu_s: dict[tuple[str, str], float] = {}
        self._processes: dict[int, tuple[float, int]] = {}

    def take(self, trial: Trial, outcome: Outcome | LostError) -> None:
        place = trial.lead, trial.candidate.name
        if isinstance(outcome, LostError):
            self._failed.setdefault(place, f"month {trial.month}: {outcome}")
            return
        self._processes[outcome.process] = outcome.process_cpu_s, outcome.peak_bytes
        if outcome.log_odds is None:
            self._failed.setdefault(place, f"month {trial.month}: {outcome.problem}")
            return
        self._said.setdefault(place, {})[trial.month] = outcome.log_odds
        self._fit_cpu_s[place] = self._fit_cpu_s.get(place, 0.0) + outcome.fit_cpu_s

    def choice(self, lead: str) -> Choice | None:
        """Return the choice at *lead* on the months that are done, None before the first judged month is."""
        failed = {name: why for (at, name), why in self._failed.items() if at == lead}
        fitted = [c for c in self._candidates if not c.members and c.name not in failed]
        said = {c.name: self._said.get((lead, c.name), {}) for c in fitted}
        judged: list[int] = []
        for month in self._months.judged:
            needed = {*self._months.calibrating, *judged, month}
            if not all(said[c.name].keys() >= ({month} if c.as_shipped else needed) for c in fitted):
                break
            judged.append(month)
        if not judged or not fitted:
            return None
        took = {c.name: self._fit_cpu_s[lead, c.name] for c in fitted}
        return choose(
            lead,
            months=self._months.whole,
            judged=judged,
            truth=self._truth,
            candidates=self._candidates,
            said=said,
            fit_cpu_s=took,
            failed=failed,
        )

    def a_failure(self, lead: str) -> str:
        """Return the first reason why a candidate has no scores at *lead*."""
        return next((f"{name}: {why}" for (at, name), why in self._failed.items() if at == lead), "")

    def cpu_s(self, processes: int) -> float:
        return sum(cpu_s for cpu_s, _ in self._processes.values()) if processes else 0.0

    def peak_bytes(self, processes: int) -> int:
        """Return this process's peak and those of as many workers as there are at a time, the greatest."""
        peaks = sorted((peak for _, peak in self._processes.values()), reverse=True)
        return peak_bytes_here() + sum(peaks[:processes])


def _trials(leads: Iterable[str], months: Months, candidates: Iterable[Candidate]) -> Iterator[Trial]:
    for lead in leads:
        for month in (*months.calibrating, *months.judged):
            for candidate in candidates:
                if candidate.fit or (candidate.as_shipped and month in months.judged):
                    yield Trial(lead, month, candidate)


def _truth(departures: DepartureTable, months: Months) -> dict[int, Month]:
    month, late = months_of(departures.flights.scheduled_local), departures.delayed
    day = departures.flights.scheduled_local // MINUTES_A_DAY
    return {
        m: Month(late[month == m], day[month == m], float(late[month < m].mean()))
        for m in (*months.calibrating, *months.judged)
    }
