"""The random split is the public one, knows nothing of its test rows, and says that it flatters."""

import numpy as np
import pytest

from atraso.core.flights import DepartureTable
from atraso.sources.registry import read
from atraso.training import random_split
from atraso.training.holidays import days_off
from tests.flights_at_hand import scl_file
from tests.training.quick import train_quickly

OFF = days_off("CL", 2017, 2017)


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn with a tenth of the rounds: the way is the same."""
    train_quickly(monkeypatch, 60, 3)


@pytest.fixture(scope="module")
def departures() -> DepartureTable:
    """Return every third of the flights at hand."""
    return read("scl", str(scl_file()[0])).departures.take(slice(None, None, 3))


def test_the_rows_are_those_of_the_public_solutions() -> None:
    """Test rows are those of train_test_split(test_size=0.33, random_state=42); no row is in two parts."""
    from sklearn.model_selection import train_test_split

    fitted, validation, test = random_split._parts(1000)
    _, public = train_test_split(np.arange(1000), test_size=0.33, random_state=42)

    np.testing.assert_array_equal(test, public)
    assert sorted([*fitted, *validation, *test]) == list(range(1000))
    assert len(validation) == 134  # a fifth of the training part


def test_f1_stands_beside_auc_and_skill_for_every_lead_asked(departures: DepartureTable) -> None:
    """An hour before is better than the schedule, and the class scores are those of one threshold."""
    nobody = departures.flights.take(slice(0, 0))
    scores = random_split.random_split(departures, nobody, OFF, ["schedule", "1h"])

    assert list(scores) == ["schedule", "1h"]
    late = scores["1h"]["base_rate"]
    assert scores["1h"]["f1"] > scores["schedule"]["f1"] > 2 * late / (1 + late)  # better than always saying late
    for found in scores.values():
        assert found["n"] == pytest.approx(0.33 * len(departures), abs=1)
        harmonic = 2 * found["precision"] * found["recall"] / (found["precision"] + found["recall"])
        assert found["f1"] == pytest.approx(harmonic)
        assert 0 < found["threshold"] < 1
    assert "flatters" in random_split.WARNING


def test_outcomes_of_test_rows_touch_neither_model_nor_threshold(departures: DepartureTable) -> None:
    """Turning them changes the scores and nothing of what was learnt: the threshold, to the last bit, stays."""
    nobody = departures.flights.take(slice(0, 0))
    *_, test = random_split._parts(len(departures))
    actual = departures.actual_utc.copy()
    actual[test] += 200
    turned = DepartureTable(departures.flights, actual)
    before, after = (
        random_split.random_split(table, nobody, OFF, ["schedule"], schedule=False)["schedule"]
        for table in (departures, turned)
    )

    assert before["threshold"] == after["threshold"]
    assert before["f1"] != after["f1"]
