"""Calibration sets the spread and leaves the level; the schedule's lead is averaged over a month's luck."""

import math

import numpy as np
import pytest

from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Scorecard, Steps
from atraso.training.calibrate import MONTH_LUCK_VARIANCE, calibrated, lines_over_luck, spread_lines

K = len(THRESHOLDS_MINUTES)


def test_an_overconfident_score_is_drawn_to_its_mean() -> None:
    """Log-odds that were doubled around their mean are halved again; the mean stays."""
    rng = np.random.default_rng(3)
    true = rng.normal(-1.5, 0.8, 40_000)
    late = rng.random(40_000) < 1 / (1 + np.exp(-true))
    raw = np.repeat((true.mean() + 2 * (true - true.mean()))[:, None], K, axis=1)
    shift, slope = spread_lines(raw, np.where(late, 500.0, -100.0))[ANCHOR]

    assert slope == pytest.approx(0.5, abs=0.03)
    assert (shift + slope * raw[:, ANCHOR]).mean() == pytest.approx(raw[:, ANCHOR].mean())


def test_few_flights_change_little() -> None:
    """Fifty flights move the spread a tenth of the way they ask for."""
    rng = np.random.default_rng(4)
    raw = np.repeat(rng.normal(-1, 3, 50)[:, None], K, axis=1)
    late = np.arange(50) % 4 == 0  # the score says nothing
    slopes = spread_lines(raw, np.where(late, 500.0, -100.0))[:, 1]

    assert (slopes > 0.85).all()
    assert (slopes < 1.0).all()


def test_a_threshold_that_everyone_or_nobody_passes_is_left_alone() -> None:
    """There is nothing to learn from one class."""
    lines = spread_lines(np.zeros((10, K)), np.full(10, 500.0))

    assert lines.tolist() == [[0.0, 1.0]] * K


@pytest.mark.parametrize("usual", [-3.0, -1.5, 0.0, 1.5])
def test_what_is_said_at_the_schedules_lead_is_the_mean_over_a_months_luck(usual: float) -> None:
    """Log-odds that a month's luck moves up or down have, over many months, the probability that is told."""
    luck = np.random.default_rng(5).normal(0, math.sqrt(MONTH_LUCK_VARIANCE), 200_000)
    shift, slope = lines_over_luck()[ANCHOR]

    told = 1 / (1 + math.exp(-(shift + slope * usual)))
    assert told == pytest.approx((1 / (1 + np.exp(-(usual + luck)))).mean(), abs=0.003)
    assert lines_over_luck().shape == (K, 2)


def test_a_calibrated_scorecard_is_still_a_scorecard() -> None:
    """Its log-odds are shift plus slope times those of the raw one, for known and missing values."""
    steps = Steps("weekday", np.array([2.5]), np.array([[0.1] * K, [0.7] * K]), np.full(K, -0.2))
    card = Scorecard("1h", False, np.full(K, -1.0), (steps,), {}, {})
    lines = np.column_stack([np.linspace(-0.3, 0.3, K), np.linspace(0.5, 1.5, K)])
    columns = {"weekday": np.array([1.0, 4.0, np.nan])}

    expected = lines[:, 0] + lines[:, 1] * card.log_odds(columns)
    np.testing.assert_allclose(calibrated(card, lines).log_odds(columns), expected)
