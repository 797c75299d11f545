"""The scorecard: an additive model written as tables of steps, one per feature, for several thresholds at once.

`log_odds` of P(delay > threshold) = bias + the sum over features of the step its value falls on. The form is the model:
a learner only proposes the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.features import FEATURE_BY_NAME, GROUPS
from atraso.core.prediction import logit

Floats = NDArray[np.float64]

# P(delay > m) is modelled for these minutes; the answer's quantiles are read between them.
THRESHOLDS_MINUTES = (-5, 0, 5, 15, 30, 60, 120)
ANCHOR = THRESHOLDS_MINUTES.index(15)


@dataclass(frozen=True, slots=True)
class Steps:
    """One feature's steps: value i holds for edges[i-1] < x <= edges[i]; `missing` where x is NaN.

    `edges` (e,) rise; `values` (e + 1, thresholds) and `missing` (thresholds,) are log-odds.
    """

    feature: str
    edges: Floats
    values: Floats
    missing: Floats

    def at(self, x: Floats) -> Floats:
        """Return the log-odds of each of *x* (n,) as (n, thresholds)."""
        found: Floats = self.values[np.searchsorted(self.edges, x, side="left")]
        unknown = np.isnan(x)
        if unknown.any():
            found = np.where(unknown[:, None], self.missing, found)
        return found

    def scaled(self, factors: Floats) -> Steps:
        """Return the same steps with each threshold's numbers multiplied by its factor."""
        return Steps(self.feature, self.edges, self.values * factors, self.missing * factors)


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The additive model of one lead, with (`schedule`) or without the published schedule.

    `bias` (thresholds,) is in log-odds. `reference` gives per group the mean of its sum over the training flights
    (anchor threshold), `weight` its part of their variance: what reasons are measured against.
    """

    lead: str
    schedule: bool
    bias: Floats
    steps: tuple[Steps, ...]
    reference: Mapping[str, float]
    weight: Mapping[str, float]

    @property
    def features(self) -> tuple[str, ...]:
        """The features that the scorecard reads."""
        return tuple(step.feature for step in self.steps)

    def log_odds(self, features: Mapping[str, Floats]) -> Floats:
        """Return the log-odds (n, thresholds) for *features*, each a column of n numbers."""
        total = np.zeros((len(next(iter(features.values()))), len(self.bias)))
        for step in self.steps:
            total += step.at(features[step.feature])
        return total + self.bias

    def group_sums(self, features: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return per group the sum (n,) of its steps at the anchor threshold, in log-odds."""
        sums: dict[str, Floats] = {}
        for step in self.steps:
            group = FEATURE_BY_NAME[step.feature].group
            column = step.at(features[step.feature])[:, ANCHOR]
            sums[group] = sums[group] + column if group in sums else column
        return {group: sums[group] for group in GROUPS if group in sums}

    def shares(self, sums: Mapping[str, float], base_rate: float) -> dict[str, float]:
        """Return per group its share of the answer's log-odds above those of *base_rate*; they add up exactly.

        A group's share is its sum less its training mean. What is left over (the mean of log-odds is not the
        log-odds of the mean) goes to the groups in proportion to their variance in training.
        """
        left_over = float(self.bias[ANCHOR]) + sum(self.reference[g] for g in sums) - logit(base_rate)
        return {g: sums[g] - self.reference[g] + self.weight[g] * left_over for g in sums}
