"""The whole distribution of a delay: how far it was from what happened, and how often its band held it.

The distribution is the curve that quantiles are read from (`curve_many`): P(delay > m) at the thresholds, straight in
log-odds between them. It is continuous, delays are whole minutes: P(delay <= k) of the curve is the chance of k whole
minutes or fewer, so the stretch of the curve from k - 1 to k stands for a delay of k minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.prediction import curve_many
from atraso.core.scorecard import THRESHOLDS_MINUTES

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]

BAND_80 = (0.1, 0.9)
# Below this difference in log-odds the closed form of an integral loses more digits than its midpoint does.
_FLAT = 1e-4


@dataclass(frozen=True, slots=True)
class Climatology:
    """How late departures left in the training data, whatever the flight: `minutes` rise, `share` adds up to 1."""

    minutes: Floats
    share: Floats

    @staticmethod
    def of(delay_minutes: Floats) -> Climatology:
        """Return the empirical distribution of *delay_minutes* (at least one)."""
        minutes, counts = np.unique(delay_minutes, return_counts=True)
        return Climatology(minutes, counts / len(delay_minutes))

    @staticmethod
    def of_counts(counts: Mapping[str, int]) -> Climatology:
        """Return the distribution that `counts_by_minute` has written down."""
        minutes = np.array(sorted(int(minute) for minute in counts), dtype=np.float64)
        flights = np.array([counts[str(int(minute))] for minute in minutes], dtype=np.float64)
        return Climatology(minutes, flights / flights.sum())

    @property
    def delay_range(self) -> tuple[float, float]:
        """The least and the greatest delay in minutes, at least as far apart as the thresholds: a curve's two ends."""
        least, greatest = float(self.minutes[0]), float(self.minutes[-1])
        return min(least, float(THRESHOLDS_MINUTES[0])), max(greatest, float(THRESHOLDS_MINUTES[-1]))

    def crps_of_each(self, delay_minutes: Floats) -> Floats:
        """Return the CRPS of always giving this distribution, in minutes, per departure.

        The form E|X - y| - E|X - X'|/2 (Gneiting and Raftery 2007, eq. 21), exact for steps.
        """
        below = np.append(0.0, np.cumsum(self.share))  # P(delay < each of minutes), and 1
        minutes_below = np.append(0.0, np.cumsum(self.share * self.minutes))
        place = np.searchsorted(self.minutes, delay_minutes, side="right")
        away: Floats = delay_minutes * (2.0 * below[place] - 1.0) + minutes_below[-1] - 2.0 * minutes_below[place]
        between = below[1:-1]
        return away - float((between * (1.0 - between) * np.diff(self.minutes)).sum())


@dataclass(frozen=True, slots=True)
class DistributionScores:
    """Scores of each departure's distribution: its CRPS and that of climatology in minutes, and whether the band held.

    `held` is between 0 and 1: the part of the delay's minute that lies in the 10 to 90 % band.
    """

    crps: Floats
    crps_climatology: Floats
    held: Floats

    def take(self, rows: Rows) -> DistributionScores:
        """Return the scores of the chosen departures."""
        return DistributionScores(self.crps[rows], self.crps_climatology[rows], self.held[rows])

    @staticmethod
    def concat(parts: Sequence[DistributionScores]) -> DistributionScores:
        """Return the scores of *parts* one after the other."""
        return DistributionScores(
            np.concatenate([part.crps for part in parts]),
            np.concatenate([part.crps_climatology for part in parts]),
            np.concatenate([part.held for part in parts]),
        )

    def means(self) -> dict[str, float]:
        """Return `crps` in minutes, `crps_skill` against climatology (1 is perfect, 0 no better), and `coverage_80`."""
        crps = float(self.crps.mean())
        return {
            "crps": crps,
            "crps_skill": 1.0 - crps / float(self.crps_climatology.mean()),
            "coverage_80": float(self.held.mean()),
        }


def counts_by_minute(delay_minutes: Floats) -> dict[str, int]:
    """Return how many departures had each delay, by whole minutes as text, rising: a climatology at rest."""
    minutes, counts = np.unique(delay_minutes.astype(np.int64), return_counts=True)
    return {str(minute): int(n) for minute, n in zip(minutes.tolist(), counts.tolist(), strict=True)}


