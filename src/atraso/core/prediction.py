"""The answer: a probability, how late, and why.

Log-odds come in, one number per threshold; probabilities that never cross, quantiles in minutes and reasons that add
up exactly come out. These functions are the definition; faster forms elsewhere are proved equal to them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXCEEDS_MINUTES = (0, 15, 30, 60)
QUANTILES = (("p50", 0.50), ("p80", 0.80), ("p95", 0.95))
NEARLY_SURE = math.log(0.999 / 0.001)


@dataclass(frozen=True, slots=True)
class Reason:
    """One group's share of the answer: `effect` is in probability, `value` is what the group saw."""

    group: str
    value: str
    effect: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one flight.

    `exceeds` holds P(delay > m) for the minutes of `EXCEEDS_MINUTES`, `minutes` the quantiles of `QUANTILES`;
    `base_rate` plus the effects of `reasons` is `delay_probability` (reasons are empty unless asked for).
    """

    delay_probability: float
    delayed: bool
    base_rate: float
    basis: str
    lead: str
    exceeds: tuple[float, float, float, float]
    minutes: tuple[float, float, float]
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[str, ...] = ()


def sigmoid(log_odds: float) -> float:
    """Return the probability of *log_odds*, without overflow."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)


def logit(probability: float) -> float:
    """Return the log-odds of a *probability* strictly between 0 and 1."""
    return math.log(probability / (1.0 - probability))


def never_crossing(log_odds: Sequence[float], anchor: int) -> list[float]:
    """Return *log_odds* per rising threshold made non-increasing, leaving the one at index *anchor* as it is.

    The anchor is the threshold the reasons explain (15 minutes); its neighbours give way, outwards.
    """
    fixed = list(log_odds)
    for k in range(anchor + 1, len(fixed)):
        if fixed[k] > fixed[k - 1]:  # noqa: PLR1730 - calling min costs more than all the rest
            fixed[k] = fixed[k - 1]
    for k in range(anchor - 1, -1, -1):
        if fixed[k] < fixed[k + 1]:  # noqa: PLR1730
            fixed[k] = fixed[k + 1]
    return fixed


_WANTED = tuple(logit(1.0 - level) for _, level in QUANTILES)


def quantiles_minutes(
    log_odds: Sequence[float], thresholds: Sequence[float], floor: float, ceiling: float
) -> list[float]:
    """Return the delays in minutes that are not exceeded with the probabilities of `QUANTILES`.

    *log_odds* are those of P(delay > threshold), non-increasing. Between thresholds the log-odds run straight;
    beyond the first and the last they run to *floor* and *ceiling* (the range of delays in the training data),
    which are taken to be passed with probability 0.999 and 0.001.
    """
    minutes = (floor, *thresholds, ceiling)
    values = (max(NEARLY_SURE, log_odds[0]), *log_odds, min(-NEARLY_SURE, log_odds[-1]))
    last = len(values) - 1
    place = 1
    found = []
    for wanted in _WANTED:  # falling, so the walk never goes back
        while place < last and values[place] > wanted:
            place += 1
        left, right = values[place - 1], values[place]
        if right > wanted:
            found.append(float(ceiling))
        elif left <= right:
            found.append(float(minutes[place]))
        else:
            start = minutes[place - 1]
            found.append(start + (minutes[place] - start) * (left - wanted) / (left - right))
    return found


def probability_shares(shares: Sequence[float], base_rate: float) -> list[float]:
    """Turn additive *shares* in log-odds into effects in probability that add up to answer minus *base_rate*.

    The shares, added to the log-odds of the base rate, give the answer's log-odds. Each effect is the share times
    the mean slope of the logistic curve between base rate and answer: the Aumann-Shapley value of that share for
    the straight path (Aumann and Shapley 1974; for scores: Sundararajan et al. 2017). Symmetric: equal shares
    have equal effects, a share of 0 has none.
    """
    total = math.fsum(shares)
    start = logit(base_rate)
    flat = abs(total) < 1e-9
    slope = base_rate * (1.0 - base_rate) if flat else (sigmoid(start + total) - base_rate) / total
    return [share * slope for share in shares]


def never_crossing_many(log_odds: Floats, anchor: int) -> Floats:
    """Return `never_crossing` of every row of *log_odds* (n, thresholds)."""
    fixed = log_odds.copy()
    np.minimum.accumulate(log_odds[:, anchor:], axis=1, out=fixed[:, anchor:])
    fixed[:, : anchor + 1] = np.maximum.accumulate(log_odds[:, anchor::-1], axis=1)[:, ::-1]
    return fixed


def curve_many(log_odds: Floats, thresholds: Sequence[float], floor: float, ceiling: float) -> tuple[Floats, Floats]:
    """Return the curves of a table: knots in minutes (thresholds + 2,), and each row's log-odds there.

    *log_odds* (n, thresholds) are those of P(delay > threshold), non-increasing. Between knots they run straight;
    *floor* and *ceiling*, not inside the thresholds, are passed with probability 0.999 and 0.001, as in
    `quantiles_minutes`.
    """
    ends = np.maximum(NEARLY_SURE, log_odds[:, 0]), np.minimum(-NEARLY_SURE, log_odds[:, -1])
    minutes = np.array([floor, *thresholds, ceiling], dtype=np.float64)
    return minutes, np.column_stack([ends[0], log_odds, ends[1]])


def quantile_minutes_many(
    log_odds: Floats, thresholds: Sequence[float], level: float, floor: float, ceiling: float
) -> Floats:
    """Return the delay not exceeded with probability *level* for every row of *log_odds* (n, thresholds)."""
    wanted = logit(1.0 - level)
    minutes, values = curve_many(log_odds, thresholds, floor, ceiling)
    reached = values[:, 1:] <= wanted
    last = values.shape[1] - 2
    place = np.where(reached.any(axis=1), reached.argmax(axis=1), last)
    rows = np.arange(len(values))
    left, right = values[rows, place], values[rows, place + 1]
    start, end = minutes[place], minutes[place + 1]
    slope = np.where(left > right, (left - wanted) / np.where(left > right, left - right, 1.0), 1.0)
    out: Floats = np.where(reached.any(axis=1), start + (end - start) * slope, ceiling)
    return out
