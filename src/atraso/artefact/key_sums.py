"""A scorecard added up beforehand, so that answering a flight is a dozen look-ups and a sum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.features import FEATURE_BY_NAME
from atraso.core.flights import Flight
from atraso.core.keys import MINUTES_A_DAY, key_of
from atraso.core.rates import FrozenRates
from atraso.core.scorecard import Scorecard

Floats = NDArray[np.float64]
Numbers = tuple[float, ...]

MAX_DAYS_REMEMBERED = 4096


class KeySums:
    """A scorecard added up beforehand: one vector of log-odds per key, per minute of the week and per day."""

    def __init__(self, card: Scorecard, rates: FrozenRates, days_off: DaysOff) -> None:
        self._card = card
        self._days_off = days_off
        steps = {step.feature: step for step in card.steps}
        self._tables: list[tuple[str, Mapping[str, Numbers]]] = []
        for kind in rates.tables:
            names = [n for n in (f"rate.{kind}", f"usual.{kind}", f"flights.{kind}") if n in steps]
            if names:
                known, values = rates.per_key(kind)
                total = sum(steps[name].at(values[name]) for name in names)
                self._tables.append(
                    (kind, dict(zip(known.tolist(), map(tuple, np.asarray(total).tolist()), strict=True)))
                )
        # What a key never seen adds depends on the origin's own rate.
        self._unseen: dict[tuple[str, str], Numbers] = {}
        for origin in rates.totals:
            for kind, _ in self._tables:
                values = rates.of_unseen(kind, origin)
                total = sum(steps[name].at(v)[0] for name, v in values.items() if name in steps)
                self._unseen[kind, origin] = tuple(np.asarray(total).tolist())
        self._bias: Numbers = tuple(card.bias.tolist())
        self._slots = self._slot_sums()
        self._days: dict[int, Numbers] = {}

    def of(self, flight: Flight) -> list[float]:
        """Return the log-odds per threshold of one flight."""
        local = flight.scheduled_local_minutes
        day = local // MINUTES_A_DAY
        vectors = [self._bias, self._slots[(local + 3 * MINUTES_A_DAY) % (7 * MINUTES_A_DAY)], self._day(day)]
        for kind, table in self._tables:
            vectors.append(table.get(key_of(kind, flight)) or self._unseen[kind, flight.origin])
        return [sum(column) for column in zip(*vectors, strict=True)]

    def _slot_sums(self) -> list[Numbers]:
        monday = 4 * MINUTES_A_DAY  # 1970-01-05
        features = calendar_features(np.arange(monday, monday + 7 * MINUTES_A_DAY), self._days_off)
        return self._sums_of(features, "slot")

    def _day(self, day: int) -> Numbers:
        found = self._days.get(day)
        if found is None:
            features = calendar_features(np.array([day * MINUTES_A_DAY]), self._days_off)
            found = self._sums_of(features, "day")[0]
            if len(self._days) >= MAX_DAYS_REMEMBERED:
                self._days.clear()
            self._days[day] = found
        return found

    def _sums_of(self, features: Mapping[str, Floats], key: str) -> list[Numbers]:
        total = np.zeros((len(next(iter(features.values()))), len(self._bias)))
        for step in self._card.steps:
            if FEATURE_BY_NAME[step.feature].key == key:
                total += step.at(features[step.feature])
        return [tuple(row) for row in total.tolist()]
