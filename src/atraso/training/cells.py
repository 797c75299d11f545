"""Cells: the flights of one month at one lead, with everything that was known before the month to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.features import features_known
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.keys import MINUTES_A_DAY, region_of
from atraso.core.leads import Lead
from atraso.core.rates import learn_rates, training_rates
from atraso.core.replay import Replay
from atraso.training.candidates.candidate import FACT_AIRLINE, FACT_DOMESTIC, FACT_MONTH
from atraso.training.cards import state_at
from atraso.training.recipe import RECIPE, recency_weights
from atraso.training.rolling import MONTHS_A_YEAR, months_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cell:
    """What a candidate learns from and is asked: matrices are (flights, columns) in the order of `names`.

    The columns are the scorecard's features and, at the end, the reference's facts. `late`, `days` and `weight` (how
    much a flight counts, 1 on average) belong to `past`.
    """

    names: tuple[str, ...]
    past: Floats
    late: Labels
    days: Ints
    weight: Floats
    asked: Floats


class Cells:
    """All departures of a source, made ready once; gives the cell of any lead and month, and keeps the last ones.

    Features and weights are those of training: frozen rates are learnt from the months before, the published schedule
    is known, and an older flight counts less.
    """

    def __init__(self, departures: DepartureTable, unflown: FlightTable, days_off: DaysOff) -> None:
        self._departures = departures
        self._replay = Replay(departures, published=unflown)
        flights = departures.flights
        self._months = months_of(flights.scheduled_local)
        self._known = calendar_features(flights.scheduled_local, days_off) | self._replay.crowding(flights)
        self._facts = _facts(flights, self._months)
        self._state: tuple[Lead, dict[str, Floats]] | None = None
        self._cell: tuple[Lead, int, Cell] | None = None

    def cell(self, lead: Lead, month: int) -> Cell:
        """Return the cell of *lead* and *month*, a month as `months_of` counts them, with departures before it."""
        if self._cell is not None and self._cell[:2] == (lead, month):
            return self._cell[2]
        flights = self._departures.flights
        if self._state is None or self._state[0] != lead:
            self._state = lead, state_at(self._replay, flights, lead)
        now, before = self._months == month, self._months < month
        past = self._departures.take(before)
        days = past.flights.scheduled_local // MINUTES_A_DAY
        fixed = self._known | self._state[1] | self._facts
        features = [f.name for f in features_known(state=lead.minutes is not None, schedule=True)]
        names = (*features, *self._facts)
        cell = Cell(
            names,
            _matrix(names, fixed, before, training_rates(past)),
            past.delayed,
            days,
            recency_weights(days, RECIPE[lead.name][0].memory_days),
            _matrix(names, fixed, now, learn_rates(past).features(flights.take(now))),
        )
        self._cell = lead, month, cell
        return cell


def _matrix(names: tuple[str, ...], fixed: dict[str, Floats], rows: Labels, rates: dict[str, Floats]) -> Floats:
    matrix = np.empty((int(rows.sum()), len(names)))
    for place, name in enumerate(names):  # one by one: a year of three airports is half a gigabyte
        matrix[:, place] = rates[name] if name in rates else fixed[name][rows]
    return matrix


def _facts(flights: FlightTable, months: Ints) -> dict[str, Floats]:
    _, airline = np.unique(flights.airline, return_inverse=True)
    domestic = [
        region_of(origin) == region_of(destination)
        for origin, destination in zip(flights.origin.tolist(), flights.destination.tolist(), strict=True)
    ]
    return {
        FACT_AIRLINE: airline.astype(np.float64),
        FACT_DOMESTIC: np.array(domestic, dtype=np.float64),
        FACT_MONTH: ((months - 1) % MONTHS_A_YEAR + 1).astype(np.float64),
    }
