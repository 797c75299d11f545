"""`atraso model compare`: whether to change to a challenger, read from the ledger."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from atraso.ledger.comparison import Comparison, Difference, PairScores
    from atraso.settings import Settings

TABLE_WIDTH = 132
EXIT_NO = 1
EXAMPLE = """\b
Exit codes: 0 switch; 1 stay, not decided, or too few; 2 something to correct.
Example:
  atraso model compare 2017.1+c68a5c --days 28
"""


@click.command(epilog=EXAMPLE)
@click.argument("challenger_version", required=False)
@click.option("--champion", metavar="VERSION", help="Model that it is compared with.  [default: that in use]")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]"
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 3660), metavar="N",
    help="Flights that were due in the last N days.  [default: ATRASO_QUALITY_DAYS]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compare(
    challenger_version: str | None,
    champion: str | None,
    data: Path | None,
    days: int | None,
    as_json: bool,
) -> None:
    """Say whether to change to the model of CHALLENGER_VERSION, which shadowed the one in use (ATRASO_CHALLENGER).

    Both are judged by the departures in the ledger, on the same questions: the same flight, lead, basis and moment.
    Differences are challenger minus champion, below 0 is better, with 95 % intervals over whole days. `switch` is said
    when that of the log loss over all leads is wholly below 0 and no lead's is wholly above; `stay` when it is wholly
    above; `not decided` otherwise; `too few` with fewer than 500 flights or 7 days.
    """
    import msgspec
    from rich.console import Console

    from atraso.core.errors import SettingsError
    from atraso.ledger.comparison import SWITCH, has_answers
    from atraso.ledger.comparison import compare as compared
    from atraso.ledger.database import ledger_url
    from atraso.ledger.quality import reading_ledger
    from atraso.ledger.quality_rows import Window
    from atraso.settings import load_settings

    settings = load_settings(os.environ, flags={} if data is None else {"data": data})
    ours, theirs = _versions(settings, champion, challenger_version)
    window = Window(int(time.time()), days or settings.quality_days, ours, other_version=theirs)
    url = ledger_url(settings.data.absolute(), settings.ledger_url.reveal() if settings.ledger_url else None)
    with reading_ledger(url) as connection:
        for version in (ours, theirs):
            if not has_answers(connection, version) and not _at_hand(settings, version):
                raise SettingsError(
                    f"There is no model {version}: it is not among those at hand (`atraso model list`), and the ledger "
                    "has no answer of it."
                )
        found = compared(connection, window)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        if found.overall is not None:
            console = Console(width=max(Console().width, TABLE_WIDTH))
            console.print(_table(found, found.overall))
        click.echo(_sentence(found))
    sys.exit(0 if found.verdict == SWITCH else EXIT_NO)


def _versions(settings: Settings, champion: str | None, challenger: str | None) -> tuple[str, str]:
    """Return the versions of champion and challenger, which differ."""
    from atraso.artefact.bundle import read_manifest
    from atraso.bootstrap import model_folder, model_store
    from atraso.bootstrap.challenger_choice import challenger_folder
    from atraso.core.errors import SettingsError

    if challenger is None:
        if not settings.challenger:
            raise SettingsError("Nothing says which model is compared: name its version, or set ATRASO_CHALLENGER.")
        challenger = read_manifest(challenger_folder(settings.challenger, model_store(settings))).version
    champion = champion or read_manifest(model_folder(settings)).version
    if champion == challenger:
        raise SettingsError(f"{champion} is the model in use: name another, or --champion VERSION.")
    return champion, challenger


def _at_hand(settings: Settings, version: str) -> bool:
    """Return whether *version* is the model in use, the challenger, or one of the data folder."""
    from atraso.artefact.bundle import read_manifest
    from atraso.bootstrap import model_folder, model_store
    from atraso.bootstrap.challenger_choice import challenger_folder
    from atraso.core.errors import ArtefactError

    store = model_store(settings)
    folders: list[Callable[[], Path]] = [lambda: model_folder(settings), lambda: store.folder_of(version)]
    if settings.challenger:
        folders.append(lambda: challenger_folder(str(settings.challenger), store))
    for folder in folders:
        with contextlib.suppress(ArtefactError):
            if read_manifest(folder()).version == version:
                return True
    return False


def _table(found: Comparison, overall: PairScores) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = f"champion {found.champion}, challenger {found.challenger}: flights due in the last {found.days} days"
    table = Table(title=title, box=SIMPLE_HEAD)
    for heading in ("lead", "answers", "log loss", "challenger", "difference", "Brier", "challenger", "difference"):
        table.add_column(heading, justify="left" if heading == "lead" else "right", no_wrap=True)
    for lead, scores in found.leads.items():
        table.add_row(lead, f"{scores.n:,}", *_cells(scores.log_loss), *_cells(scores.brier_score))
    table.add_section()
    table.add_row("all", f"{overall.n:,}", *_cells(overall.log_loss), *_cells(overall.brier_score))
    return table


def _cells(told: Difference) -> tuple[str, str, str]:
    interval = "" if told.low is None or told.high is None else f" \\[{told.low:+.4f} {told.high:+.4f}]"
    return f"{told.champion:.4f}", f"{told.challenger:.4f}", f"{told.difference:+.4f}{interval}"


def _sentence(found: Comparison) -> str:
    few = "; only the latest were looked at" if not found.complete else ""
    return (
        f"{found.verdict}: {found.flights:,} flights on {found.judged_days} days were answered by both and have left; "
        f"{found.unpaired:,} answers stand alone{few}"
    )
