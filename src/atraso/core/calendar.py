"""The calendar of a flight, from its scheduled local time and a dated table of days off.

Nothing here names a single day (no month, no day of year): a model of one year cannot learn those.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.flights import Minutes
from atraso.core.keys import EPOCH_WEEKDAY, MINUTES_A_DAY

Days = NDArray[np.int64]
SATURDAY = 5
FAR_DAYS = 4  # beyond this many days a day off is "far": all far days look alike


@dataclass(frozen=True, slots=True)
class DaysOff:
    """Public holidays of the airport's country, as days since 1970, known from `first` to `last` inclusive."""

    holidays: frozenset[int]
    first: int
    last: int

    @staticmethod
    def of(days: Collection[int], first: int, last: int) -> DaysOff:
        """Return the table of *days*, taken to be complete between *first* and *last*."""
        return DaysOff(frozenset(int(d) for d in days), int(first), int(last))

    def covers(self, day: int) -> bool:
        """Tell whether the table knows *day*; outside it only weekends are days off."""
        return self.first <= day <= self.last


def weekday_of(days: Days) -> Days:
    """Return the weekday of *days* since 1970; Monday is 0."""
    return (days + EPOCH_WEEKDAY) % 7


def calendar_features(scheduled_local: Minutes, days_off: DaysOff) -> dict[str, NDArray[np.float64]]:
    """Return the calendar features of local *scheduled_local* minutes, each one number per flight."""
    minute = scheduled_local % MINUTES_A_DAY
    day = scheduled_local // MINUTES_A_DAY
    weekday = weekday_of(day)
    distinct, row = np.unique(day, return_inverse=True)
    of_day = day_features(distinct, days_off)
    return {
        "minute_of_day": minute.astype(np.float64),
        "minute_of_five": (minute % 5).astype(np.float64),
        "weekday": weekday.astype(np.float64),
        "hour_of_week": (weekday * 24 + minute // 60).astype(np.float64),
        **{name: column[row] for name, column in of_day.items()},
    }


def day_features(days: Days, days_off: DaysOff) -> dict[str, NDArray[np.float64]]:
    """Return what is special about each of *days*: holidays, and how they join with weekends.

    `off_block_days`: length of the run of days off the day belongs to (0 on a working day); `days_to_off` and
    `days_since_off`: working days until and since a run of three or more days off, at most `FAR_DAYS`;
    `holiday`: 1 on a public holiday; `bridge`: 1 on a single working day between days off.
    """
    if not len(days):
        return {n: np.zeros(0) for n in ("holiday", "off_block_days", "days_to_off", "days_since_off", "bridge")}
    margin = 16
    span = np.arange(int(days.min()) - margin, int(days.max()) + margin + 1)
    holiday = np.isin(span, np.fromiter(days_off.holidays, dtype=np.int64, count=len(days_off.holidays)))
    off = holiday | (weekday_of(span) >= SATURDAY)
    block = np.zeros(len(span), dtype=np.int64)
    start = 0
    for i in range(1, len(span) + 1):
        if i == len(span) or off[i] != off[start]:
            block[start:i] = (i - start) if off[start] else 0
            start = i
    long_off = block >= 3
    far = np.full(len(span), FAR_DAYS)
    until, since = far.copy(), far.copy()
    for i in range(1, len(span)):
        since[i] = 0 if long_off[i] else min(FAR_DAYS, since[i - 1] + 1)
        j = len(span) - 1 - i
        until[j] = 0 if long_off[j] else min(FAR_DAYS, until[j + 1] + 1)
    bridge = ~off & np.roll(off, 1) & np.roll(off, -1)
    at = days - span[0]
    return {
        "holiday": holiday[at].astype(np.float64),
        "off_block_days": block[at].astype(np.float64),
        "days_to_off": until[at].astype(np.float64),
        "days_since_off": since[at].astype(np.float64),
        "bridge": bridge[at].astype(np.float64),
    }
