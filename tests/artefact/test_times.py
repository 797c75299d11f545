"""Reading times of flights."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.artefact.times import MAX_REMEMBERED, Clock, moment_of
from atraso.core.errors import FieldError

SANTIAGO = ZoneInfo("America/Santiago")
# The clocks of Santiago were changed on 13 May and 12 August 2017.
DAYS = st.sampled_from(
    ["2017-05-13", "2017-05-14", "2017-08-12", "2017-08-13", "2017-07-14", "2017-02-30", "1812-01-01"]
)
TIMES = st.sampled_from(["00:00", "23:30", "23:59:59", "08:30:00", "24:00", "08:30:00.5", "9:30"])
ENDS = st.sampled_from(["", "", "", "Z", "-03:00", " "])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(DAYS, st.sampled_from("T "), TIMES, ENDS), min_size=1, max_size=12))
def test_a_clock_that_remembers_reads_as_one_that_does_not(asked: list[tuple[str, str, str, str]]) -> None:
    """Whatever was read before, a time is read as `moment_of` reads it: value, offset, warning or error."""
    clock = Clock(SANTIAGO)
    for parts in asked:
        text = "".join(parts)
        try:
            expected = moment_of(text, SANTIAGO, "scheduled_departure")
        except FieldError as error:
            with pytest.raises(FieldError) as met:
                clock.read(text, "scheduled_departure")
            assert met.value.detail == error.detail
            continue
        moment, note = clock.read(text, "scheduled_departure")
        assert (moment, note) == expected
        assert (moment.utcoffset(), moment.fold) == (expected[0].utcoffset(), expected[0].fold)


def test_a_clock_remembers_only_so_many() -> None:
    """Whoever asks for ever new times cannot fill the memory."""
    clock = Clock(SANTIAGO)
    for number in range(3 * MAX_REMEMBERED):
        year, rest = divmod(number, 12 * 28)
        month, day = divmod(rest, 28)
        clock.read(f"{2000 + year}-{month + 1:02d}-{day + 1:02d}T08:30", "scheduled_departure")
    assert len(clock._days) <= MAX_REMEMBERED
