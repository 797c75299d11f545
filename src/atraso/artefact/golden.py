"""Golden answers: what a model must say of the flights in its manifest, and whether it was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atraso.artefact.manifest import GoldenFlight
from atraso.artefact.scorer import GOLDEN_TOLERANCE

THRESHOLDS = ("0", "15", "30", "60")


def question_of(golden: GoldenFlight) -> dict[str, str]:
    """Return a golden flight as it is asked of a service."""
    return {
        "airline": golden.airline,
        "flight_number": golden.flight_number,
        "origin": golden.origin,
        "destination": golden.destination,
        "scheduled_departure": golden.scheduled_departure,
    }


def differences(golden: Sequence[GoldenFlight], predictions: Any) -> list[str]:
    """Return in words what is not as it must be in the *predictions* of an answer; nothing where all is.

    Ids and words are left out: probabilities are compared, within 1e-9, and the basis must be the schedule.
    """
    if not isinstance(predictions, list) or len(predictions) != len(golden):
        return [f"{len(golden)} flights were asked, and not so many are answered"]
    return [
        difference
        for flight, given in zip(golden, predictions, strict=True)
        if (difference := _difference(flight, given)) is not None
    ]


def _difference(golden: GoldenFlight, given: Any) -> str | None:
    name = f"{golden.airline} {golden.flight_number} to {golden.destination} at {golden.scheduled_departure}"
    if not isinstance(given, Mapping) or not isinstance(given.get("exceeds"), Mapping):
        return f"{name}: no prediction"
    if given.get("basis") != "schedule":
        return f"{name}: the basis is {given.get('basis')!r}, not 'schedule'"
    asked = {"delay_probability": golden.delay_probability} | {
        f"exceeds {minutes}": value for minutes, value in zip(THRESHOLDS, golden.exceeds, strict=True)
    }
    told = {"delay_probability": given.get("delay_probability")} | {
        f"exceeds {minutes}": given["exceeds"].get(minutes) for minutes in THRESHOLDS
    }
    for what, value in asked.items():
        said = told[what]
        # Written so that NaN, which JSON of others may hold, differs too.
        if not isinstance(said, int | float) or not abs(said - value) <= GOLDEN_TOLERANCE:
            return f"{name}: {what} is {said!r}, not {value!r}"
    return None
