"""The arithmetic of a run."""

from __future__ import annotations

import numpy as np
import pytest

from atraso.stress.results import added, block_medians, ladder, percentiles, share


def blocks(*microseconds: list[int]) -> list[np.ndarray]:
    return [np.array(block, np.int64) * 1000 for block in microseconds]


def noisy(median_us: float, seed: int, count: int = 30, size: int = 100) -> list[np.ndarray]:
    dice = np.random.default_rng(seed)
    return [((median_us + dice.exponential(5.0, size)) * 1000).astype(np.int64) for _ in range(count)]


def test_percentiles_are_over_all_requests_of_all_blocks():
    """Blocks of different sizes count by their requests, and nanoseconds become microseconds."""
    took = percentiles(blocks([10] * 98, [20], [30]))
    assert (took.p50, took.p95) == (10, 10)
    assert took.p99 == pytest.approx(20.1)
    assert ladder(blocks([10, 20, 30]))["100"] == 30
    assert block_medians(blocks([1, 2, 30], [5])) == [2, 5]


def test_what_a_way_adds_is_found_with_an_interval_around_it():
    """7 µs more are found within half a microsecond, and the interval holds them and not 0."""
    more = added(noisy(57.0, 1), noisy(50.0, 2))
    assert more.p50 == pytest.approx(7.0, abs=0.5)
    assert more.p50_low < 7.0 < more.p50_high
    assert more.p50_low > 6.0
    assert more.p99 == pytest.approx(7.0, abs=3.0)


def test_two_equal_ways_differ_by_nothing_that_can_be_told():
    """The interval of two measurements of the same thing holds 0, in most repetitions."""
    held = 0
    for seed in range(15):
        more = added(noisy(50.0, 2 * seed), noisy(50.0, 2 * seed + 1))
        held += more.p50_low <= 0 <= more.p50_high
    assert held >= 12


def test_a_machine_that_slows_down_for_both_is_no_difference():
    """Blocks are drawn in pairs: a drift that hits both ways does not widen the interval to uselessness."""
    drift = [np.full(100, 1000 * (50 + 10 * place), np.int64) for place in range(20)]
    same = added([block + 5000 for block in drift], drift)
    assert (same.p50, same.p50_low, same.p50_high) == (5, 5, 5)


def test_a_run_that_was_stopped_has_a_block_more_of_one_way():
    """The block without a partner counts for the percentiles, and the interval is still found."""
    more = added(noisy(57.0, 1, count=4), noisy(50.0, 2, count=3))
    assert more.p50_low < more.p50_high


def test_the_share_is_told_turn_by_turn():
    """Each turn is compared with the one beside it, so a turn in which the machine was slow does no harm."""
    assert share([50, 5, 50], [100, 10, 100]) == 0.5
    assert share([50], []) is None
