"""Each month is predicted from the months before it, and intervals resample whole days."""

from datetime import date

import numpy as np
import pytest

from atraso.core.errors import SourceError
from atraso.core.flights import DepartureTable
from atraso.sources.registry import read
from atraso.training import fit, pipeline
from atraso.training.holidays import days_off
from atraso.training.rolling import Rolled, months_of, roll, scores_of
from tests.flights_at_hand import scl_file

OFF = days_off("CL", 2017, 2017)
CARDS = (("schedule", False), ("1h", True))


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn with a tenth of the rounds: the way is the same."""
    monkeypatch.setattr(pipeline, "ROUNDS", dict.fromkeys(pipeline.ROUNDS, 60))
    monkeypatch.setattr(fit, "FURTHER_ROUNDS", 5)
    monkeypatch.setattr(fit, "STUMPS", {**fit.STUMPS, "learning_rate": 0.3})


@pytest.fixture(scope="module")
def departures() -> DepartureTable:
    """Return the flights at hand."""
    return read("scl", str(scl_file()[0])).departures


def test_months_count_from_january_of_the_first_year() -> None:
    """The last minute of January is month 1, the first of February month 2, and the next January month 13."""
    days = [(date(2017, 1, 31) - date(1970, 1, 1)).days, (date(2018, 1, 1) - date(1970, 1, 1)).days]
    local = np.array([days[0] * 1440 + 1439, (days[0] + 1) * 1440, days[1] * 1440])

    assert months_of(local).tolist() == [1, 2, 13]


def test_what_happens_in_a_month_changes_no_schedule_prediction_of_it(departures: DepartureTable) -> None:
    """Turning all outcomes from October on leaves October's predictions from the schedule as they were."""
    nobody = departures.flights.take(slice(0, 0))
    from_october = months_of(departures.flights.scheduled_local) >= 10
    turned = DepartureTable(departures.flights, departures.actual_utc + np.where(from_october, 60, 0))
    before = roll(departures, nobody, OFF, [10], cards=CARDS)
    after = roll(turned, nobody, OFF, [10], cards=CARDS)

    np.testing.assert_array_equal(before["schedule", False].probability, after["schedule", False].probability)
    assert (before["schedule", False].late != after["schedule", False].late).any()
    assert (before["1h", True].probability != after["1h", True].probability).any()  # the day's state is seen
    assert set(before["1h", True].month) == {10}


def test_a_month_without_departures_or_without_a_past_is_refused(departures: DepartureTable) -> None:
    """The sentence names the month."""
    nobody = departures.flights.take(slice(0, 0))
    with pytest.raises(SourceError, match="no departures in month 15"):
        roll(departures, nobody, OFF, [15], cards=CARDS)
    with pytest.raises(SourceError, match="no departures before month 1"):
        roll(departures, nobody, OFF, [1], cards=CARDS)


def test_intervals_over_days_are_wider_than_over_rows_where_days_differ() -> None:
    """With outcomes decided by the day, the interval is that of twenty days, not of two thousand rows."""
    rng = np.random.default_rng(1)
    day = np.repeat(np.arange(20), 100)
    late = rng.random(2000) < np.repeat(rng.choice([0.05, 0.6], 20), 100)
    probability = np.clip(0.3 + 0.1 * rng.standard_normal(2000) + 0.05 * late, 0.01, 0.99)
    by_day = scores_of(Rolled(late, probability, np.full(2000, 0.2), np.ones(2000, dtype=np.int64), day))
    by_row = scores_of(Rolled(late, probability, np.full(2000, 0.2), np.ones(2000, dtype=np.int64), np.arange(2000)))

    assert by_day["auc_low"] < by_day["auc"] < by_day["auc_high"]
    width = {name: s["brier_skill_high"] - s["brier_skill_low"] for name, s in (("day", by_day), ("row", by_row))}
    assert width["day"] > 2 * width["row"]
