"""The model card of the bundled artefact and the page's plots, from its manifest and the records in docs/records."""

from __future__ import annotations

import json
from pathlib import Path

from atraso.artefact.bundle import BUNDLED, read_artefact
from atraso.training.card_records import read_records, read_rolling
from atraso.training.reliability_diagram import diagram_of, reliability_svg
from atraso.training.report import model_card

PAGE = Path("docs/model-card.md")
DIAGRAM = diagram_of(PAGE)
KEPT = Path("docs/records")
# What the page draws of the card; it does so for this model and no other.
PLOTS = Path("src/atraso/web/static/card.json")
SCORES = ("n", "auc", "auc_low", "auc_high", "brier_skill", "ece")
DECIMALS = 4


def card() -> str:
    """Return the card."""
    manifest, _ = read_artefact(BUNDLED)
    elsewhere = sorted(KEPT.glob("*-manifest.json"))
    records = read_records(
        manifest, KEPT / "rolling.json", _kept("rolling-without-schedule.json"), _kept("comparison.json"), elsewhere
    )
    return model_card(manifest, records, DIAGRAM.name)


def _kept(name: str) -> Path | None:
    path = KEPT / name
    return path if path.is_file() else None


def diagram() -> str:
    """Return the reliability diagram as SVG."""
    return reliability_svg(read_rolling(KEPT / "rolling.json"))


def plots() -> str:
    """Return the scores by lead and the reliability diagram of the bundled model's recipe, for the page."""
    manifest, _ = read_artefact(BUNDLED)
    leads = {
        lead: {name: round(scores[name], DECIMALS) for name in SCORES}
        | {"reliability": [{name: round(found[name], DECIMALS) for name in ("said", "late")} for found in bins]}
        for lead, scores in read_rolling(KEPT / "rolling.json")["leads"].items()
        for bins in (scores["reliability"],)
    }
    return json.dumps({"checksum": manifest.checksum, "leads": leads}, separators=(",", ":")) + "\n"
