"""The model card of the bundled artefact, from its manifest and the records kept in docs/records."""

from __future__ import annotations

from pathlib import Path

from atraso.artefact.bundle import BUNDLED, read_artefact
from atraso.training import report

PAGE = Path("docs/model-card.md")
DIAGRAM = report.diagram_of(PAGE)
ROLLING, COMPARISON = Path("docs/records/rolling.json"), Path("docs/records/comparison.json")


def card() -> str:
    """Return the card; the comparison is told where its record is kept."""
    manifest, _ = read_artefact(BUNDLED)
    compared = report.read_record(COMPARISON, "leads", "candidates", "months") if COMPARISON.is_file() else None
    return report.model_card(manifest, _rolling(), compared, DIAGRAM.name)


def diagram() -> str:
    """Return the reliability diagram as SVG."""
    return report.reliability_svg(_rolling())


def _rolling() -> report.Record:
    return report.read_rolling(ROLLING)
