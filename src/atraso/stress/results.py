"""The arithmetic of a run: percentiles, what a way adds to its baseline, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec
import numpy as np
from numpy.typing import NDArray

LEVELS = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)
SHOWN = (50.0, 95.0, 99.0)
RESAMPLES = 1000
CONFIDENCE = 0.95
_SEED = 2017
# One array of nanoseconds for each block, in the order in which they were measured.
Blocks = Sequence[NDArray[np.int64]]


class Percentiles(msgspec.Struct, frozen=True):
    """Three of them, in microseconds."""

    p50: float
    p95: float
    p99: float


class Added(msgspec.Struct, frozen=True):
    """What a way takes more than its baseline, in microseconds; the interval is that of the median, at 95 %."""

    p50: float
    p95: float
    p99: float
    p50_low: float
    p50_high: float


def percentiles(blocks: Blocks) -> Percentiles:
    """Return the percentiles of all that *blocks* hold."""
    return Percentiles(*(np.percentile(np.concatenate(blocks), SHOWN) / 1000).tolist())


def ladder(blocks: Blocks) -> dict[str, float]:
    """Return the percentiles of `LEVELS`, in microseconds."""
    found = (np.percentile(np.concatenate(blocks), LEVELS) / 1000).tolist()
    return {f"{level:g}": round(value, 3) for level, value in zip(LEVELS, found, strict=True)}


def block_medians(blocks: Blocks) -> list[float]:
    """Return the median of each block, in microseconds."""
    return [round(float(np.median(block)) / 1000, 3) for block in blocks]


def added(way: Blocks, baseline: Blocks) -> Added:
    """Return what *way* takes more than *baseline*.

    The interval is a bootstrap over blocks (Künsch 1989): what was measured one after the other is alike, and a block
    of the baseline is drawn together with that of the way measured beside it. Blocks without a partner count for the
    percentiles only.
    """
    ours, theirs = percentiles(way), percentiles(baseline)
    pairs = min(len(way), len(baseline))
    dice = np.random.default_rng(_SEED)
    drawn = (dice.integers(0, pairs, pairs) for _ in range(RESAMPLES))
    differences = [_median(way, chosen) - _median(baseline, chosen) for chosen in drawn]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, (tail, 1 - tail)).tolist()
    return Added(ours.p50 - theirs.p50, ours.p95 - theirs.p95, ours.p99 - theirs.p99, low, high)


def share(rates: Sequence[float], of: Sequence[float]) -> float | None:
    """Return the median, over turns, of the part that *rates* are of the rates *of*; None without a common turn."""
    parts = [rate / whole for rate, whole in zip(rates, of, strict=False) if whole > 0]
    return median(parts) if parts else None


def _median(blocks: Blocks, chosen: NDArray[np.int64]) -> float:
    return float(np.median(np.concatenate([blocks[place] for place in chosen]))) / 1000
