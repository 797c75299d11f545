"""What a flight's own facts add to every scorecard: the minute of the week, the day, and its keys without a state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from atraso.artefact.stacked import StackedSteps, stack
from atraso.core.calendar import DaysOff, calendar_features
from atraso.core.features import CALENDAR, CROWDING_MINUTES, RATES, SCHEDULE, STATE
from atraso.core.flights import EPOCH_ORDINAL, Flight
from atraso.core.keys import KINDS, MINUTES_A_DAY, PARTS, parts_of
from atraso.core.rates import FrozenRates
from atraso.core.scorecard import Scorecard

Floats = NDArray[np.float64]
_K = TypeVar("_K")
Facts = tuple[str, str, str, str, int]

MONDAY = 4 * MINUTES_A_DAY  # 1970-01-05
# All are forgotten together when there are more: 0.7 MB a thousand.
MAX_REMEMBERED = 4096
CROWDS = tuple(f"crowd.{kind}.{after}..{until}" for kind, ranges in CROWDING_MINUTES.items() for after, until in ranges)


class TimetableSums:
    """The steps of *cards* that need no state, added up per key; what was met is remembered.

    Everything is in log-odds and has the shape (cards, thresholds).
    """

    def __init__(self, cards: Sequence[Scorecard], rates: FrozenRates, days_off: DaysOff) -> None:
        self._shape = len(cards), len(cards[0].bias)
        self._days_off = days_off
        self._bias = np.concatenate([card.bias for card in cards])
        steps = stack(cards, lambda feature: feature.needs <= {CALENDAR, RATES})
        self._slot, self._day = steps.pop("slot", []), steps.pop("day", [])
        self._crowd = stack(cards, lambda feature: SCHEDULE in feature.needs and STATE not in feature.needs)
        self._tables: list[tuple[tuple[int, ...], dict[str, int], Floats, dict[str, Floats]]] = []
        for kind, features in steps.items():
            known, values = rates.per_key(kind)
            unseen = {origin: _sums(features, rates.of_unseen(kind, origin))[0] for origin in rates.totals}
            # Steps are few, so many keys have the same numbers: they share them.
            rows, place = np.unique(_sums(features, values), axis=0, return_inverse=True)
            row_of = dict(zip(known.tolist(), place.tolist(), strict=True))
            self._tables.append((tuple(PARTS.index(part) for part in KINDS[kind]), row_of, rows, unseen))
        self._slots: dict[int, Floats] = {}
        self._days: dict[int, Floats] = {}
        self._met: dict[Facts, Floats] = {}
        self._crowds: dict[tuple[int, ...], Floats] = {}

    def of(self, flight: Flight) -> Floats:
        """Return what the flight's own facts add, without the schedule around it."""
        moment = flight.scheduled_departure
        minute = (moment.weekday() * 24 + moment.hour) * 60 + moment.minute
        day = moment.toordinal() - EPOCH_ORDINAL
        facts = facts_of(flight)
        slot = self._slots.get(minute)
        if slot is None:
            features = calendar_features(np.array([MONDAY + minute]), self._days_off)
            slot = _remember(self._slots, minute, self._bias + _sums(self._slot, features)[0])
        of_day = self._days.get(day)
        if of_day is None:
            features = calendar_features(np.array([day * MINUTES_A_DAY]), self._days_off)
            of_day = _remember(self._days, day, _sums(self._day, features)[0])
        of_facts = self._met.get(facts)
        if of_facts is None:
            of_facts = _remember(self._met, facts, self._looked_up(flight))
        return np.asarray(slot + of_day + of_facts, dtype=np.float64).reshape(self._shape)

    def crowded(self, counts: tuple[int, ...]) -> Floats:
        """Return what the published flights around one add; *counts* are in the order of `CROWDS`."""
        found = self._crowds.get(counts)
        if found is None:
            features = {name: np.array([float(count)]) for name, count in zip(CROWDS, counts, strict=True)}
            total = np.zeros(self._shape[0] * self._shape[1])
            for steps in self._crowd.values():
                total += _sums(steps, features)[0]
            found = _remember(self._crowds, counts, total)
        return found.reshape(self._shape)

    def _looked_up(self, flight: Flight) -> Floats:
        parts = parts_of(flight)
        total = np.zeros(self._shape[0] * self._shape[1])
        for places, place_of, rows, unseen in self._tables:
            place = place_of.get("|".join([flight.origin, *[parts[i] for i in places]]))
            total += unseen[flight.origin] if place is None else rows[place]
        return total


def facts_of(flight: Flight) -> Facts:
    """Return what decides all keys of a flight: its names and the hour of the week."""
    moment = flight.scheduled_departure
    return flight.airline, flight.flight_number, flight.origin, flight.destination, moment.weekday() * 24 + moment.hour


def _sums(steps: Sequence[StackedSteps], features: dict[str, Floats]) -> Floats:
    total = np.zeros((len(next(iter(features.values()))), steps[0].values.shape[1] if steps else 1))
    for step in steps:
        total += step.at(features[step.feature])
    return total


def _remember(memory: dict[_K, Floats], key: _K, value: Floats) -> Floats:
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[key] = value
    return value
