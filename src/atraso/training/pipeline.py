"""Training from departures to an artefact's numbers: replay, fit, calibrate, judge by time, fit again on everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from atraso.core.calendar import DaysOff
from atraso.core.errors import SourceError
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.leads import LEADS, Lead
from atraso.core.rates import FrozenRates, learn_rates
from atraso.core.scorecard import Scorecard
from atraso.core.scores import best_f1_threshold
from atraso.training.cards import CardMaker, MadeCard
from atraso.training.crew import LostError, done_by
from atraso.training.split import TimeSplit, time_split

# Says what is being done and how far the whole is: (text, steps done, steps in all).
Progress = Callable[[str, int, int], None]

CARDS: tuple[tuple[Lead, bool], ...] = tuple((lead, schedule) for lead in LEADS for schedule in (True, False))
# Far more than a year of three airports takes: it stops what has run wild, not what is large.
PROCESS_MEMORY_BYTES = 8_000_000_000


@dataclass(frozen=True, slots=True)
class Trained:
    """The numbers of a model, and how it did on the last months before it was fitted on everything.

    `scores` maps "lead" and "lead, no schedule" to the scores of the time split.
    """

    scorecards: tuple[Scorecard, ...]
    rates: FrozenRates
    scores: dict[str, dict[str, float]]
    decision_threshold: float
    split: TimeSplit


def train(
    departures: DepartureTable,
    unflown: FlightTable,
    days_off: DaysOff,
    progress: Progress = lambda *_: None,
    cards: Sequence[tuple[Lead, bool]] = CARDS,
    *,
    processes: int = 0,
) -> Trained:
    """Fit a scorecard for each of *cards* (lead, published schedule known), by default for every lead both ways.

    Each is fitted twice: on the first nine twelfths of the days, to be calibrated and judged on what follows, and on
    all of them, with the calibration learnt on the last quarter of the first. The work is done in *processes* worker
    processes (0: in this one), which changes no number. Raises SourceError for too little data.
    """
    split = time_split(departures.flights.scheduled_local)
    # the leads nearest to departure take longest: begun first, no process is left alone with one at the end
    tasks = [(lead, tuple(s for at, s in cards if at == lead)) for lead in reversed(LEADS)]
    tasks = [task for task in tasks if task[1]]
    prepare = partial(CardMaker, departures, unflown, days_off, split)
    made: dict[tuple[Lead, bool], MadeCard] = {}
    progress("reading the days in order", 0, len(cards))
    for (lead, schedules), result in done_by(prepare, tasks, processes, PROCESS_MEMORY_BYTES):
        if isinstance(result, LostError):
            raise SourceError(f"training for lead {lead.name} ended early: {result}")
        made |= {(lead, schedule): card for schedule, card in zip(schedules, result, strict=True)}
        progress(f"lead {lead.name} is done", len(made), len(cards))
    in_order = [made[card] for card in cards]
    outcome = np.tile(departures.delayed[split.calibrate], len(cards))
    threshold = best_f1_threshold(outcome, np.concatenate([card.probability for card in in_order]))
    names = [lead.name if schedule else f"{lead.name}, no schedule" for lead, schedule in cards]
    return Trained(
        tuple(card.card for card in in_order),
        learn_rates(departures),
        {name: card.scores for name, card in zip(names, in_order, strict=True)},
        threshold,
        split,
    )
