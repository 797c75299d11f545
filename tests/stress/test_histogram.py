"""Latencies come back out of their histogram as they went in."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from atraso.stress.histogram import latency_of, percentiles_ms


def test_percentiles_are_those_of_the_values_to_three_digits() -> None:
    """A hundred thousand values over four magnitudes, split over two tables."""
    values = np.random.default_rng(1).lognormal(6, 2, 100_000).astype(int) + 1
    halves = [Counter(half.tolist()) for half in np.array_split(values, 2)]
    latency = latency_of(halves)
    assert latency is not None
    assert latency.count == len(values)
    for level in (50, 90, 99, 99.9):
        exact = float(np.percentile(values, level, method="inverted_cdf")) / 1000
        assert latency.at[f"{level:g}"] == pytest.approx(exact, rel=5e-3)
    assert latency.max_ms == pytest.approx(values.max() / 1000, rel=2e-3)
    assert latency.mean_ms == pytest.approx(values.mean() / 1000, rel=2e-3)


def test_the_text_holds_the_whole_histogram() -> None:
    """What is kept in a record gives the same percentiles again, in the form that HDR tools read."""
    latency = latency_of([{100: 90, 5000: 10}])
    assert latency is not None
    assert latency.hdr.startswith("HIST")
    assert percentiles_ms(latency.hdr, [50, 95]) == pytest.approx([0.1, 5.0], rel=2e-3)


def test_no_values_are_no_latency() -> None:
    """Nothing is made up where nothing was answered."""
    assert latency_of([{}, {}]) is None
