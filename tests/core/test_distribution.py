"""The scores of a distribution are those of their definitions, integrated the long way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.core.distribution import (
    BAND_80,
    Climatology,
    DistributionScores,
    counts_by_minute,
    crps_of_each,
    distribution_scores,
    exceedance,
    held_of_each,
)
from atraso.core.prediction import curve_many, never_crossing_many, quantile_minutes_many
from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES

K = len(THRESHOLDS_MINUTES)
RANGE = (-14.0, 161.0)
log_odds_rows = st.lists(st.floats(-12, 12, allow_nan=False), min_size=K, max_size=K)
some_delays = st.lists(st.integers(-60, 300), min_size=1, max_size=40)


def curve(row: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the knots of one row's curve."""
    return curve_many(never_crossing_many(np.array([row]), ANCHOR), THRESHOLDS_MINUTES, *RANGE)


def below(minutes: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return P(delay <= at) of one row's curve, by plain interpolation."""
    inside = 1.0 / (1.0 + np.exp(np.interp(at, minutes, values[0])))
    return np.where(at < minutes[0], 0.0, np.where(at >= minutes[-1], 1.0, inside))


def integral(distance: np.ndarray, step: float) -> float:
    return float((distance**2).sum() * step)


@settings(max_examples=80, deadline=None)
@given(log_odds_rows, st.integers(-60, 300))
def test_crps_is_the_integral_of_its_definition(row: list[float], delay: int) -> None:
    """The closed form is what a sum over hundredths of a minute gives, also for delays beyond the curve's ends."""
    minutes, values = curve(row)
    step = 0.01
    at = np.arange(-60, 301, step) + step / 2
    expected = integral(below(minutes, values, at) - (delay <= at), step)

    assert crps_of_each(np.array([float(delay)]), minutes, values)[0] == pytest.approx(expected, abs=2e-3)


def test_a_flat_curve_and_a_very_steep_one_have_their_crps_too() -> None:
    """Equal log-odds at all thresholds, and a cliff of eighty between two of them, lose no digits."""
    for row in (
        [0.3] * K,
        [0.3 - 1e-9 * k for k in range(K)],
        [40.0 if minutes <= 15 else -40.0 for minutes in THRESHOLDS_MINUTES],
    ):
        minutes, values = curve(row)
        step = 0.002
        at = np.arange(-14, 161, step) + step / 2
        expected = integral(below(minutes, values, at) - (at >= 20), step)

        assert crps_of_each(np.array([20.0]), minutes, values)[0] == pytest.approx(expected, abs=1e-4)


@settings(max_examples=80, deadline=None)
@given(some_delays, st.integers(-60, 300))
def test_the_crps_of_climatology_is_the_integral_of_its_steps(seen: list[int], delay: int) -> None:
    """The empirical distribution is constant between whole minutes, so a sum over them is its integral."""
    past = np.array(seen, dtype=np.float64)
    at = np.arange(-61, 301)
    share = (past[:, None] <= at).mean(axis=0)

    found = Climatology.of(past).crps_of_each(np.array([float(delay)] * 2))
    assert found == pytest.approx([integral(share - (delay <= at), 1.0)] * 2, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(log_odds_rows)
def test_a_curve_that_is_right_holds_four_fifths(row: list[float]) -> None:
    """Over whole minutes drawn from the curve itself, the 80 % band holds exactly 80 %, however coarse the minutes."""
    minutes, values = curve(row)
    delays = np.arange(-14.0, 162.0)
    many = np.repeat(values, len(delays), axis=0)
    chance = exceedance(delays - 1, minutes, many) - exceedance(delays, minutes, many)

    assert chance.sum() == pytest.approx(1.0)
    assert (chance * held_of_each(delays, minutes, many, BAND_80)).sum() == pytest.approx(0.8, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=K, max_size=K, unique_by=lambda v: round(v, 3)))
def test_the_band_is_the_one_between_the_products_own_quantiles(row: list[float]) -> None:
    """Minutes wholly between p10 and p90 are held, those wholly outside are not."""
    log_odds = np.array([sorted(row, reverse=True)])
    minutes, values = curve_many(log_odds, THRESHOLDS_MINUTES, *RANGE)
    p10, p90 = (float(quantile_minutes_many(log_odds, THRESHOLDS_MINUTES, level, *RANGE)[0]) for level in BAND_80)
    delays = np.arange(-40.0, 200.0)
    held = held_of_each(delays, minutes, np.repeat(values, len(delays), axis=0), BAND_80)

    np.testing.assert_allclose(held[(delays - 1 > p10 + 1e-6) & (delays < p90 - 1e-6)], 1.0, atol=1e-9)
    np.testing.assert_array_equal(held[(delays < p10 - 1e-6) | (delays - 1 > p90 + 1e-6)], 0.0)


def test_saying_what_is_true_scores_best() -> None:
    """Against delays drawn from a curve, that curve has a lower CRPS than one too low, too high or too sure."""
    rng = np.random.default_rng(7)
    true = np.interp(THRESHOLDS_MINUTES, (-14, 0, 15, 60, 160), (6.0, 0.6, -1.4, -3.6, -7.0))
    minutes, values = curve(true.tolist())
    grid = np.arange(-14.0, 161.0, 0.05)
    drawn = np.interp(rng.random(20_000), below(minutes, values, grid), grid)
    scored = {
        name: distribution_scores(drawn, np.tile(told, (20_000, 1)), RANGE, Climatology.of(drawn)).means()
        for name, told in (("true", true), ("low", true - 0.4), ("high", true + 0.4), ("sure", true * 1.5))
    }

    assert min(scored, key=lambda name: scored[name]["crps"]) == "true"
    assert scored["true"]["crps_skill"] == pytest.approx(
        0.0, abs=0.002
    )  # climatology is as good: nothing else is known


def test_scores_of_parts_are_the_parts_of_the_scores() -> None:
    """Taking rows and joining them again gives the same means."""
    rng = np.random.default_rng(8)
    delay = rng.integers(-10, 90, 50).astype(np.float64)
    log_odds = never_crossing_many(rng.normal(0, 2, (50, K)), ANCHOR)
    whole = distribution_scores(delay, log_odds, RANGE, Climatology.of(delay))
    first = np.arange(50) < 20
    joined = DistributionScores.concat([whole.take(first), whole.take(~first)])

    assert joined.means() == whole.means()


def test_a_climatology_is_kept_as_counts() -> None:
    """Counted by minute, written down and read back, it gives the same CRPS and the same ends."""
    rng = np.random.default_rng(9)
    delays = rng.integers(-14, 161, 400).astype(np.float64)
    kept, first = Climatology.of_counts(counts_by_minute(delays)), Climatology.of(delays)

    np.testing.assert_allclose(kept.crps_of_each(delays), first.crps_of_each(delays))
    assert kept.delay_range == first.delay_range
    assert counts_by_minute(np.array([3.0, -5.0, 3.0])) == {"-5": 1, "3": 2}


def test_the_ends_of_the_curve_lie_outside_its_thresholds() -> None:
    """Training data that are all on time still give a curve whose minutes rise."""
    assert Climatology.of(np.array([0.0, 1.0])).delay_range == (THRESHOLDS_MINUTES[0], THRESHOLDS_MINUTES[-1])
    assert Climatology.of(np.array([-30.0, 400.0])).delay_range == (-30.0, 400.0)
