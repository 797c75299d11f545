"""Retraining replaces the model in use only by one that is better on months that neither has seen."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from scripts.retrain import DATE_COLUMN, LEAST_GAIN, NOT_BETTER, better, split, unseen_months
from tests.flights_at_hand import scl_file

ROOT = Path(__file__).parents[2]
OLD = {"schedule": {"n": 100.0, "brier_score": 0.160}, "1h": {"n": 100.0, "brier_score": 0.140}}


def changed(**gains: float) -> dict[str, dict[str, float]]:
    """Return scores that are better than OLD's by so much."""
    return {
        lead: {**scores, "brier_score": scores["brier_score"] - gains[f"at_{lead}"]} for lead, scores in OLD.items()
    }


@pytest.mark.parametrize(
    ("gains", "wins"),
    [
        ({"at_schedule": 0.001, "at_1h": 0.001}, True),
        ({"at_schedule": 0.004, "at_1h": -LEAST_GAIN / 2}, True),
        ({"at_schedule": LEAST_GAIN / 2, "at_1h": LEAST_GAIN / 2}, False),
        ({"at_schedule": 0.004, "at_1h": -2 * LEAST_GAIN}, False),
        ({"at_schedule": -0.001, "at_1h": -0.001}, False),
    ],
)
def test_better_means_better_on_the_whole_and_worse_nowhere(gains: dict[str, float], wins: bool) -> None:
    """A gain at the mean of all leads counts, unless one lead pays for it."""
    found, told = better(OLD, changed(**gains))

    assert found is wins
    assert f"{gains['at_1h']:+.5f}" in told and ("is better" in told) is wins


def test_scores_of_other_departures_are_not_compared() -> None:
    """Two models judged on different departures are told apart by their numbers, and refused."""
    other = {**OLD, "1h": {"n": 99.0, "brier_score": 0.1}}

    with pytest.raises(ValueError, match="same departures"):
        better(OLD, other)
    with pytest.raises(ValueError, match="same leads"):
        better(OLD, {"1h": OLD["1h"]})


@pytest.mark.parametrize(
    ("trained_to", "last", "months"),
    [
        (date(2017, 10, 31), date(2017, 12, 31), [11, 12]),
        (date(2017, 12, 31), date(2018, 2, 28), [13, 14]),
        (date(2017, 10, 31), date(2017, 12, 9), [11]),
        (date(2017, 12, 31), date(2017, 12, 31), []),
        (date(2016, 12, 31), date(2017, 3, 31), [2, 3]),
    ],
)
def test_months_that_neither_has_seen(trained_to: date, last: date, months: list[int]) -> None:
    """They follow what the model in use learnt from, have months before them, and are whole."""
    assert list(unseen_months(date(2017, 1, 1), trained_to, last)) == months


def test_the_file_is_split_at_the_month(tmp_path: Path) -> None:
    """Every row is in one of the two files or later than both, and none is changed."""
    rows = [f"2017-{month:02}-15 10:00:00,{month}\n" for month in range(1, 13)]
    head = f"{DATE_COLUMN},Vlo-I\n"

    before, after = split(head + "".join(rows), date(2017, 9, 30), date(2017, 11, 1))

    assert before.replace("\r\n", "\n") == head + "".join(rows[:9])
    assert after.replace("\r\n", "\n") == head + "".join(rows[9:11])


def test_nothing_new_is_no_pull_request(tmp_path: Path) -> None:
    """Departures that the model in use has learnt from are no ground to judge it by, and nothing is written."""
    path, _ = scl_file()
    summary = tmp_path / "summary.md"
    bundled = ROOT / "src/atraso/artefact/bundled/manifest.json"
    before = bundled.read_bytes()

    run = subprocess.run(
        [sys.executable, "-m", "scripts.retrain", str(path), "--summary", str(summary)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert run.returncode == NOT_BETTER, run.stderr
    assert "nothing to judge by" in summary.read_text("utf-8")
    assert bundled.read_bytes() == before
