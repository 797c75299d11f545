"""What a learner is given and what it gives back: intervals of each feature, and a number for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.float32]
Ints = NDArray[np.int64]
Labels = NDArray[np.bool_]

SEED = 20170101

# Each feature is cut once, and every learner works on the same intervals: 48 that hold as many flights each, and
# thinner ones at both ends, where delays run away. Whatever is learnt on them is a table of steps as it stands.
INTERVALS = 48
TAILS = (0.001, 0.003, 0.006, 0.01)
_QUANTILES = np.unique([*(np.arange(1, INTERVALS) / INTERVALS), *TAILS, *(1 - t for t in TAILS)])


@dataclass(frozen=True, slots=True)
class Cut:
    """The edges of each feature's intervals, and the mean of the values that fell into each.

    Interval i of a feature is edges[i-1] < x <= edges[i]: one more interval than edges. A feature that was never known
    has one interval.
    """

    edges: tuple[Floats, ...]
    means: tuple[Floats, ...]

    @classmethod
    def of(cls, matrix: Floats) -> Cut:
        """Cut each column of *matrix* (rows, features; NaN where unknown) at its quantiles."""
        edges, means = [], []
        for column in matrix.T:
            known = column[~np.isnan(column)]
            at = np.unique(np.quantile(known, _QUANTILES, method="lower")) if len(known) else np.zeros(0)
            at = at[at < known.max()] if len(known) else at  # beyond the greatest value there is no interval to learn
            place = np.searchsorted(at, known)
            n = np.bincount(place, minlength=len(at) + 1)
            edges.append(at)
            means.append(np.bincount(place, known, len(at) + 1) / np.maximum(n, 1))
        return cls(tuple(edges), tuple(means))

    def places(self, matrix: Floats) -> Places:
        """Return the number of the interval of each value, NaN where it is unknown."""
        places = np.empty(matrix.shape, dtype=np.float32)
        for feature, edges in enumerate(self.edges):
            column = matrix[:, feature]
            places[:, feature] = np.where(np.isnan(column), np.nan, np.searchsorted(edges, column))
        return places


@dataclass(frozen=True, slots=True)
class Lesson:
    """The flights a learner learns from.

    `places` is (flights, features), see `Cut.places`; `late`, `days` (local days since 1970) and `weight` (how much a
    flight counts, 1 on average) have one element per flight. `shelf` is for what a learner makes of `places` alone:
    lessons on the same places share it.
    """

    cut: Cut
    places: Places
    late: Labels
    days: Ints
    weight: Floats
    shelf: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """An additive model: log-odds = `bias` + the sum over features of `values[feature][interval]`.

    The last value of each feature is for where it is unknown.
    """

    bias: float
    values: tuple[Floats, ...]

    def log_odds(self, places: Places) -> Floats:
        """Return the log-odds (n,) of flights at *places* (n, features)."""
        total = np.full(len(places), self.bias)
        for feature, values in enumerate(self.values):
            if values.any():
                total += values[interval_of(places[:, feature], len(values) - 1)]
        return total

    def with_unknown_as_usual(self, places: Places) -> Terms:
        """Return the same model with what is unknown valued as the mean of the flights at *places* where it is known.

        Little is unknown in training but on the very first days, whose luck says nothing of a service that has just
        begun to hear of departures.
        """
        values = []
        for feature, old in enumerate(self.values):
            known = places[~np.isnan(places[:, feature]), feature].astype(np.intp)
            usual = float(old[known].mean()) if len(known) else 0.0
            values.append(np.append(old[:-1], usual))
        return Terms(self.bias, tuple(values))


class Learner(Protocol):
    """Learns an additive model of late departures, in one thread, and the same one every time."""

    def __call__(self, lesson: Lesson) -> Terms:
        """Return what was learnt."""


def interval_of(places: Places, unknown: int) -> NDArray[np.intp]:
    """Return *places* as indices, *unknown* where they are NaN."""
    return np.where(np.isnan(places), unknown, places).astype(np.intp)


def mean_of(terms: Sequence[Terms], weights: Sequence[float]) -> Terms:
    """Return the model whose log-odds are the weighted mean of those of *terms*, which share their intervals."""
    bias = float(np.average([one.bias for one in terms], weights=weights))
    columns = zip(*(one.values for one in terms), strict=True)
    return Terms(bias, tuple(np.average(values, axis=0, weights=weights) for values in columns))
