"""What makes an answer a prediction: the probability of each flight that was asked for, from 0 to 1."""

from __future__ import annotations

import re

SIGN = b'"delay_probability":'  # nothing but a prediction says it
_WHOLE = re.compile(
    re.escape(SIGN) + rb"\s*(?:0(?:\.\d+)?(?:[eE]-\d+)?|1(?:\.0+)?|[1-9](?:\.\d+)?[eE]-\d+)\s*[,}]",
)


def is_prediction(answer: bytes, flights: int) -> bool:
    """Return whether *answer* holds a probability for each of so many *flights*, and for no more."""
    return answer.count(SIGN) == flights == len(_WHOLE.findall(answer))
