"""How sure a comparison is: whole days are drawn again and again, the same ones for every model compared.

Flights of a day share its luck, and so do two models asked about the same day. Resampling flights would halve the
intervals; resampling each model on its own would hide every difference behind the luck of the days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 400
SEED = 20170101

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its standard error and 95 % interval."""

    value: float
    se: float
    low: float
    high: float

    @staticmethod
    def of(value: float, drawn: Floats) -> Estimate:
        """Return the estimate of *value* from its resampled values *drawn*; NaN among them is left out."""
        told = drawn[~np.isnan(drawn)]
        if len(told) < 2:
            return Estimate(value, float("nan"), float("nan"), float("nan"))
        low, high = np.percentile(told, (2.5, 97.5))
        return Estimate(value, float(told.std(ddof=1)), float(low), float(high))


class DayBlocks:
    """Draws of whole days for flights on *days* (n,): the same draws for every question asked of it."""

    def __init__(self, days: Ints, draws: int = DRAWS) -> None:
        distinct, self._place = np.unique(days, return_inverse=True)
        n = len(distinct)
        rng = np.random.default_rng(SEED)
        self._times = np.array([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(draws)])
        self._flights = np.bincount(self._place, minlength=n).astype(np.float64)

    def mean(self, values: Floats) -> Estimate:
        """Return the mean of *values*, one per flight."""
        sums = np.bincount(self._place, weights=values, minlength=len(self._flights))
        return Estimate.of(float(values.mean()), (self._times @ sums) / (self._times @ self._flights))

    def ratio(self, above: Floats, below: Floats) -> Estimate:
        """Return the sum of *above* over that of *below*, one of each per flight."""
        n = len(self._flights)
        over, under = (np.bincount(self._place, weights=values, minlength=n) for values in (above, below))
        sums = self._times @ under
        drawn = np.divide(self._times @ over, sums, out=np.full(len(sums), np.nan), where=sums > 0)
        whole = float(below.sum())
        return Estimate.of(float(above.sum()) / whole if whole > 0 else float("nan"), drawn)

    def auc(self, late: Labels, score: Floats, between: Callable[[], None] = lambda: None) -> Floats:
        """Return the AUC of every draw (draws,), ties counting half; NaN where a draw has one class only.

        Calls *between* after each draw, for whoever has other work.
        """
        order = np.argsort(score, kind="stable")
        ordered = score[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        day, is_late = self._place[order], late[order]
        drawn = np.empty(len(self._times))
        for i, times in enumerate(self._times):
            weight = times[day].astype(np.float64)
            of_late = np.add.reduceat(weight * is_late, starts)
            of_other = np.add.reduceat(weight, starts) - of_late
            below = np.cumsum(of_other) - of_other / 2.0
            pairs = of_late.sum() * of_other.sum()
            drawn[i] = float(of_late @ below) / pairs if pairs else np.nan
            between()
        return drawn
