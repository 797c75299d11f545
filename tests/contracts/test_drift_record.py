"""The thresholds of drift are those that were measured."""

from __future__ import annotations

import json
from pathlib import Path

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.ledger.drift import LEAST_FLIGHTS, THRESHOLDS

ROOT = Path(__file__).parents[2]
RECORD = json.loads((ROOT / "docs" / "records" / "drift.json").read_text("utf-8"))


def test_the_record_is_of_these_thresholds_and_this_model() -> None:
    """Change one and measure again: `python -m benchmarks.drift_alarms`."""
    for name in ("false_alarms", f"false_alarms_of_{LEAST_FLIGHTS}_flights"):
        assert {group: found["threshold"] for group, found in RECORD[name].items()} == THRESHOLDS
    assert RECORD["model"] == read_manifest(BUNDLED).version


def test_what_is_promised_of_false_alarms_was_measured() -> None:
    """At most one month in a hundred, in every group and for the smallest months that are compared."""
    for name in ("false_alarms", f"false_alarms_of_{LEAST_FLIGHTS}_flights"):
        assert max(found["false_alarm_rate"] for found in RECORD[name].values()) <= 0.01


def test_the_page_tells_the_record_s_numbers() -> None:
    """The table of drift in the documents is that of the record."""
    page = (ROOT / "docs" / "09-quality.md").read_text("utf-8")
    for group, found in RECORD["false_alarms"].items():
        few = RECORD[f"false_alarms_of_{LEAST_FLIGHTS}_flights"][group]
        row = (
            f"| {group} | {found['threshold']:g} | {found['median']:.3f} | {found['percentile_99']:.3f} | "
            f"{found['false_alarm_rate']:.2%} | {few['false_alarm_rate']:.2%} |"
        )
        assert row in page
