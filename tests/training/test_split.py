"""Time is cut by whole days, in order."""

from datetime import date

import numpy as np
import pytest

from atraso.core.errors import SourceError
from atraso.training.holidays import days_off, iso
from atraso.training.split import time_split

DAY = 1440


def test_a_calendar_year_is_cut_at_the_ends_of_september_and_october() -> None:
    """Of 2017, January to September are fitted, October calibrates, November and December judge."""
    first = (date(2017, 1, 1) - date(1970, 1, 1)).days
    local = (first + np.arange(365)) * DAY + 600
    split = time_split(local)
    months = np.array([date.fromordinal(date(2017, 1, 1).toordinal() + i).month for i in range(365)])

    assert set(months[split.fit]) == set(range(1, 10))
    assert set(months[split.calibrate]) == {10}
    assert set(months[split.test]) == {11, 12}
    assert (split.fit ^ split.calibrate ^ split.test).all()


def test_too_few_days_are_refused_in_words() -> None:
    """A month of data stops with a sentence that says how much is needed."""
    with pytest.raises(SourceError, match=r"30 days .* at least 60"):
        time_split(np.arange(30) * DAY)


def test_the_holidays_of_a_country_reach_beyond_its_data() -> None:
    """Chile's 18 September is a holiday in the data's year and long after; the table says how far it reaches."""
    table = days_off("CL", 2017, 2017)

    for year in (2017, 2026):
        assert (date(year, 9, 18) - date(1970, 1, 1)).days in table.holidays
    assert iso(table.last) == "2035-12-31"
    assert not table.covers(table.last + 1)
