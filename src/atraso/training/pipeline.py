"""Training from departures to an artefact's numbers: replay, fit, calibrate, judge by time, fit again on everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.distribution import Climatology, distribution_scores
from atraso.core.features import features_known
from atraso.core.flights import DepartureTable, FlightTable, Minutes
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.leads import LEADS, SCHEDULE, Lead
from atraso.core.prediction import never_crossing_many
from atraso.core.rates import FrozenRates, learn_rates, training_rates
from atraso.core.replay import Replay
from atraso.core.scorecard import ANCHOR, Scorecard
from atraso.core.scores import best_f1_threshold, score_card
from atraso.training.calibrate import calibrated, spread_lines
from atraso.training.fit import fit_steps
from atraso.training.split import TimeSplit, time_split

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
Columns = dict[str, Floats]

# Says what is being done and how far the whole is: (text, steps done, steps in all).
Progress = Callable[[str, int, int], None]

# Stumps per scorecard: the fewer is known of the day, the sooner more of them only learn its luck by heart. Chosen by
# log loss on the months May to September of 2017, each predicted from the months before it.
ROUNDS = {"schedule": 500, "24h": 350, "12h": 350, "3h": 600, "1h": 900, "30m": 900}

# A flight counts e times less for each so many days that it lies before the last one. What is known of the day makes
# older flights good teachers; where little is known, how the airport runs these weeks matters more. Chosen likewise.
MEMORY_DAYS = {"schedule": 90.0, "24h": 365.0, "12h": 365.0, "3h": 365.0, "1h": 365.0, "30m": 365.0}

CARDS: tuple[tuple[Lead, bool], ...] = tuple((lead, schedule) for lead in LEADS for schedule in (True, False))


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
) -> Trained:
    """Fit a scorecard for each of *cards* (lead, published schedule known), by default for every lead both ways.

    Each is fitted twice: on the first nine twelfths of the days, to be calibrated and judged on what follows, and on
    all of them, with the calibration learnt on the last quarter of the first. Raises SourceError for too little data.
    """
    split = time_split(departures.flights.scheduled_local)
    everything = np.ones(len(departures), dtype=bool)
    late, delay = departures.delayed, departures.delay_minutes
    base_rate = float(late[split.fit].mean())
    climatology = Climatology.of(delay[split.fit])
    replay = Replay(departures, published=unflown)
    known = calendar_features(departures.flights.scheduled_local, days_off) | replay.crowding(departures.flights)
    early = rates_for_fit_and_later(departures, split.fit)
    rates = learn_rates(departures)
    final = training_rates(departures)
    made, scores, judged = [], {}, []
    for done, (lead, schedule) in enumerate(cards):
        progress(f"lead {lead.name}, {'with' if schedule else 'without'} the published schedule", done, len(cards))
        state = state_at(replay, departures.flights, lead)
        weight = recency_weights(departures.flights.scheduled_local, lead)
        first = fit_card(known | state | early, delay, split.fit, lead, weight, schedule=schedule)
        whole = fit_card(known | state | final, delay, everything, lead, weight, schedule=schedule)
        raw = first.log_odds(_rows(known | state | early, split.later))
        in_test = split.test[split.later]
        honest = _calibrated(lead, first, raw[~in_test], delay[split.calibrate])
        log_odds = never_crossing_many(honest.log_odds(_rows(known | state | early, split.test)), ANCHOR)
        probability = 1.0 / (1.0 + np.exp(-log_odds[:, ANCHOR]))
        spread = distribution_scores(delay[split.test], log_odds, climatology.delay_range, climatology)
        scores[lead.name if schedule else f"{lead.name}, no schedule"] = (
            score_card(late[split.test], probability, base_rate) | spread.means()
        )
        judged.append((late[split.test], probability))
        whole = _calibrated(lead, whole, raw, delay[split.later])
        made.append(with_reference(whole, known | state | final))
    progress("done", len(cards), len(cards))
    outcome, probability = (np.concatenate(part) for part in zip(*judged, strict=True))
    return Trained(tuple(made), rates, scores, best_f1_threshold(outcome, probability), split)


def state_at(replay: Replay, flights: FlightTable, lead: Lead) -> Columns:
    """Return the state features of *flights* at *lead* before each; none for the lead that needs no state."""
    return replay.state(flights, flights.scheduled_utc - lead.minutes) if lead.minutes is not None else {}


def with_reference(card: Scorecard, columns: Mapping[str, Floats]) -> Scorecard:
    """Return the scorecard with each group's mean and its part of the variance over *columns*, the training rows."""
    sums = card.group_sums(columns)
    spread = {group: float(column.var()) for group, column in sums.items()}
    total = sum(spread.values())
    weight = {group: v / total if total else 1.0 / len(spread) for group, v in spread.items()}
    reference = {group: float(column.mean()) for group, column in sums.items()}
    return Scorecard(card.lead, card.schedule, card.bias, card.steps, reference, weight)


def recency_weights(scheduled_local: Minutes, lead: Lead) -> Floats:
    """Return how much each flight counts in the fit of *lead*: the older the less."""
    day = scheduled_local // MINUTES_A_DAY
    return np.asarray(np.exp((day - day.max()) / MEMORY_DAYS[lead.name]), dtype=np.float64)


def fit_card(
    columns: Columns, delay_minutes: Floats, rows: Rows, lead: Lead, weight: Floats | None = None, *, schedule: bool
) -> Scorecard:
    """Return the uncalibrated scorecard of *lead* fitted on the chosen *rows* of *columns*, without reasons' means.

    *weight* says how much each row counts beside the others (all alike if None).
    """
    names = [f.name for f in features_known(state=lead.minutes is not None, schedule=schedule)]
    matrix = np.column_stack([columns[name][rows] for name in names])
    share = weight[rows] / weight[rows].mean() if weight is not None else None
    bias, steps = fit_steps(names, matrix, delay_minutes[rows], ROUNDS[lead.name], share)
    return Scorecard(lead.name, schedule, bias, steps, {}, {})


def _calibrated(lead: Lead, card: Scorecard, raw: Floats, delay_minutes: Floats) -> Scorecard:
    # The schedule alone cannot tell a quiet month from a rough one; its raw spread is the better one.
    return card if lead == SCHEDULE else calibrated(card, spread_lines(raw, delay_minutes))


def rates_for_fit_and_later(departures: DepartureTable, fit: Rows) -> Columns:
    """Return frozen rates for all rows as a model fitted on *fit* sees them: from earlier blocks there, learnt on."""
    columns = learn_rates(departures.take(fit)).features(departures.flights)
    for name, column in training_rates(departures.take(fit)).items():
        columns[name][fit] = column
    return columns


def _rows(columns: Columns, rows: Rows) -> Columns:
    return {name: column[rows] for name, column in columns.items()}
