"""Calibration: two numbers per threshold that turn a score into a probability, learnt on flights the fit never saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atraso.core.scorecard import THRESHOLDS_MINUTES, Scorecard
from atraso.training.fit import fit_line

Floats = NDArray[np.float64]

# Shift and slope are pulled towards (0, 1) as if this many further flights had shown the raw score to be right.
PRIOR_FLIGHTS = 500


def platt_lines(log_odds: Floats, delay_minutes: Floats) -> Floats:
    """Return (thresholds, 2): shift and slope per threshold, from raw *log_odds* (n, thresholds) and what happened."""
    lines = []
    for k, minutes in enumerate(THRESHOLDS_MINUTES):
        happened = delay_minutes > minutes
        if happened.all() or not happened.any():
            lines.append((0.0, 1.0))
            continue
        shift, slope = fit_line(log_odds[:, k], happened)
        trust = len(happened) / (len(happened) + PRIOR_FLIGHTS)
        lines.append((trust * shift, 1.0 + trust * (slope - 1.0)))
    return np.array(lines)


def calibrated(card: Scorecard, lines: Floats) -> Scorecard:
    """Return the scorecard with each threshold's numbers scaled and shifted by its line: still a scorecard."""
    shift, slope = lines[:, 0], lines[:, 1]
    return Scorecard(
        card.lead,
        card.schedule,
        shift + slope * card.bias,
        tuple(step.scaled(slope) for step in card.steps),
        card.reference,
        card.weight,
    )
