"""What makes an answer a prediction: the probability of each flight that was asked for, from 0 to 1."""

from __future__ import annotations

import re

SIGN = b'"delay_probability":'  # nothing but a prediction says it
_MOST = SIGN + b"0."
_VALUES = re.compile(re.escape(SIGN) + rb"\s*([^,}\s]*)")


def is_prediction(answer: bytes, flights: int) -> bool:
    """Return whether *answer* holds a probability for each of so many *flights*, and for no more."""
    if answer.count(SIGN) != flights:
        return False
    return answer.count(_MOST) == flights or all(_is_probability(value) for value in _VALUES.findall(answer))


def _is_probability(value: bytes) -> bool:
    try:
        return 0.0 <= float(value) <= 1.0
    except ValueError:
        return False
