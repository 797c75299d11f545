"""What the state of an airport adds to every scorecard, one vector per key: computed anew for each new state.

A flight's log-odds at a lead are what its keys without a state add, and what this adds for its keys with one. All
scorecards are read in one sweep, because they ask the same features of the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.features import FEATURE_BY_NAME, STATE
from atraso.core.flights import Text
from atraso.core.replay import Replay
from atraso.core.scorecard import Scorecard, Steps

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KindSums:
    """The vectors of one kind of key: `of_key` (keys, cards, thresholds) in log-odds, in the order of `keys`.

    `of_unseen` (origins, cards, thresholds) is what a key without any departure adds, in the order of the origins.
    """

    keys: Text
    of_key: Floats
    of_unseen: Floats


class StateSums:
    """The steps of all *cards* that stand on the state, stacked per feature."""

    def __init__(self, cards: Sequence[Scorecard]) -> None:
        self._cards, self._thresholds = len(cards), len(cards[0].bias)
        steps: dict[str, dict[int, Steps]] = {}
        for place, card in enumerate(cards):
            for step in card.steps:
                if STATE in FEATURE_BY_NAME[step.feature].needs:
                    steps.setdefault(step.feature, {})[place] = step
        self._features: dict[str, list[tuple[str, Floats, Floats]]] = {}
        for name, of_card in steps.items():
            kind = FEATURE_BY_NAME[name].key
            self._features.setdefault(kind, []).append((name, *self._stacked(of_card)))

    def at(self, replay: Replay, now: int, offsets: Mapping[str, int]) -> dict[str, KindSums]:
        """Return what each key adds, by kind, for the state at *now* (UTC minutes).

        *offsets* has the minutes by which local time is ahead of UTC at each origin.
        """
        out = {}
        for kind, features in self._features.items():
            keys, values = replay.state_of_keys(kind, now, offsets)
            sums = np.zeros((len(keys) + len(offsets), self._cards * self._thresholds))
            for name, edges, stacked in features:
                column = values.get(name)
                if column is not None:  # without a published schedule some are not known to anybody
                    places = np.searchsorted(edges, column)
                    places[np.isnan(column)] = len(stacked) - 1
                    sums += stacked[places]
            shaped = sums.reshape(-1, self._cards, self._thresholds)
            out[kind] = KindSums(keys, shaped[: len(keys)], shaped[len(keys) :])
        return out

    def _stacked(self, of_card: Mapping[int, Steps]) -> tuple[Floats, Floats]:
        """Return the edges of one feature in any card, and per interval what it adds to each; last, where unknown."""
        edges = np.unique(np.concatenate([step.edges for step in of_card.values()]))
        stacked = np.zeros((len(edges) + 2, self._cards, self._thresholds))
        for place, step in of_card.items():
            # an interval ends at its edge, the last one has none
            inside = np.append(np.searchsorted(step.edges, edges), len(step.edges))
            stacked[:-1, place] = step.values[inside]
            stacked[-1, place] = step.missing
        return edges, stacked.reshape(len(stacked), -1)
