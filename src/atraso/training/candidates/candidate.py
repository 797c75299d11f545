"""What a candidate is: a way to learn log-odds of a late departure from the features the scorecard has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Returns the log-odds (n,) of P(delay > 15 min) of rows (n, columns) it may never have seen.
Predict = Callable[[Floats], Floats]

SEED = 20170101

# Columns beside the declared features, for the reference alone: they are not what a scorecard may read.
FACT_AIRLINE, FACT_DOMESTIC, FACT_MONTH = "fact.airline", "fact.domestic", "fact.month"
FACTS = (FACT_AIRLINE, FACT_DOMESTIC, FACT_MONTH)


class Fit(Protocol):
    """Learns from *matrix* (rows, columns in the order of *names*, NaN where unknown), what happened and on which day.

    *late*, *days* (local days since 1970) and *weight* (how much a row counts, 1 on average) have one element per
    row. One thread, whatever the learner's default.
    """

    def __call__(self, names: Sequence[str], matrix: Floats, late: Labels, days: Ints, weight: Floats) -> Predict:
        """Return what was learnt."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate: it is fitted by `fit`, or it is the mean log-odds of `members`.

    The scorecard has neither: it is trained as shipped. `additive` candidates have no interactions, so they can be
    written as a scorecard; `about` tells how it is fitted and what was cut to save time.
    """

    name: str
    additive: bool
    about: str
    fit: Fit | None = None
    members: tuple[str, ...] = ()

    @property
    def as_shipped(self) -> bool:
        """Whether this is the product's own recipe."""
        return self.fit is None and not self.members


def feature_columns(names: Sequence[str]) -> list[int]:
    """Return the places of the declared features, leaving the reference's facts aside."""
    return [place for place, name in enumerate(names) if name not in FACTS]
