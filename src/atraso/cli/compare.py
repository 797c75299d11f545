"""`atraso train --compare`: candidates side by side, as tables, in words and as a record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atraso.core.errors import SettingsError
from atraso.core.leads import LEAD_BY_NAME

if TYPE_CHECKING:
    from rich.table import Table

    from atraso.training.choice import Choice
    from atraso.training.compare import Comparison


def compare_candidates(
    source: str,
    data: str | None,
    origin: str | None,
    out: Path | None,
    replace: bool,
    lead: str | None,
    candidates: tuple[str, ...],
    rejects: Path | None,
    as_json: bool,
) -> None:
    """Compare, show what was found, and keep it in *out* lead by lead; an interruption shows what there is.

    Ends with exit code 1 where a candidate failed (the others are shown), 130 where it was interrupted. Raises
    SettingsError for a record that could not be written and a candidate nobody knows, before anything is read.
    """
    import json

    from rich.console import Console

    from atraso.cli.show import bar, read_shown
    from atraso.sources.airports import origins_of
    from atraso.training.candidates.registry import chosen
    from atraso.training.compare import compare
    from atraso.training.comparison_record import about_run, record_of
    from atraso.training.holidays import days_off_for

    wanted = chosen(candidates)
    if out is not None:
        if data is not None and data != "-" and Path(data).resolve() == out.resolve():
            raise SettingsError(f"--out {out} names the file that is read; choose another")
        _check_record(out, replace=replace)
    origins = origins_of(origin)
    reading = read_shown(source, data, rejects, origins)
    about = about_run(_command(source, data, origin, lead, candidates), source, reading)

    def keep(found: Comparison) -> None:
        if out is not None:
            _write(out, json.dumps(record_of(found, about), indent=1, allow_nan=False) + "\n")

    calendar = days_off_for(reading.departures.flights)
    leads = [lead] if lead else list(LEAD_BY_NAME)
    with bar("comparing") as progress:
        found = compare(reading.departures, reading.unflown, calendar, leads, wanted, progress=progress, chosen=keep)
    keep(found)
    if as_json:
        click.echo(json.dumps(record_of(found, about), allow_nan=False))
    else:
        console = Console(file=sys.stdout)
        for choice in found.choices.values():
            console.print(_table(choice))
            console.print(*choice.in_words(), sep="\n", highlight=False, soft_wrap=True)
            console.print()
        for name, why in found.failed.items():
            console.print(f"{name}: no candidate has scores. {why}", highlight=False, soft_wrap=True)
        console.print(_footing(found), highlight=False, soft_wrap=True)
        if out is not None:
            console.print(f"record in {out}", highlight=False, soft_wrap=True)
    if not found.complete:
        raise click.exceptions.Abort
    if found.failed or any(choice.failed for choice in found.choices.values()):
        sys.exit(1)


def _table(choice: Choice) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    months = f"months {', '.join(map(str, choice.months))}"
    table = Table(
        title=f"{choice.lead}: {months}, {choice.n:,} flights, {choice.late_rate:.1%} late",
        title_justify="left",
        title_style="",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("candidate", no_wrap=True)
    for heading in ("log loss ±SE", "to the best [95 %]", "AUC", "skill", "ECE", "CPU s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for scored in choice.candidates:
        loss, distance = scored.log_loss, scored.to_best
        table.add_row(
            f"{scored.name} *" if scored.name == choice.chosen else scored.name,
            _short(f"{loss.value:.4f} ±{loss.se:.4f}"),
            "best"
            if scored.name == choice.best
            else _short(f"{distance.value:+.4f} [{distance.low:+.4f} {distance.high:+.4f}]"),
            _short(f"{scored.auc:.3f}"),
            f"{scored.brier_skill:.1%}",
            _short(f"{scored.ece:.3f}"),
            f"{scored.fit_cpu_s:.0f}",
        )
    return table


def _short(numbers: str) -> str:
    return numbers.replace("0.", ".")  # all are below one; a terminal of 80 columns has no room for the zeros


def _footing(found: Comparison) -> str:
    cut = [f"{c.name}: {c.about}" for c in found.candidates if "cut for " in c.about]
    lines = [
        "Every month is predicted from those before it. SE and intervals resample whole days, the same for all; the "
        "distance to the best decides by its own SE. Spread calibrated as the product does it; the schedule's lead "
        "is the mean over a month's luck.",
        "* simplest within one SE. CPU s: all fits; the scorecard's are of all its thresholds, each fitted twice.",
        *cut,
        f"{found.wall_s:.0f} s, {found.cpu_s:.0f} CPU s, at most {found.peak_bytes / 1e9:.1f} GB in all processes.",
    ]
    if not found.complete:
        lines.append("Interrupted: what was done by then is shown.")
    return "\n".join(lines)


def _command(source: str, data: str | None, origin: str | None, lead: str | None, candidates: tuple[str, ...]) -> str:
    import shlex

    words = ["atraso", "train", "--compare", "--source", source]
    words += ["--data", Path(data).name] if data else []
    words += ["--origin", origin] if origin else []
    words += ["--lead", lead] if lead else []
    return shlex.join([*words, *(word for name in candidates for word in ("--candidate", name))])


def _check_record(out: Path, *, replace: bool) -> None:
    if out.is_dir():
        raise SettingsError(f"--out {out} is a folder; the record of a comparison is a file such as {out / 'x.json'}")
    if out.exists() and not replace:
        raise SettingsError(f"{out} exists already; name another file, or say --replace")
    if not out.parent.is_dir():
        raise SettingsError(f"the record cannot be written: there is no folder {out.parent}")


def _write(out: Path, text: str) -> None:
    from atraso.cli.outputs import written_whole

    with written_whole(str(out)) as stream:
        stream.write(text.encode())
