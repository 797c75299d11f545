"""How the command line shows things: a progress bar on a terminal, a sentence on standard error, a table of scores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from atraso.core.errors import SettingsError

if TYPE_CHECKING:
    from atraso.sources.reading import Reading

# Score -> heading and form; a terminal of 80 columns has room for these.
SCORE_COLUMNS = {
    "n": ("flights", ",.0f"),
    "auc": ("AUC", ".3f"),
    "average_precision": ("AP", ".3f"),
    "brier_score": ("Brier", ".4f"),
    "brier_skill": ("skill", ".1%"),
    "log_loss": ("log loss", ".4f"),
    "ece": ("ECE", ".4f"),
}


def say(sentence: str) -> None:
    """Print a sentence on standard error, where it does not mix with results."""
    print(sentence, file=sys.stderr)  # noqa: T201 - the command line's own voice


def read_shown(source: str, data: str | None, rejects: Path | None = None) -> Reading:
    """Read a source with a progress bar; rows that were rejected go to a report, which is named with their count.

    The report is *rejects*, or the data's own name with .rejects.csv in the current folder.
    """
    from atraso.sources.reading import write_rejects
    from atraso.sources.registry import read

    with bar("reading departures") as progress:
        reading = read(source, data, progress)
    say(reading.summary())
    if reading.rejects:
        name = Path(data).name.split(".")[0] if data and data != "-" else source
        report = rejects or Path(f"{name}.rejects.csv")
        try:
            write_rejects(reading.rejects, report)
        except OSError as error:
            raise SettingsError(
                f"the report of rejected rows cannot be written to {report}: {error.strerror}"
            ) from error
        say(f"rejected rows with their reasons: {report}")
    return reading


@contextmanager
def bar(what: str) -> Iterator[Callable[..., None]]:
    """Show a progress bar on standard error while the block runs, on a terminal only.

    Yields a function that takes (done, total) or (text, done, total); an unknown total shows as a pulse.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=None)

        def advance(*place: Any) -> None:
            text, done, total = place if len(place) == 3 else (what, *place)
            progress.update(task, description=str(text), completed=int(done), total=total)

        yield advance


def scores_table(scores: Mapping[str, Mapping[str, float]], title: str) -> Table:
    """Return scores by lead as a table to print."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("lead", no_wrap=True)
    for heading, _ in SCORE_COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for lead, values in scores.items():
        table.add_row(lead, *(format(values[name], form) for name, (_, form) in SCORE_COLUMNS.items()))
    rates = {values["base_rate"] for values in scores.values()}
    table.caption = f"late: {', '.join(f'{rate:.1%}' for rate in sorted(rates))} of the flights scored"
    return table
