"""Whole days are drawn, the same ones for everything compared."""

import numpy as np
import pytest

from atraso.core.day_blocks import SEED, DayBlocks, Estimate
from atraso.core.scores import auc


def test_the_auc_of_a_draw_is_that_of_the_flights_drawn() -> None:
    """Counting a day as often as it was drawn gives what repeating its flights gives, ties and all."""
    rng = np.random.default_rng(1)
    day = 17_000 + np.sort(rng.integers(0, 12, 400))
    late = rng.random(400) < 0.3
    score = np.round(rng.random(400) + 0.3 * late, 1)
    drawn = DayBlocks(day, draws=20).auc(late, score)
    again = np.random.default_rng(SEED)
    days = np.unique(day)
    for one in drawn:
        rows = np.concatenate([np.flatnonzero(day == d) for d in days[again.integers(0, len(days), len(days))]])
        assert one == pytest.approx(auc(late[rows], score[rows]), abs=1e-12)


def test_the_standard_error_is_that_of_days_and_not_of_flights() -> None:
    """A number decided by the day is known as well as fifty days tell, however many flights a day has."""
    rng = np.random.default_rng(2)
    of_day = rng.normal(0.0, 1.0, 50)
    estimate = DayBlocks(np.repeat(np.arange(50), 200)).mean(np.repeat(of_day, 200))

    assert estimate.value == pytest.approx(of_day.mean())
    assert estimate.se == pytest.approx(of_day.std(ddof=1) / np.sqrt(50), rel=0.15)
    assert estimate.low < estimate.value < estimate.high


def test_the_luck_of_the_days_cancels_in_a_difference() -> None:
    """Two models that share every day's luck differ by a constant: the paired interval has no width."""
    rng = np.random.default_rng(3)
    day = np.repeat(np.arange(40), 10)
    loss = np.repeat(rng.normal(0.5, 0.2, 40), 10)
    blocks = DayBlocks(day)

    assert blocks.mean(loss).se > 0.02
    assert blocks.mean((loss + 0.01) - loss).se == pytest.approx(0.0, abs=1e-9)


def test_draws_of_one_class_only_are_left_out_of_an_estimate() -> None:
    """Where hardly a day has a late flight some draws have no AUC; the others give the interval."""
    day = np.repeat(np.arange(4), 5)
    late = np.zeros(20, dtype=bool)
    late[2] = True
    drawn = DayBlocks(day, draws=100).auc(late, np.linspace(1, 0, 20))
    estimate = Estimate.of(0.9, drawn)

    assert 0 < np.isnan(drawn).sum() < 100
    assert estimate.low <= estimate.high
    assert np.isnan(Estimate.of(0.9, np.full(5, np.nan)).se)
