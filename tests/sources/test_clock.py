"""Wall times in bulk are what the standard library says one by one."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.core.flights import NAIVE_EPOCH, utc_minutes
from atraso.sources.clock import steady_offset, utc_of_departure, utc_of_wall, wall_minutes

ZONES = (
    "America/Santiago",  # changes at midnight
    "America/New_York",
    "America/St_Johns",  # changed at one minute past midnight until 2011
    "Australia/Lord_Howe",  # changes by half an hour
    "Asia/Kathmandu",  # 5:45 from UTC
    "Africa/Monrovia",  # 44 minutes and 30 seconds from UTC until 1972
    "Pacific/Apia",  # left out a whole day in 2011
)
CHANGES = ("2017-05-13 23:30", "2017-08-13 00:30", "2013-11-03 01:30", "2010-03-14 00:30", "2011-12-30 12:00")


def plain_utc(wall: int, zone: ZoneInfo, fold: int) -> int:
    """Return what zoneinfo makes of one wall minute."""
    return utc_minutes((NAIVE_EPOCH + timedelta(minutes=wall)).replace(tzinfo=zone, fold=fold))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ZONES).map(ZoneInfo),
    st.sampled_from((0, 1)),
    st.one_of(
        st.lists(st.integers(0, 68_000_000), max_size=5),
        st.sampled_from(CHANGES).flatmap(
            lambda near: st.lists(st.integers(-3000, 3000).map(lambda m: (wall_minutes(near) or 0) + m), max_size=20)
        ),
    ),
)
def test_bulk_conversion_is_zoneinfo(zone, fold, walls):
    """Any wall minutes, also those around clock changes, become the UTC minutes that zoneinfo gives."""
    got = utc_of_wall(np.array(walls, dtype=np.int64), zone, fold)
    assert got.tolist() == [plain_utc(wall, zone, fold) for wall in walls]


def test_days_with_a_change_are_not_steady():
    """A day has a steady offset unless its clock changes: in Santiago in 2017 on 13 May and 13 August."""
    zone = ZoneInfo("America/Santiago")
    first = (wall_minutes("2017-01-01 00:00") or 0) // 1440
    changing = [day for day in range(first, first + 365) if steady_offset(zone, day) is None]
    dates = [str(np.datetime64(day, "D")) for day in changing]
    assert {"2017-05-13", "2017-08-13"} <= set(dates)
    assert len(dates) <= 4
    assert steady_offset(zone, first) == -180


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2017-07-14 08:30:00", datetime(2017, 7, 14, 8, 30)),  # noqa: DTZ001
        ("2017-07-14T08:30", datetime(2017, 7, 14, 8, 30)),  # noqa: DTZ001
        ("2017-07-14 08:30:59", datetime(2017, 7, 14, 8, 30)),  # noqa: DTZ001
        ("2016-02-29 00:00", datetime(2016, 2, 29)),  # noqa: DTZ001
    ],
)
def test_a_wall_time_is_minutes_since_1970(text, meant):
    """Date and time, with or without seconds, count the whole minutes since 1970."""
    assert wall_minutes(text) == (meant - NAIVE_EPOCH) // timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2017-07-14",
        "2017-02-29 08:30",
        "2017-07-14 24:00:00",
        "2017-07-14 08:60",
        "2017-07-14 08:30:60",
        "2017-07-14x08:30",
        "20170714T083000.000",
        "2017-W28-5 08:30:00",
        "2017-07-14 08:30+00",
        "2017-07-14 08+01:00",
        "1969-12-31 23:59",
        "2100-01-01 00:00",
        "\uff12\uff10\uff11\uff17-07-14 08:30",  # digits, but wide ones
    ],
)
def test_other_texts_are_no_wall_time(text):
    """A date alone, a time that does not exist, another form or a far year is None, never an error."""
    assert wall_minutes(text) is None


@settings(max_examples=300, deadline=None)
@given(st.integers(-3000, 3000), st.integers(-300, 300), st.sampled_from(CHANGES))
def test_a_departure_is_read_as_near_to_its_schedule_as_can_be(offset, delay, near):
    """No other reading of a departure is nearer to its schedule; of two as near, it is the later."""
    zone = ZoneInfo("America/Santiago")
    wall = (wall_minutes(near) or 0) + offset
    scheduled = plain_utc(wall, zone, 0)
    got = int(utc_of_departure(np.array([wall + delay]), zone, np.array([scheduled]))[0])
    readings = [plain_utc(wall + delay, zone, fold) for fold in (0, 1)]
    assert got in readings
    nearest = min(abs(reading - scheduled) for reading in readings)
    assert got == max(reading for reading in readings if abs(reading - scheduled) == nearest)
