"""Where a model is good and where not: scores by month and airline, reliability, and what mistakes would claim."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from atraso.core.scores import auc, brier_score, brier_skill, ece, reliability
from atraso.training.rolling import Rolled, intervals_of

Floats = NDArray[np.float64]

RELIABILITY_BINS = 10
# Below this many flights a score of an airline says nothing.
LEAST_FLIGHTS = 300


def breakdown(rolled: Rolled) -> dict[str, Any]:
    """Return the parts of the pooled scores: `months` and `airlines` by name, `reliability` bins, `mistakes`.

    A month or airline has n, base_rate, auc and brier_skill with 95 % intervals over whole days, and ece; airlines
    of fewer than 300 flights are left out. A bin has n, the mean probability said, and the share that left late.
    """
    months = {str(m): _scores(rolled.take(rolled.month == m)) for m in np.unique(rolled.month).tolist()}
    names, counts = np.unique(rolled.airline, return_counts=True)
    biggest = [str(names[i]) for i in np.argsort(-counts, kind="stable") if counts[i] >= LEAST_FLIGHTS]
    return {
        "months": months,
        "airlines": {name: _scores(rolled.take(rolled.airline == name)) for name in biggest},
        "reliability": reliability(rolled.late, rolled.probability, RELIABILITY_BINS),
        "mistakes": _mistakes(rolled),
    }


def _scores(part: Rolled) -> dict[str, float]:
    reference = float(np.mean((part.base_rate - part.late) ** 2))
    return {
        "n": len(part.late),
        "base_rate": float(part.late.mean()),
        "auc": auc(part.late, part.probability),
        "brier_skill": 1.0 - brier_score(part.late, part.probability) / reference,
        "ece": ece(part.late, part.probability),
        **intervals_of(part),
    }


def _mistakes(rolled: Rolled) -> dict[str, float]:
    """Return what the usual mistakes would have claimed of these very predictions.

    `balanced_*`: classes weighted alike and the score called a probability: for a calibrated model that adds the
    log-odds against the base rate. `always_late_f1`: F1 of calling every flight delayed. `by_flights_auc_*`:
    the interval from resampling flights instead of days.
    """
    late, p = rolled.late, np.clip(rolled.probability, 1e-9, 1 - 1e-9)
    rate = float(rolled.base_rate.mean())
    odds = p / (1 - p) * (1 - rate) / rate
    balanced: Floats = odds / (1 + odds)
    own = float(late.mean())
    by_flights = intervals_of(rolled, by_flights=True)
    return {
        "balanced_brier_skill": brier_skill(late, balanced, rate),
        "balanced_ece": ece(late, balanced),
        "always_late_f1": 2 * own / (1 + own),
        "by_flights_auc_low": by_flights["auc_low"],
        "by_flights_auc_high": by_flights["auc_high"],
    }
