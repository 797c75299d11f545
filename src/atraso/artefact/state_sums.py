"""What the state of an airport adds to every scorecard, one vector per key: computed anew for each new state.

A flight's log-odds at a lead are what its keys without a state add, and what this adds for its keys with one. All
scorecards are read in one sweep, because they ask the same features of the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.artefact.stacked import stack
from atraso.core.features import STATE
from atraso.core.flights import Text
from atraso.core.replay import Replay
from atraso.core.scorecard import Scorecard

Floats = NDArray[np.float64]

# The groups of reasons that stand on the state, in the order of their columns.
STATE_GROUPS = ("live delays", "recent history")


@dataclass(frozen=True, slots=True)
class KindSums:
    """The vectors of one kind of key: `of_key` (keys, cards, columns) in log-odds, in the order of `keys`.

    The columns are the thresholds, then what each of `STATE_GROUPS` adds at the anchor threshold. `of_unseen` (origins,
    cards, columns) is what a key without any departure adds, in the order of the origins.
    """

    keys: Text
    of_key: Floats
    of_unseen: Floats


class StateSums:
    """The steps of all *cards* that stand on the state, stacked per feature; `shape` is (cards, columns)."""

    def __init__(self, cards: Sequence[Scorecard]) -> None:
        self.shape = len(cards), len(cards[0].bias) + len(STATE_GROUPS)
        self._features = stack(cards, lambda feature: STATE in feature.needs, STATE_GROUPS)

    def at(self, replay: Replay, now: int, offsets: Mapping[str, int]) -> dict[str, KindSums]:
        """Return what each key adds, by kind, for the state at *now* (UTC minutes).

        *offsets* has the minutes by which local time is ahead of UTC at each origin.
        """
        out = {}
        for kind, features in self._features.items():
            keys, values = replay.state_of_keys(kind, now, offsets)
            sums = np.zeros((len(keys) + len(offsets), self.shape[0] * self.shape[1]))
            for steps in features:
                column = values.get(steps.feature)
                if column is not None:  # without a published schedule some are not known to anybody
                    sums += steps.at(column)
            shaped = sums.reshape(-1, *self.shape)
            out[kind] = KindSums(keys, shaped[: len(keys)], shaped[len(keys) :])
        return out
