"""Calibration: one number per threshold that says how far a score may be trusted, learnt on flights the fit never saw.

Only the spread of the log-odds is set, around their mean; the level stays. A level learnt on the last months, as with
both numbers of Platt (1999), carries their luck into the next ones: between the months of 2017 the late rate runs from
12 to 28 %.

The schedule's lead has one number for good. From the schedule alone nobody can tell a quiet month from a rough one, so
what can be said of a flight is the mean over all the luck its month may have. For luck in the log-odds of variance v
that mean is close to log-odds divided by sqrt(1 + pi v / 8) (MacKay 1992): everything is drawn a little towards even.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from atraso.core.scorecard import THRESHOLDS_MINUTES, Scorecard
from atraso.training.fit import fit_line

Floats = NDArray[np.float64]

# The spread is pulled towards "as it is" as if this many further flights had shown the raw score to be right.
PRIOR_FLIGHTS = 500

# The variance of a month's luck in log-odds: of those tried, the least whose log loss on the months May to September of
# 2017 is within one standard error of the best. The months March to September were missed by 0.10 in the mean square.
MONTH_LUCK_VARIANCE = 0.25
EVENED = 1.0 / math.sqrt(1.0 + math.pi * MONTH_LUCK_VARIANCE / 8.0)


def spread_lines(log_odds: Floats, delay_minutes: Floats) -> Floats:
    """Return (thresholds, 2): shift and slope per threshold, from raw *log_odds* (n, thresholds) and what happened.

    The shift keeps the mean of the log-odds where it is.
    """
    lines = []
    for k, minutes in enumerate(THRESHOLDS_MINUTES):
        happened = delay_minutes > minutes
        if happened.all() or not happened.any():
            lines.append((0.0, 1.0))
            continue
        _, slope = fit_line(log_odds[:, k], happened)
        slope = 1.0 + len(happened) / (len(happened) + PRIOR_FLIGHTS) * (slope - 1.0)
        lines.append(((1.0 - slope) * float(log_odds[:, k].mean()), slope))
    return np.array(lines)


def lines_over_luck() -> Floats:
    """Return (thresholds, 2): no shift, and the slope that takes the mean over a month's luck, at every threshold."""
    return np.tile((0.0, EVENED), (len(THRESHOLDS_MINUTES), 1))


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
