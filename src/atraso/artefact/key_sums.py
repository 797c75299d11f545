"""A scorecard added up beforehand, so that answering a flight is three look-ups and a sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.features import FEATURE_BY_NAME, FROZEN_RATES
from atraso.core.flights import EPOCH_ORDINAL, Flight
from atraso.core.keys import EPOCH_WEEKDAY, KINDS, MINUTES_A_DAY, PARTS, parts_of
from atraso.core.rates import FrozenRates
from atraso.core.scorecard import ANCHOR, Scorecard, Steps

Floats = NDArray[np.float64]
Numbers = tuple[float, ...]

MINUTES_A_WEEK = 7 * MINUTES_A_DAY
MAX_DAYS_REMEMBERED = 4096

# Kinds of key that stand on the same few facts are added up together when these are first met: four look-ups take the
# place of a dozen. A kind belongs to the first of these sets that has all its parts.
_FACTS = (
    frozenset({"airline", "destination", "region", "reach"}),
    frozenset({"airline", "weekday", "hour", "hours3"}),
    frozenset({"airline", "number", "weekday"}),
    frozenset({"airline", "destination", "region", "reach", "weekday", "hour", "hours3"}),
)
MAX_SUMS_REMEMBERED = (
    16_384  # per set: a year's flights fit in, and those that an asker makes up cannot fill the memory
)

# A flight of the timetable at an hour of the week.
MAX_FLIGHTS_REMEMBERED = 8192

_Table = tuple[tuple[int, ...], dict[str, Numbers], dict[str, Numbers]]


class KeySums:
    """The scorecard that needs neither state nor schedule: one vector of log-odds per key, minute of the week and day.

    Every kind of key belongs to one group of reasons here, so the groups' sums are those same vectors.
    """

    def __init__(self, card: Scorecard, rates: FrozenRates, days_off: DaysOff) -> None:
        self._days_off = days_off
        self._bias: Numbers = tuple(card.bias.tolist())
        steps: dict[str, list[Steps]] = {}
        for step in card.steps:
            steps.setdefault(FEATURE_BY_NAME[step.feature].key, []).append(step)
        self._day_steps = steps.get("day", [])
        monday = 4 * MINUTES_A_DAY  # 1970-01-05
        week = calendar_features(np.arange(monday, monday + MINUTES_A_WEEK), days_off)
        self._slots = self._sums(steps.get("slot", []), week)
        self._days: dict[int, Numbers] = {}
        kinds = [kind for kind in rates.tables if kind in steps]
        self._groups = [FROZEN_RATES[kind] for kind in kinds]
        self._tables: list[_Table] = []
        self._tables_of: list[list[_Table]] = [[] for _ in _FACTS]
        for kind in kinds:
            known, features = rates.per_key(kind)
            of_key = dict(zip(known.tolist(), self._sums(steps[kind], features), strict=True))
            # what a key never seen adds is what is usual at its airport
            of_unseen = {origin: self._sums(steps[kind], rates.of_unseen(kind, origin))[0] for origin in rates.totals}
            self._tables.append((tuple(PARTS.index(part) for part in KINDS[kind]), of_key, of_unseen))
            self._tables_of[next(i for i, facts in enumerate(_FACTS) if facts.issuperset(KINDS[kind]))].append(
                self._tables[-1]
            )
        starts = {slot: _added([self._bias, slot]) for slot in self._slots}
        self._starts = [starts[slot] for slot in self._slots]
        self._start_rows = np.array(self._starts)
        self._met: list[dict[tuple[object, ...], Numbers]] = [{} for _ in _FACTS]
        self._met_flights: dict[tuple[str, str, str, str, int], Numbers] = {}

    def log_odds(self, flight: Flight) -> list[float]:
        """Return the log-odds of one flight, per threshold: the sum of its `vectors` but for the order of adding."""
        airline, number, origin, destination, moment = flight
        hour, day = moment.weekday() * 24 + moment.hour, moment.toordinal() - EPOCH_ORDINAL
        facts = (airline, number, origin, destination, hour)
        start = self._starts[hour * 60 + moment.minute]
        of_day = self._days.get(day) or self._day(day)
        of_flight = self._met_flights.get(facts) or self._meet_flight(facts, flight)
        # as sum() adds, from the left, and twice as fast
        return [a + b + c for a, b, c in zip(start, of_day, of_flight, strict=True)]

    def log_odds_of_each(self, flights: Sequence[Flight]) -> Floats:
        """Return the `log_odds` of each of *flights*, bit for bit, as rows."""
        minutes, of_day, of_flight = [], [], []
        days, met = self._days, self._met_flights
        for flight in flights:
            airline, number, origin, destination, moment = flight
            hour, day = moment.weekday() * 24 + moment.hour, moment.toordinal() - EPOCH_ORDINAL
            facts = (airline, number, origin, destination, hour)
            minutes.append(hour * 60 + moment.minute)
            of_day.append(days.get(day) or self._day(day))
            of_flight.append(met.get(facts) or self._meet_flight(facts, flight))
        return np.asarray(self._start_rows[minutes] + np.array(of_day) + np.array(of_flight), dtype=np.float64)

    @property
    def remembered(self) -> int:
        """How many sums of keys are kept from flights that were met."""
        return sum(len(met) for met in self._met) + len(self._met_flights)

    def vectors(self, flight: Flight) -> list[Numbers]:
        """Return what the bias, the minute of the week, the day and each kind of key add, per threshold."""
        local = flight.scheduled_local_minutes
        return [
            self._bias,
            self._slots[(local + EPOCH_WEEKDAY * MINUTES_A_DAY) % MINUTES_A_WEEK],
            self._day(local // MINUTES_A_DAY),
            *self._looked_up(self._tables, flight),
        ]

    def group_sums(self, vectors: list[Numbers]) -> dict[str, float]:
        """Return per group of reasons its sum at the anchor threshold, from the *vectors* of one flight."""
        sums = {"time of day": vectors[1][ANCHOR], "calendar": vectors[2][ANCHOR]}
        for group, vector in zip(self._groups, vectors[3:], strict=True):
            sums[group] = sums.get(group, 0.0) + vector[ANCHOR]
        return sums

    def _meet_flight(self, facts: tuple[str, str, str, str, int], flight: Flight) -> Numbers:
        """Return, and remember, what all keys of a flight but its minute and its day add."""
        airline, number, origin, destination, hour = facts
        sets: tuple[tuple[object, ...], ...] = (
            (origin, airline, destination),
            (origin, airline, hour),
            (origin, airline, number, hour // 24),
            (origin, airline, destination, hour),
        )
        vectors = [self._met[i].get(facts) or self._meet(i, facts, flight) for i, facts in enumerate(sets)]
        if len(self._met_flights) >= MAX_FLIGHTS_REMEMBERED:
            self._met_flights.clear()
        self._met_flights[facts] = found = _added(vectors)
        return found

    def _meet(self, which: int, facts: tuple[object, ...], flight: Flight) -> Numbers:
        remembered = self._met[which]
        if len(remembered) >= MAX_SUMS_REMEMBERED:
            remembered.clear()
        nothing = (0.0,) * len(self._bias)
        remembered[facts] = found = _added([nothing, *self._looked_up(self._tables_of[which], flight)])
        return found

    def _looked_up(self, tables: list[_Table], flight: Flight) -> list[Numbers]:
        parts = parts_of(flight)
        origin = flight.origin
        vectors = []
        for places, of_key, of_unseen in tables:
            found = of_key.get("|".join([origin, *[parts[i] for i in places]]))
            vectors.append(of_unseen[origin] if found is None else found)
        return vectors

    def _day(self, day: int) -> Numbers:
        found = self._days.get(day)
        if found is None:
            features = calendar_features(np.array([day * MINUTES_A_DAY]), self._days_off)
            found = self._sums(self._day_steps, features)[0]
            if len(self._days) >= MAX_DAYS_REMEMBERED:
                self._days.clear()
            self._days[day] = found
        return found

    def _sums(self, steps: list[Steps], features: Mapping[str, Floats]) -> list[Numbers]:
        total = np.zeros((len(next(iter(features.values()))), len(self._bias)))
        for step in steps:
            total += step.at(features[step.feature])
        # Steps are few, so many keys have the same numbers: they share them, which halves the memory.
        shared: dict[Numbers, Numbers] = {}
        return [shared.setdefault(row, row) for row in map(tuple, total.tolist())]


def _added(vectors: list[Numbers]) -> Numbers:
    return tuple(map(sum, zip(*vectors, strict=True)))
