"""Several scorecards read in one sweep: their steps for one feature laid over each other.

Cards of one model ask the same features of the same keys, so finding the interval of a value once serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.features import FEATURE_BY_NAME, Feature
from atraso.core.scorecard import ANCHOR, Scorecard, Steps

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StackedSteps:
    """One feature's steps in all cards: `values` (edges + 2, width) per interval, and last where it is unknown."""

    feature: str
    edges: Floats
    values: Floats

    def at(self, x: Floats) -> Floats:
        """Return what each of *x* (n,) adds, as (n, width)."""
        places = np.searchsorted(self.edges, x)
        places[np.isnan(x)] = len(self.values) - 1
        return np.asarray(self.values[places], dtype=np.float64)


def stack(
    cards: Sequence[Scorecard], wanted: Callable[[Feature], bool], groups: Sequence[str] = ()
) -> dict[str, list[StackedSteps]]:
    """Return by kind of key the steps of the *wanted* features, stacked for all *cards*.

    Each card has a column per threshold and one for each of *groups*: what its features add at the anchor threshold.
    """
    steps: dict[str, dict[int, Steps]] = {}
    for place, card in enumerate(cards):
        for step in card.steps:
            if wanted(FEATURE_BY_NAME[step.feature]):
                steps.setdefault(step.feature, {})[place] = step
    found: dict[str, list[StackedSteps]] = {}
    for name, of_card in steps.items():
        found.setdefault(FEATURE_BY_NAME[name].key, []).append(_stacked(name, of_card, cards, groups))
    return found


def _stacked(
    name: str, of_card: Mapping[int, Steps], cards: Sequence[Scorecard], groups: Sequence[str]
) -> StackedSteps:
    edges = np.unique(np.concatenate([step.edges for step in of_card.values()]))
    thresholds = len(cards[0].bias)
    values = np.zeros((len(edges) + 2, len(cards), thresholds + len(groups)))
    for place, step in of_card.items():
        # an interval ends at its edge, the last one has none
        inside = np.append(np.searchsorted(step.edges, edges), len(step.edges))
        values[:-1, place, :thresholds] = step.values[inside]
        values[-1, place, :thresholds] = step.missing
    if (group := FEATURE_BY_NAME[name].group) in groups:
        values[:, :, thresholds + groups.index(group)] = values[:, :, ANCHOR]
    return StackedSteps(name, edges, values.reshape(len(values), -1))
