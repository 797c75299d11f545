"""Durations as Prometheus writes them, and the arithmetic of burn rates; all of it exact."""

from __future__ import annotations

import re
from fractions import Fraction

UNITS_S = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
MILLISECOND = Fraction(1, 1000)
_FORM = re.compile(r"(\d+)(ms|[wdhms])")


def seconds(duration: str) -> Fraction:
    """Return how long a *duration* such as "1h30m" or "250ms" is; raise ValueError for what is none."""
    parts = _FORM.findall(duration)
    if not parts or "".join(map("".join, parts)) != duration:
        raise ValueError(f"{duration!r} is no duration: write it as 5m, 6h or 30d")
    return sum((int(n) * (MILLISECOND if unit == "ms" else Fraction(UNITS_S[unit])) for n, unit in parts), Fraction())


def duration(length_s: Fraction) -> str:
    """Return *length_s* as Prometheus writes it, in its largest whole unit; to the millisecond, and never nothing."""
    for unit in "dhms":
        if length_s >= UNITS_S[unit] and length_s % UNITS_S[unit] == 0:
            return f"{length_s / UNITS_S[unit]}{unit}"
    if length_s == 0:
        return "0s"
    return f"{max(1, round(length_s / MILLISECOND))}ms"


def shorter(text: str, times: int) -> str:
    """Return the duration *text* divided by *times*."""
    return duration(seconds(text) / times)


def time_to_alert_s(factor: Fraction, long_s: Fraction, budget: Fraction, error_ratio: Fraction) -> Fraction | None:
    """Return after how many seconds of *error_ratio* an alert of *factor* over a window of *long_s* fires, else None.

    A clean past is assumed, and that the short window follows in that time; scraping and evaluating come on top.
    Source: The Site Reliability Workbook, chapter 5, "detection time".
    """
    threshold = factor * budget
    return long_s * threshold / error_ratio if error_ratio > threshold else None
