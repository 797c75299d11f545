"""How the command line shows things: a progress bar on a terminal, a sentence on standard error, a table of scores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from atraso.core.errors import SettingsError

if TYPE_CHECKING:
    from atraso.sources.reading import Reading

# Score -> heading and form; a terminal of 80 columns has room for these beside "schedule, no schedule".
SCORE_COLUMNS = {
    "auc": ("AUC", ".3f"),
    "brier_score": ("Brier", ".4f"),
    "brier_skill": ("skill", ".1%"),
    "log_loss": ("log loss", ".4f"),
    "ece": ("ECE", ".4f"),
    "crps_skill": ("CRPS", ".1%"),
    "coverage_80": ("band", ".1%"),
}
RANDOM_SPLIT_COLUMNS = {
    "auc": ("AUC", ".3f"),
    "brier_skill": ("skill", ".1%"),
    "f1": ("F1", ".3f"),
    "precision": ("precision", ".3f"),
    "recall": ("recall", ".3f"),
    "threshold": ("called from", ".3f"),
}


def say(sentence: str) -> None:
    """Print a sentence on standard error, where it does not mix with results."""
    print(sentence, file=sys.stderr)  # noqa: T201 - the command line's own voice


def read_shown(source: str, data: str | None, rejects: Path | None = None, origins: Collection[str] = ()) -> Reading:
    """Read a source with a progress bar; rows that were rejected go to a report, which is named with their count.

    With *origins* (ICAO) only their departures are kept. The report is *rejects*, or the data's own name with
    .rejects.csv in the current folder.
    """
    from atraso.sources.reading import write_rejects
    from atraso.sources.registry import read

    if data is not None and rejects is not None and data != "-" and Path(data).resolve() == rejects.resolve():
        raise SettingsError(f"--rejects {rejects} names the file that is read; choose another")
    with bar("reading departures") as progress:
        reading = read(source, data, progress).of_origins(origins)
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
    """Return scores by lead as a table to print; a score that cannot be told is a dash."""
    table = _table(title, (heading for heading, _ in SCORE_COLUMNS.values()))
    for lead, values in scores.items():
        table.add_row(lead, *(_shown(values.get(name), form) for name, (_, form) in SCORE_COLUMNS.items()))
    judged = sorted({(values["n"], values["base_rate"]) for values in scores.values()})
    table.caption = (
        f"late: {', '.join(f'{rate:.1%} of {n:,.0f} flights' for n, rate in judged)}; "
        "CRPS: skill of the distribution; band: delays in its 10 to 90 %"
    )
    return table


def difference_lines(paired: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a line per pair of leads: how much better the first is, with the intervals of the paired comparison.

    None where there is no pair; else the first line says what the others are.
    """

    def told(values: Mapping[str, float], name: str, form: str) -> str:
        value, low, high = (_shown(values[key], form) for key in (name, f"{name}_low", f"{name}_high"))
        return f"{value} \\[{low} {high}]"

    lines = [
        f" {pair}: AUC {told(values, 'auc', '+.4f')}, skill {told(values, 'brier_skill', '+.2%')}"
        for pair, values in paired.items()
    ]
    return ["better than the lead before, both asked on the same days (95 % by days):", *lines] if lines else []


def random_split_table(
    drawn: Mapping[str, Mapping[str, float]], rolling: Mapping[str, Mapping[str, float]], warning: str
) -> Table:
    """Return the scores of a random split as a table to print, beside the AUC of the *rolling* months."""
    headings = [heading for heading, _ in RANDOM_SPLIT_COLUMNS.values()]
    table = _table("random split 67/33 of the rows, as a control", [*headings, "AUC rolling"])
    for lead, values in drawn.items():
        cells = [_shown(values[name], form) for name, (_, form) in RANDOM_SPLIT_COLUMNS.items()]
        table.add_row(lead, *cells, _shown(rolling[lead]["auc"], ".3f"))
    table.caption = f"WARNING: {warning}"
    return table


def _table(title: str, headings: Iterable[str]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("lead", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None or isnan(value) else format(value, form)
