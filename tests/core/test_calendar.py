"""Calendar features come from the scheduled local time and a table of days off."""

from datetime import date

import numpy as np
import pytest

from atraso.core.calendar import FAR_DAYS, DaysOff, calendar_features, day_features
from atraso.core.features import CALENDAR, features_known

EPOCH = date(1970, 1, 1)


def day(year: int, month: int, number: int) -> int:
    return (date(year, month, number) - EPOCH).days


# Chile: Monday 14 August 2017 stands alone beside a weekend; 15 August is the Assumption.
OFF = DaysOff.of([day(2017, 8, 15), day(2017, 9, 18), day(2017, 9, 19)], day(2016, 1, 1), day(2018, 12, 31))


def test_a_working_day_between_a_weekend_and_a_holiday_is_a_bridge() -> None:
    """Monday 14 August 2017 lies between Sunday and a holiday; the Monday before does not."""
    bridge = day_features(np.array([day(2017, 8, 14), day(2017, 8, 7)]), OFF)["bridge"]

    assert bridge.tolist() == [1, 0]


def test_a_long_run_of_days_off_is_counted_whole_and_seen_from_before_and_after() -> None:
    """Saturday 16 to Tuesday 19 September are four days off; Friday is one day before, Wednesday one after."""
    days = np.array([day(2017, 9, 18), day(2017, 9, 15), day(2017, 9, 20), day(2017, 9, 6)])
    found = day_features(days, OFF)

    assert found["off_block_days"].tolist() == [4, 0, 0, 0]
    assert found["days_to_off"].tolist() == [0, 1, FAR_DAYS, FAR_DAYS]
    assert found["days_since_off"].tolist() == [0, FAR_DAYS, 1, FAR_DAYS]
    assert found["holiday"].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("minutes", "weekday", "hour_of_week"),
    [
        (day(2017, 7, 14) * 1440 + 8 * 60 + 30, 4, 4 * 24 + 8),  # Friday 08:30
        (day(1970, 1, 1) * 1440, 3, 72),  # the epoch was a Thursday
        (-1, 2, 71),  # the minute before it, a Wednesday
    ],
)
def test_weekday_and_hour_of_week_are_those_of_the_local_clock(minutes: int, weekday: int, hour_of_week: int) -> None:
    """Monday is 0, and hour 0 of the week is Monday's first."""
    found = calendar_features(np.array([minutes]), OFF)

    assert (found["weekday"][0], found["hour_of_week"][0]) == (weekday, hour_of_week)


def test_the_calendar_is_what_the_specification_declares() -> None:
    """Every declared calendar feature is computed, and no other."""
    declared = {f.name for f in features_known(state=False, schedule=False) if f.needs == {CALENDAR}}

    assert set(calendar_features(np.array([0]), OFF)) == declared
