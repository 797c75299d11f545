"""Drift is told of months to which something was done, and hardly ever of the year's own months."""

from __future__ import annotations

import pytest

from atraso.artefact.reference import reference_of
from atraso.artefact.scorer import load_scorer
from atraso.core.drift import AIRLINE, NUMBER, SCORE, TIME, WEEKDAY
from atraso.ledger.drift import LEAST_FLIGHTS, THRESHOLDS
from atraso.sources.registry import read
from benchmarks.drift_alarms import Year, false_alarms, shifts, year_of
from tests.drill.figures import at_least, show
from tests.flights_at_hand import scl_file

FALSE_ALARMS = 0.01
FOUND_IN = {
    "the second airline stops": AIRLINE,
    "all three hours later": TIME,
    "a tenth of the numbers are new": NUMBER,
    "no flights at weekends": WEEKDAY,
    "scores half a unit of log-odds higher": SCORE,
}


@pytest.fixture(scope="module")
def year() -> Year:
    path, real = scl_file()
    if not real:
        pytest.skip("the flights that the bundled model was made of are not at hand (ATRASO_SCL_DATA)")
    return year_of(read("scl", str(path), lambda *_: None).departures, load_scorer())


@pytest.mark.parametrize("flights", [None, LEAST_FLIGHTS])
def test_months_without_drift_raise_no_alarm(year: Year, flights: int | None) -> None:
    """At most one in a hundred drawn months, in every group, also of as few flights as are compared at all."""
    for group, found in false_alarms(year, reference_of(load_scorer()), flights).items():
        name = f"false alarms of {group}" + (f", months of {flights} flights" if flights else "")
        show(name, found["false_alarm_rate"], "of months", at_most=FALSE_ALARMS)


def test_what_was_done_to_a_month_is_found(year: Year) -> None:
    """Each shift in the group that it was done to; and nothing in the month as it was."""
    told = shifts(year, reference_of(load_scorer()))
    for group, index in told["nothing"].items():
        show(f"index of {group}, nothing done", index, "", at_most=THRESHOLDS[group])
    for what, group in FOUND_IN.items():
        at_least(f"index of {group}, {what}", told[what][group], "", bound=THRESHOLDS[group])
