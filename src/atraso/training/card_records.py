"""The records a model card is told from: read, and held against the model they are to be told of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from atraso.artefact.manifest import Manifest
from atraso.core.errors import SourceError

Record = Mapping[str, Any]
SHOWN = ("schedule", "12h", "1h")  # the leads that the tables by month and airline have room for


@dataclass(frozen=True, slots=True)
class Records:
    """What the card is told from, beside the manifest of its model.

    `rolling` and `without_schedule` are what `atraso evaluate --rolling --json` printed for the recipe the model was
    trained with, `comparison` is the record of `atraso train --compare --out`, `beside` has the manifests of models of
    other airports by the same recipe.
    """

    rolling: Record
    without_schedule: Record | None = None
    comparison: Record | None = None
    beside: tuple[Manifest, ...] = ()


def read_records(
    manifest: Manifest, rolling: Path, without_schedule: Path | None, comparison: Path | None, beside: Iterable[Path]
) -> Records:
    """Return the records at these places; raises SourceError for one that is not what it is to be, or of other data."""
    told = read_rolling(rolling)
    bare = read_rolling(without_schedule) if without_schedule is not None else None
    compared = read_record(comparison, "leads", "candidates", "months", "data") if comparison is not None else None
    for path, record in ((rolling, told), (without_schedule, bare), (comparison, compared)):
        if record is None:
            continue
        if not record.get("complete", True):
            raise SourceError(f"{path} is of a comparison that was interrupted: let it run to its end")
        data = record["data"]
        if not isinstance(data, dict) or data.get("fingerprint") != manifest.training_data:
            raise SourceError(f"{path} was made from other departures than model {manifest.version} was trained on")
    if not told["schedule"] or (bare is not None and bare["schedule"]):
        raise SourceError("the record of the rolling months is to be made with the schedule, the second one without")
    return Records(told, bare, compared, tuple(_manifest_at(path) for path in beside))


def read_rolling(path: Path) -> Record:
    """Return the record of the rolling months at *path*; raises SourceError where it is not one of all leads."""
    record = read_record(path, "rolling", "schedule", "leads", "paired", "random_split", "data")
    try:
        whole = all(
            {"auc", "months", "airlines", "reliability", "mistakes"} <= set(scores)
            and {"auc", "f1"} <= set(record["random_split"]["leads"][name])
            for name, scores in record["leads"].items()
        ) and set(SHOWN) <= set(record["leads"])
    except (AttributeError, KeyError, TypeError):
        whole = False
    if not whole:
        raise SourceError(f"{path} is not what `atraso evaluate --rolling 5:12 --json` prints of all leads")
    return record


def read_record(path: Path, *needed: str) -> Record:
    """Return the JSON object at *path*; raises SourceError where it is not one, or lacks a key that is *needed*."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read as a record: {error}") from error
    absent = [key for key in needed if not isinstance(record, dict) or key not in record]
    if absent:
        raise SourceError(f"{path} is not the record that is asked for: it has no {absent[0]!r}")
    return dict(record)


def _manifest_at(path: Path) -> Manifest:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise SourceError(f"{path} cannot be read as the manifest of a model: {error}") from error