def distribution_scores(
    delay_minutes: Floats,
    log_odds: Floats,
    delay_range: tuple[float, float],
    climatology: Climatology,
) -> DistributionScores:
    """Score the distributions of *log_odds* (n, thresholds, not crossing) against the delays that came (n,).

    *delay_range* is the curve's two ends in minutes.
    """
    minutes, values = curve_many(log_odds, THRESHOLDS_MINUTES, *delay_range)
    return DistributionScores(
        crps_of_each(delay_minutes, minutes, values),
        climatology.crps_of_each(delay_minutes),
        held_of_each(delay_minutes, minutes, values, BAND_80),
    )


def crps_of_each(delay_minutes: Floats, minutes: Floats, values: Floats) -> Floats:
    """Return the continuous ranked probability score of each row's curve, in minutes; 0 is perfect.

    The integral over m of (P(delay <= m) - [came <= m])^2 (Matheson and Winkler 1976), in closed form: between two
    knots the log-odds are straight, and the integral of a squared logistic curve is softplus less logistic.
    """
    total: Floats = np.maximum(minutes[0] - delay_minutes, 0.0) + np.maximum(delay_minutes - minutes[-1], 0.0)
    for k in range(len(minutes) - 1):
        start, end = minutes[k], minutes[k + 1]
        if end > start:
            first, last = values[:, k], values[:, k + 1]
            part = (np.clip(delay_minutes, start, end) - start) / (end - start)
            there = first + part * (last - first)
            total += (end - start) * part * _mean_square(-first, -there)
            total += (end - start) * (1.0 - part) * _mean_square(there, last)
    return total


def held_of_each(delay_minutes: Floats, minutes: Floats, values: Floats, band: tuple[float, float]) -> Floats:
    """Return the part of each delay's whole minute that lies in its row's *band* of probability, 0 to 1.

    A delay of k minutes has the curve's stretch from k - 1 to k. Where the edge of the band cuts it, it counts by the
    part of its probability inside, so that a curve that is right has exactly the band's share on average (the
    non-randomised PIT of Czado, Gneiting and Held 2009); counting it whole would flatter by half a minute's share.
    """
    upper = 1.0 - exceedance(delay_minutes, minutes, values)
    lower = 1.0 - exceedance(delay_minutes - 1.0, minutes, values)
    inside = np.clip(np.minimum(upper, band[1]) - np.maximum(lower, band[0]), 0.0, None)
    wide = upper > lower
    held: Floats = np.where(wide, inside / np.where(wide, upper - lower, 1.0), 0.0)
    return held


def exceedance(at_minutes: Floats, minutes: Floats, values: Floats) -> Floats:
    """Return P(delay > *at_minutes*) of each row's curve: 1 before its first knot, 0 from its last on."""
    place = np.clip(np.searchsorted(minutes, at_minutes, side="right") - 1, 0, len(minutes) - 2)
    rows = np.arange(len(at_minutes))
    start, end = minutes[place], minutes[place + 1]
    part = np.clip((at_minutes - start) / np.where(end > start, end - start, 1.0), 0.0, 1.0)
    first, last = values[rows, place], values[rows, place + 1]
    inside = _logistic(first + part * (last - first))
    found: Floats = np.where(at_minutes < minutes[0], 1.0, np.where(at_minutes >= minutes[-1], 0.0, inside))
    return found


def _mean_square(first: Floats, last: Floats) -> Floats:
    """Return the mean of the squared logistic curve over log-odds that run straight from *first* to *last*."""
    run = last - first
    flat = np.abs(run) < _FLAT
    closed = (_integral(last) - _integral(first)) / np.where(flat, 1.0, run)
    mean: Floats = np.where(flat, _logistic((first + last) / 2.0) ** 2, closed)
    return mean


def _integral(log_odds: Floats) -> Floats:
    whole: Floats = np.logaddexp(0.0, log_odds) - _logistic(log_odds)
    return whole


def _logistic(log_odds: Floats) -> Floats:
    half: Floats = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    return half
