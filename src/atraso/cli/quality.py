"""`atraso quality`: how right the predictions were, and whether the flights have drifted, read from the ledger."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from atraso.core.drift import Reference
    from atraso.ledger.quality_report import GroupDrift, LeadQuality, Quality
    from atraso.settings import Settings

ALL_MODELS = "all"
TABLE_WIDTH = 132
EXAMPLE = """\b
Example:
  atraso quality --days 28 --html quality.html
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]"
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 3660), metavar="N",
    help="Flights that were due in the last N days.  [default: ATRASO_QUALITY_DAYS]",
)  # fmt: skip
@click.option("--lead", type=click.Choice(["schedule", "24h", "12h", "3h", "1h", "30m"]), help="Only this lead.")
@click.option(
    "--model", metavar="VERSION|all", help="Whose predictions; all judges those of all models.  [default: that in use]"
)
@click.option("--json", "as_json", is_flag=True, help="Print what /v1/quality answers.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a page as well.")
def quality(
    data: Path | None, days: int | None, lead: str | None, model: str | None, as_json: bool, html: Path | None
) -> None:
    """Judge the predictions in the ledger by the departures in it, beside the running service or without one.

    Each flight counts once per lead, with its latest prediction before it left. The probability of more than 15 minutes
    is scored: Brier score, skill against the base rate said with it, AUC, calibration error; in brackets 95 % intervals
    over whole days. Drift compares the flights with those the model was made of.
    """
    import msgspec
    from rich.console import Console

    from atraso.cli.outputs import written_whole
    from atraso.cli.quality_page import quality_page
    from atraso.cli.show import say
    from atraso.ledger.database import ledger_url
    from atraso.ledger.quality import judge_ledger
    from atraso.ledger.quality_rows import Window
    from atraso.settings import load_settings

    settings = load_settings(os.environ, flags={} if data is None else {"data": data})
    url = ledger_url(settings.data.absolute(), settings.ledger_url.reveal() if settings.ledger_url else None)
    version, reference = _model(settings, model, drift=lead is None)
    window = Window(int(time.time()), days or settings.quality_days, version, lead)
    found = judge_ledger(url, window, reference)
    if html is not None:
        with written_whole(str(html)) as stream:
            stream.write(quality_page(found).encode())
        say(f"the page is in {html}")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
        return
    console = Console(width=max(Console().width, TABLE_WIDTH))
    if found.leads:
        console.print(_table(found))
    for line in (_counts(found), *(_drift_line(group, told) for group, told in found.drift.items())):
        click.echo(line)
    if reference is not None and not found.drift:
        click.echo("drift: too few flights to tell")


def _model(settings: Settings, asked: str | None, *, drift: bool) -> tuple[str | None, Reference | None]:
    """Return whose predictions are judged (None: all) and what the model to compare with was made of."""
    from atraso.artefact.bundle import read_manifest
    from atraso.artefact.reference import reference_of
    from atraso.artefact.scorer import load_scorer
    from atraso.bootstrap import model_folder, model_store
    from atraso.cli.show import say

    folder: Path | None = model_folder(settings)
    assert folder is not None
    version = read_manifest(folder).version
    if asked is not None and asked not in (ALL_MODELS, version):
        at_hand = {manifest.version: path for path, manifest in model_store(settings).manifests()}
        version, folder = asked, at_hand.get(asked)
        if folder is None and drift:
            say(f"note: the model {asked} is not at hand: there is nothing to compare the flights with")
    reference = None
    if drift and folder is not None:
        reference = reference_of(load_scorer(folder, verify_key=settings.model_verify_key))
    return None if asked == ALL_MODELS else version, reference


def _table(found: Quality) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    whose = "all models" if found.model_version == ALL_MODELS else f"model {found.model_version}"
    table = Table(title=f"{whose}, flights due in the last {found.days} days", box=SIMPLE_HEAD)
    for heading in ("lead", "flights", "delayed", "said", "Brier", "skill", "AUC", "ECE"):
        table.add_column(heading, justify="left" if heading == "lead" else "right", no_wrap=True)
    for lead, scores in found.leads.items():
        table.add_row(lead, *_cells(scores))
    return table


def _cells(scores: LeadQuality) -> list[str]:
    def between(value: float | None, interval: tuple[float, float] | None, form: str) -> str:
        told = "-" if value is None else f"{value:{form}}"
        return told if interval is None or value is None else f"{told} \\[{interval[0]:{form}} {interval[1]:{form}}]"

    return [
        f"{scores.n:,}",
        f"{scores.delayed / scores.n:.1%}",
        f"{scores.said:.1%}",
        between(scores.brier_score, scores.brier_score_95, ".4f"),
        between(scores.brier_skill, scores.brier_skill_95, ".1%"),
        between(scores.auc, scores.auc_95, ".3f"),
        f"{scores.ece:.4f}",
    ]


def _counts(found: Quality) -> str:
    counts = found.counts
    line = (
        f"judged {counts.judged:,}; waiting {counts.waiting:,}; without a departure {counts.without_departure:,}; "
        f"asked after they had left {counts.already_left:,}; cancelled {counts.cancelled:,} "
        "(flights, each once per lead)"
    )
    return line if found.complete else f"{line}; only the latest predictions were looked at"


def _drift_line(group: str, found: GroupDrift) -> str:
    against = "of the window before" if found.threshold is None else "in training"
    verdict = "" if found.threshold is None else f", {'DRIFT: over' if found.alarm else 'below'} {found.threshold:g}"
    moved = found.moved
    return (
        f"drift of {group}: {found.psi:.3f}{verdict}; most in {moved.value}: {moved.found:.1%} now, "
        f"{moved.expected:.1%} {against} ({found.n:,} flights)"
    )
