"""The recipe of the scorecards: which learners speak at each lead, how far back they look, and for how much."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from atraso.training.learners import boosting_machine, splines, stumps
from atraso.training.learners.lesson import Floats, Ints, Learner


@dataclass(frozen=True, slots=True)
class Part:
    """One learner's part in a scorecard, which is the weighted mean of its parts.

    A flight counts e times less for each `memory_days` that it lies before the last one; all alike for None.
    """

    learn: Learner
    memory_days: float | None
    weight: float = 1.0


# Chosen by log loss on the months May to September of 2017, each predicted from the months before it. The fewer is
# known of the day, the sooner more stumps only learn its luck by heart; where little is known, how the airport runs
# these weeks matters more than how it ran in summer. There stumps are better alone; elsewhere the mean of learners that
# err differently is better calibrated than each of them, and the boosting machine is worth its time where the state of
# the day is known.
_STUMPS, _SPLINES, _MACHINE = stumps.learn, splines.learn, boosting_machine.learn
RECIPE: dict[str, tuple[Part, ...]] = {
    "schedule": (Part(partial(_STUMPS, rounds=500), 90.0),),
    "24h": (Part(partial(_STUMPS, rounds=350), 365.0), Part(_SPLINES, 365.0)),
    "12h": (Part(partial(_STUMPS, rounds=350), 365.0), Part(_SPLINES, 365.0)),
    "3h": (Part(partial(_STUMPS, rounds=600), 365.0), Part(_SPLINES, 365.0), Part(_MACHINE, 365.0)),
    "1h": (Part(partial(_STUMPS, rounds=900), 365.0), Part(_SPLINES, 365.0), Part(_MACHINE, 365.0)),
    "30m": (Part(partial(_STUMPS, rounds=900), 365.0), Part(_SPLINES, 365.0), Part(_MACHINE, 365.0)),
}


def recency_weights(days: Ints, memory_days: float | None) -> Floats:
    """Return how much a flight of each of *days* (local days since 1970) counts, 1 on average: the older the less."""
    if memory_days is None:
        return np.ones(len(days))
    weight = np.exp((days - days.max()) / memory_days)
    return np.asarray(weight / weight.mean(), dtype=np.float64)
