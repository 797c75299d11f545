"""Each month is predicted from the months before it, and intervals resample whole days."""

from datetime import date

import numpy as np
import pytest

from atraso.core.distribution import DistributionScores
from atraso.core.errors import SourceError
from atraso.core.flights import DepartureTable
from atraso.sources.registry import read
from atraso.training.holidays import days_off
from atraso.training.rolling import Rolled, months_of, roll, scores_and_differences, scores_of
from tests.flights_at_hand import scl_file
from tests.training.quick import train_quickly

OFF = days_off("CL", 2017, 2017)
CARDS = (("schedule", False), ("1h", True))


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn with a tenth of the rounds: the way is the same."""
    train_quickly(monkeypatch, 60, 5)


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
    means = before["1h", True].spread.means()
    assert means["crps_skill"] > 0.02
    assert 0.7 < means["coverage_80"] < 0.9


def test_a_month_without_departures_or_without_a_past_is_refused(departures: DepartureTable) -> None:
    """The sentence names the month."""
    nobody = departures.flights.take(slice(0, 0))
    with pytest.raises(SourceError, match="no departures in month 15"):
        roll(departures, nobody, OFF, [15], cards=CARDS)
    with pytest.raises(SourceError, match="no departures before month 1"):
        roll(departures, nobody, OFF, [1], cards=CARDS)


def rolled_of(late: np.ndarray, probability: np.ndarray, day: np.ndarray) -> Rolled:
    """Return predictions against a base rate of 0.2, of distributions that are as good as their probabilities."""
    n = len(late)
    crps = (probability - late) ** 2
    spread = DistributionScores(crps, np.full(n, 0.16), np.full(n, 0.8))
    return Rolled(
        airline=np.full(n, "LAN"),
        late=late,
        probability=probability,
        base_rate=np.full(n, 0.2),
        month=np.ones(n, dtype=np.int64),
        day=day,
        spread=spread,
    )


def test_intervals_over_days_are_wider_than_over_rows_where_days_differ() -> None:
    """With outcomes decided by the day, the interval is that of twenty days, not of two thousand rows."""
    rng = np.random.default_rng(1)
    day = np.repeat(np.arange(20), 100)
    late = rng.random(2000) < np.repeat(rng.choice([0.05, 0.6], 20), 100)
    probability = np.clip(0.3 + 0.1 * rng.standard_normal(2000) + 0.05 * late, 0.01, 0.99)
    by_day = scores_of(rolled_of(late, probability, day))
    by_row = scores_of(rolled_of(late, probability, np.arange(2000)))

    assert by_day["auc_low"] < by_day["auc"] < by_day["auc_high"]
    for score in ("brier_skill", "crps_skill"):
        width = {name: s[f"{score}_high"] - s[f"{score}_low"] for name, s in (("day", by_day), ("row", by_row))}
        assert width["day"] > 2 * width["row"]


def test_a_paired_difference_is_surer_than_the_two_it_is_of() -> None:
    """Where the luck of the days moves both leads alike, the interval of their difference leaves it out."""
    rng = np.random.default_rng(2)
    day = np.repeat(np.arange(60), 50)
    truth = np.clip(np.repeat(rng.uniform(0.05, 0.5, 60), 50) + 0.05 * rng.standard_normal(3000), 0.01, 0.99)
    late = rng.random(3000) < truth
    vague = rolled_of(late, 0.7 * truth + 0.1 * rng.random(3000), day)
    sharp = rolled_of(late, truth, day)
    scores, paired = scores_and_differences({"1h": vague, "30m": sharp})

    assert scores == {"1h": scores_of(vague), "30m": scores_of(sharp)}
    assert list(paired) == ["30m - 1h"]
    for score in ("auc", "brier_skill", "crps_skill"):
        found = paired["30m - 1h"]
        assert found[score] == pytest.approx(scores["30m"][score] - scores["1h"][score])
        assert found[f"{score}_low"] < found[score] < found[f"{score}_high"]
        own = scores["30m"][f"{score}_high"] - scores["30m"][f"{score}_low"]
        assert found[f"{score}_high"] - found[f"{score}_low"] < own / 2


def test_a_lead_is_no_better_than_itself() -> None:
    """The difference of equal predictions is nothing, surely; one lead alone has no difference."""
    rng = np.random.default_rng(3)
    same = rolled_of(rng.random(400) < 0.3, rng.random(400), np.repeat(np.arange(8), 50))

    assert set(scores_and_differences({"3h": same, "1h": same})[1]["1h - 3h"].values()) == {0.0}
    assert scores_and_differences({"1h": same})[1] == {}


def test_leads_of_different_departures_are_not_compared() -> None:
    """A pair is a pair only over the same departures."""
    late, probability = np.arange(40) % 4 == 0, np.linspace(0.1, 0.4, 40)
    here, elsewhere = (rolled_of(late, probability, np.arange(40) + shift) for shift in (0, 1))
    with pytest.raises(ValueError, match="same departures"):
        scores_and_differences({"3h": here, "1h": elsewhere})


def test_scores_without_a_late_flight_have_no_interval_of_the_auc() -> None:
    """Where every draw of days has one class only, the AUC and its interval are not told."""
    nobody = scores_of(rolled_of(np.zeros(50, dtype=bool), np.full(50, 0.2), np.repeat(np.arange(5), 10)))

    assert np.isnan([nobody[name] for name in ("auc", "auc_low", "auc_high")]).all()
    assert nobody["brier_score_low"] == pytest.approx(0.04)
