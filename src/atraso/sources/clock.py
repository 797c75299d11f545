"""Airport clocks: wall times as texts, as minutes, and as UTC, in bulk.

A wall time that a clock change skips or repeats is read as `zoneinfo` reads it with the fold asked for:
0 takes the offset from before the change, 1 the offset from after it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from atraso.core.flights import NAIVE_EPOCH, Minutes, local_minutes, utc_minutes

A_DAY_MINUTES = 24 * 60
FIRST_YEAR, LAST_YEAR = 1970, 2099
_WALL_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?", re.ASCII)
_HHMM = re.compile(r"(\d{1,4})(?:\.0*)?", re.ASCII)


def wall_minutes(text: str) -> int | None:
    """Return the minutes since 1970-01-01T00:00 that a wall time names, or None where it names none.

    *text* is `YYYY-MM-DD HH:MM` with optional `:SS` (seconds are dropped) and a space or `T` between date and
    time, in the years 1970 to 2099.
    """
    if not _WALL_TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return local_minutes(moment) if FIRST_YEAR <= moment.year <= LAST_YEAR else None


@lru_cache(maxsize=4096)
def hhmm_minutes(text: str) -> int | None:
    """Return the minutes after midnight of a time such as `0905`, `905` or `905.0`, or None where it is none.

    2400 is the midnight that ends the day: 1440 minutes.
    """
    found = _HHMM.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes = divmod(int(found[1]), 100)
    return hours * 60 + minutes if minutes < 60 and hours * 60 + minutes <= A_DAY_MINUTES else None


@lru_cache(maxsize=4096)
def steady_offset(zone: ZoneInfo, day: int) -> int | None:
    """Return the minutes east of UTC that hold all through a local *day* (days since 1970-01-01).

    None stands for a day that may hold a clock change, and for an offset of broken minutes.
    """
    midnight = NAIVE_EPOCH + timedelta(days=day)
    offsets = {
        moment.replace(tzinfo=zone, fold=fold).utcoffset()
        for moment in (midnight, midnight + timedelta(days=1))
        for fold in (0, 1)
    }
    offset = offsets.pop()
    if offsets or offset is None or offset % timedelta(minutes=1):
        return None
    return offset // timedelta(minutes=1)


def utc_of_wall(wall: Minutes, zone: ZoneInfo, fold: int = 0) -> Minutes:
    """Return the UTC minutes of *wall* minutes in *zone*, of equal shape; broken minutes are rounded down."""
    days, day_of = np.unique(wall // A_DAY_MINUTES, return_inverse=True)
    offsets = [steady_offset(zone, int(day)) for day in days]
    utc = wall - np.array([offset or 0 for offset in offsets], dtype=np.int64)[day_of]
    changing = np.array([offset is None for offset in offsets], dtype=np.bool_)[day_of]
    if changing.any():
        minutes, minute_of = np.unique(wall[changing], return_inverse=True)
        exact = [_utc_of_one(int(minute), zone, fold) for minute in minutes]
        utc[changing] = np.array(exact, dtype=np.int64)[minute_of]
    return utc


def utc_of_departure(wall: Minutes, zone: ZoneInfo, scheduled_utc: Minutes) -> Minutes:
    """Return the UTC minutes at which flights left, by the *wall* clock in *zone*.

    Of a wall time's two readings the one nearer to the schedule is taken, the later one where both are
    equally near (a flight half an hour late is common, half an hour early is not).
    """
    first, second = utc_of_wall(wall, zone, 0), utc_of_wall(wall, zone, 1)
    from_first, from_second = np.abs(first - scheduled_utc), np.abs(second - scheduled_utc)
    nearer = np.where(from_first < from_second, first, second)
    return np.where(from_first == from_second, np.maximum(first, second), nearer)


def _utc_of_one(minute: int, zone: ZoneInfo, fold: int) -> int:
    return utc_minutes((NAIVE_EPOCH + timedelta(minutes=minute)).replace(tzinfo=zone, fold=fold))
