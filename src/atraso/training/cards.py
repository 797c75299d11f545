"""Making scorecards: all departures with their features made ready once, a lead's cards fitted, calibrated, judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.distribution import Climatology, distribution_scores
from atraso.core.features import features_known
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.leads import SCHEDULE, Lead
from atraso.core.prediction import never_crossing_many
from atraso.core.rates import learn_rates, training_rates
from atraso.core.replay import Replay
from atraso.core.scorecard import ANCHOR, Scorecard
from atraso.core.scores import score_card
from atraso.training.calibrate import calibrated, lines_over_luck, spread_lines
from atraso.training.fit import fit_steps
from atraso.training.recipe import RECIPE
from atraso.training.split import TimeSplit

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
Columns = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class MadeCard:
    """A finished scorecard, the time split's scores of its recipe, and the probabilities that a threshold is chosen by.

    `probability` has one number per row that calibrates: the rows before those that judge.
    """

    card: Scorecard
    scores: dict[str, float]
    probability: Floats


class CardMaker:
    """All departures of a source with their features; makes the scorecards of any lead from them."""

    def __init__(self, departures: DepartureTable, unflown: FlightTable, days_off: DaysOff, split: TimeSplit) -> None:
        self._departures, self._split = departures, split
        flights = departures.flights
        self._replay = Replay(departures, published=unflown)
        self._known = calendar_features(flights.scheduled_local, days_off) | self._replay.crowding(flights)
        self._early = rates_for_fit_and_later(departures, split.fit)
        self._final = rates_for_fit_and_later(departures, np.ones(len(departures), dtype=bool))
        self._climatology = Climatology.of(departures.delay_minutes[split.fit])
        self._base_rate = float(departures.delayed[split.fit].mean())

    def __call__(self, wanted: tuple[Lead, tuple[bool, ...]]) -> list[MadeCard]:
        """Make the cards of a lead, with or without the published schedule each."""
        lead, schedules = wanted
        columns = self._known | state_at(self._replay, self._departures.flights, lead)
        return [self._made(columns, lead, schedule=schedule) for schedule in schedules]

    def _made(self, columns: Columns, lead: Lead, *, schedule: bool) -> MadeCard:
        split, delay = self._split, self._departures.delay_minutes
        early, final = columns | self._early, columns | self._final
        everything = np.ones(len(delay), dtype=bool)
        first = fit_card(early, self._departures, split.fit, lead, schedule=schedule)
        whole = fit_card(final, self._departures, everything, lead, schedule=schedule)
        raw = first.log_odds(_rows(early, split.later))
        honest = _calibrated(lead, first, raw[~split.test[split.later]], delay[split.calibrate])
        curves = never_crossing_many(honest.log_odds(_rows(early, split.test)), ANCHOR)
        probability = 1.0 / (1.0 + np.exp(-curves[:, ANCHOR]))
        before = 1.0 / (1.0 + np.exp(-honest.log_odds(_rows(early, split.calibrate))[:, ANCHOR]))
        spread = distribution_scores(delay[split.test], curves, self._climatology.delay_range, self._climatology)
        late = self._departures.delayed[split.test]
        scores = score_card(late, probability, self._base_rate) | spread.means()
        whole = _calibrated(lead, whole, raw, delay[split.later])
        return MadeCard(_with_reference(whole, final), scores, before)


def fit_card(columns: Columns, departures: DepartureTable, rows: Rows, lead: Lead, *, schedule: bool) -> Scorecard:
    """Return the uncalibrated scorecard of *lead* fitted on the chosen *rows*, without reasons' means.

    *columns* are the features of *departures*.
    """
    names = [f.name for f in features_known(state=lead.minutes is not None, schedule=schedule)]
    matrix = np.column_stack([columns[name][rows] for name in names])
    days = departures.flights.scheduled_local[rows] // MINUTES_A_DAY
    bias, steps = fit_steps(names, matrix, departures.delay_minutes[rows], days, RECIPE[lead.name])
    return Scorecard(lead.name, schedule, bias, steps, {}, {})


def state_at(replay: Replay, flights: FlightTable, lead: Lead) -> Columns:
    """Return the state features of *flights* at *lead* before each; none for the lead that needs no state."""
    return replay.state(flights, flights.scheduled_utc - lead.minutes) if lead.minutes is not None else {}


def rates_for_fit_and_later(departures: DepartureTable, fit: Rows) -> Columns:
    """Return frozen rates for all rows as a model fitted on *fit* sees them: from earlier blocks there, learnt on."""
    columns = learn_rates(departures.take(fit)).features(departures.flights)
    for name, column in training_rates(departures.take(fit)).items():
        columns[name][fit] = column
    return columns


def _calibrated(lead: Lead, card: Scorecard, raw: Floats, delay_minutes: Floats) -> Scorecard:
    return calibrated(card, lines_over_luck() if lead == SCHEDULE else spread_lines(raw, delay_minutes))


def _with_reference(card: Scorecard, columns: Mapping[str, Floats]) -> Scorecard:
    """Return the scorecard with each group's mean and its part of the variance over *columns*, the training rows."""
    sums = card.group_sums(columns)
    spread = {group: float(column.var()) for group, column in sums.items()}
    total = sum(spread.values())
    weight = {group: v / total if total else 1.0 / len(spread) for group, v in spread.items()}
    reference = {group: float(column.mean()) for group, column in sums.items()}
    return Scorecard(card.lead, card.schedule, card.bias, card.steps, reference, weight)


def _rows(columns: Columns, rows: Rows) -> Columns:
    return {name: column[rows] for name, column in columns.items()}
