"""Trials: one candidate fitted on the months before one month, at one lead, and asked about it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.leads import LEAD_BY_NAME
from atraso.training.candidates.candidate import Candidate
from atraso.training.cells import Cells
from atraso.training.rolling import roll

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate to be fitted for one month (as `months_of` counts them) at one lead."""

    lead: str
    month: int
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Outcome:
    """The raw log-odds of a trial's flights, or why there are none; CPU seconds of the fit and of all, memory."""

    log_odds: Floats | None
    problem: str
    fit_cpu_s: float
    process_cpu_s: float
    process: int
    peak_bytes: int


def trier(departures: DepartureTable, unflown: FlightTable, days_off: DaysOff) -> Callable[[Trial], Outcome]:
    """Return what does a trial: fits the candidate on the months before, and asks it for the month."""
    cells = Cells(departures, unflown, days_off)

    def answer(trial: Trial) -> Outcome:
        log_odds, problem, took = None, "", 0.0
        try:
            if trial.candidate.fit is None:
                began = time.process_time()
                card = (trial.lead, True)
                rolled = roll(departures, unflown, days_off, [trial.month], cards=[card])[card]
                log_odds = np.log(rolled.probability) - np.log1p(-rolled.probability)
            else:
                cell = cells.cell(LEAD_BY_NAME[trial.lead], trial.month)
                began = time.process_time()
                log_odds = trial.candidate.fit(cell.names, cell.past, cell.late, cell.days, cell.weight)(cell.asked)
            took = time.process_time() - began
        except Exception as error:  # whatever a learner raises, the others go on
            problem = f"{type(error).__name__}: {error}"
        return Outcome(log_odds, problem, took, time.process_time(), os.getpid(), peak_bytes_here())

    return answer


def peak_bytes_here() -> int:
    """Return the most memory this process has held; 0 where the system does not tell."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ModuleNotFoundError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
