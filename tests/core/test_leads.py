"""Which scorecard answers how long before departure."""

import pytest

from atraso.core.leads import lead_for


@pytest.mark.parametrize(
    ("minutes_ahead", "name"),
    [
        (5 * 24 * 60, "schedule"),
        (24 * 60 + 1, "schedule"),  # between schedule and 24 h: the longer
        (24 * 60, "24h"),
        (13 * 60, "24h"),
        (12 * 60, "12h"),
        (3 * 60 + 1, "12h"),
        (180, "3h"),
        (60, "1h"),
        (59, "1h"),
        (30, "30m"),
        (1, "30m"),
        (-200, "30m"),  # already due
        (-24 * 60 - 1, "schedule"),  # more than a day past
    ],
)
def test_a_time_between_two_leads_uses_the_longer(minutes_ahead: int, name: str) -> None:
    """The lead is the shortest one that is not shorter than the time left."""
    assert lead_for(minutes_ahead).name == name
