"""The record of a comparison: everything it found, with the machine, versions, command and data it was found on."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from atraso.core.keys import MINUTES_A_DAY
from atraso.sources.reading import Reading
from atraso.training.choice import Choice
from atraso.training.compare import Comparison
from atraso.training.holidays import iso
from atraso.training.package import data_fingerprint

LIBRARIES = ("atraso", "catboost", "interpret-core", "lightgbm", "numpy", "scikit-learn", "xgboost-cpu")


def about_run(command: str, source: str, reading: Reading) -> dict[str, Any]:
    """Return what a record says of the run: when, by which command, on which machine, with what, from which data."""
    local = reading.departures.flights.scheduled_local
    return {
        "command": command,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "data": {
            "source": source,
            "departures": len(reading.departures),
            "from": iso(int(local.min()) // MINUTES_A_DAY),
            "to": iso(int(local.max()) // MINUTES_A_DAY),
            "fingerprint": data_fingerprint(reading.departures),
        },
    }


def record_of(found: Comparison, about: dict[str, Any]) -> dict[str, Any]:
    """Return *found* and what is said *about* the run as one object for JSON; a score that cannot be told is null."""
    record: dict[str, Any] = without_nan(
        {
            **about,
            "complete": found.complete,
            "months": {"judged": found.months.judged, "calibrating": found.months.calibrating},
            "failed": found.failed,
            "wall_s": found.wall_s,
            "cpu_s": found.cpu_s,
            "peak_bytes": found.peak_bytes,
            "candidates": [{"name": c.name, "additive": c.additive, "about": c.about} for c in found.candidates],
            "leads": {name: _of_lead(choice) for name, choice in found.choices.items()},
        }
    )
    return record


def _of_lead(choice: Choice) -> dict[str, Any]:
    told = asdict(choice)
    if choice.interacting is not None:
        told["interacting"]["worth_pairs"] = choice.interacting.worth_pairs
    del told["lead"]
    return {**told, "in_words": choice.in_words()}


def without_nan(value: Any) -> Any:
    """Return *value*, an object for JSON, with null for each NaN: a score that cannot be told."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN alone differs
