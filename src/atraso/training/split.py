"""Cutting time: what a model is fitted on comes first, what calibrates it next, and what judges it last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.errors import SourceError
from atraso.core.flights import Minutes
from atraso.core.keys import MINUTES_A_DAY

Rows = NDArray[np.bool_]

# Nine, one and two twelfths of the days: of a calendar year exactly January-September, October, November-December.
CALIBRATE_FROM, TEST_FROM = 9 / 12, 10 / 12
LEAST_DAYS = 60


@dataclass(frozen=True, slots=True)
class TimeSplit:
    """Three parts of the rows, by whole local days; `later` is all that comes after the fit."""

    fit: Rows
    calibrate: Rows
    test: Rows

    @property
    def later(self) -> Rows:
        """The rows that the fitted model has not seen."""
        return self.calibrate | self.test


def time_split(scheduled_local: Minutes) -> TimeSplit:
    """Cut rows by the day of their scheduled departure; raises SourceError for fewer than two months of days."""
    day = scheduled_local // MINUTES_A_DAY
    first, span = int(day.min()), int(day.max() - day.min()) + 1
    if span < LEAST_DAYS:
        raise SourceError(
            f"{span} days of departures are too few to train and judge a model; give at least {LEAST_DAYS}"
        )
    calibrate_from, test_from = first + int(span * CALIBRATE_FROM), first + int(span * TEST_FROM)
    return TimeSplit(day < calibrate_from, (day >= calibrate_from) & (day < test_from), day >= test_from)
