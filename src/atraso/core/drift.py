"""How far the flights of some days are from those that a model was made of: the population stability index.

Shares of a few values are compared, group by group: airlines, routes, known flight numbers, times of day, weekdays,
and the probabilities that were said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

import numpy as np

# What every value has at least: one odd flight among a thousand moves nothing, and no logarithm is without end.
FLOOR = 0.001
# A value with a smaller share is counted among the others.
LEAST_SHARE = 0.01
OTHERS, NEW = "others", "new"
AIRLINE, ROUTE, NUMBER, TIME, WEEKDAY, SCORE, LEAD = (
    "airline", "route", "flight number", "time of day", "calendar", "score", "lead",
)  # fmt: skip
GROUPS = (AIRLINE, ROUTE, NUMBER, TIME, WEEKDAY, SCORE, LEAD)
KNOWN = "known"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS_A_SLOT = 3


@dataclass(frozen=True, slots=True)
class Shares:
    """How a group was spread over its values, as fractions; those of *gathered* count as *as_one*."""

    shares: Mapping[str, float]
    gathered: frozenset[str] = frozenset()
    as_one: str = OTHERS

    def value_of(self, seen: str) -> str:
        """Return the value that *seen* counts as: itself, those gathered, or new to the model."""
        if seen in self.shares:
            return seen
        return self.as_one if seen in self.gathered else NEW

    @staticmethod
    def of(counts: Mapping[str, float]) -> Shares:
        """Return the shares of *counts*, with what is rare gathered."""
        total = sum(counts.values())
        rare = frozenset(value for value, n in counts.items() if n < LEAST_SHARE * total)
        kept = {value: n / total for value, n in counts.items() if value not in rare}
        if rare:
            kept[OTHERS] = sum(counts[value] for value in rare) / total
        return Shares(kept | {NEW: 0.0}, rare)


@dataclass(frozen=True, slots=True)
class Reference:
    """The flights that a model was made of: *groups* by name, and the inner edges of equal parts of its scores."""

    model_version: str
    groups: Mapping[str, Shares]
    score_edges: tuple[float, ...]

    def score_counts(self, probabilities: Sequence[float]) -> dict[str, float]:
        """Return how many *probabilities* fall into each part of the scores."""
        at = np.searchsorted(self.score_edges, probabilities, side="right")
        counts = np.bincount(at, minlength=len(self.score_edges) + 1).tolist()
        return dict(zip(score_parts(self.score_edges), map(float, counts), strict=True))


def score_parts(edges: tuple[float, ...]) -> tuple[str, ...]:
    """Return the names of the parts between *edges*: their bounds in percent."""
    bounds = (0.0, *edges, 1.0)
    return tuple(f"{100 * low:.1f} to {100 * high:.1f} %" for low, high in pairwise(bounds))


def slot_of(hour: int) -> str:
    """Return the three hours of the day that *hour* belongs to."""
    first = hour // HOURS_A_SLOT * HOURS_A_SLOT
    return f"{first:02d} to {first + HOURS_A_SLOT:02d} h"


def stability_index(expected: Mapping[str, float], counts: Mapping[str, float]) -> float:
    """Return the population stability index of *counts* against the shares *expected*; 0 is no difference.

    The sum over the values of (found - expected) * ln(found / expected), shares of less than 0.001 counting as that
    (Siddiqi 2006, Credit Risk Scorecards, ch. 8). Both name the same values; there is at least one count.
    """
    total = sum(counts.values())
    index = 0.0
    for value, share in expected.items():
        was, now = max(share, FLOOR), max(counts.get(value, 0.0) / total, FLOOR)
        index += (now - was) * log(now / was)
    return index
