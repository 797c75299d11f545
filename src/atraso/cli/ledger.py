"""`atraso ledger`: copies of what was said and what happened, bringing in what is known, forgetting what is old."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atraso.sources import SOURCES

if TYPE_CHECKING:
    from atraso.ledger.desk import Desk

# Tables, and what their rows are called.
TABLES = {"predictions": "predictions", "departures": "departures", "schedule": "scheduled flights"}
_data = click.option(
    "--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]"
)
_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_file_or_output = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))


@click.group(epilog="Example: atraso ledger backup ledger-monday.sqlite3")
def ledger() -> None:
    """Look after the ledger: predictions that were answered, departures, and the schedule.

    Beside a running service all goes through its writer; without one the ledger is used directly.
    """


@ledger.command(epilog="Example: atraso ledger backup ledger-monday.sqlite3")
@_file
@_data
def backup(file: Path, data: Path | None) -> None:
    """Write a whole copy of the ledger to the new FILE, while the service goes on."""
    _desk(data).backup(file)
    click.echo(f"the ledger is copied to {file}", err=True)


@ledger.command(epilog="Example: atraso ledger restore ledger-monday.sqlite3")
@_file
@_data
def restore(file: Path, data: Path | None) -> None:
    """Put the copy FILE in the ledger's place, while no service runs; the ledger before it is kept beside."""
    before = _desk(data).restore(file)
    click.echo(f"the ledger is that of {file}" + (f"; the one before is {before}" if before else ""), err=True)


@ledger.command(epilog="Example: atraso ledger prune --keep-days 30")
@click.option("--keep-days", type=click.IntRange(1, 36_500), required=True, help="Younger predictions stay.")
@_data
def prune(keep_days: int, data: Path | None) -> None:
    """Forget predictions that are older than so many days; departures and keys stay."""
    gone = _desk(data).prune(keep_days)
    click.echo(f"{gone:,} predictions older than {keep_days} days are forgotten", err=True)


@ledger.command(epilog="Example: atraso ledger export predictions.csv")
@_file_or_output
@click.option("--table", type=click.Choice(list(TABLES)), default="predictions", show_default=True, help="Which table.")
@_data
def export(file: Path, table: str, data: Path | None) -> None:
    """Write a table to the new CSV file FILE; - is standard output."""
    desk = _desk(data)
    if str(file) == "-":
        from io import TextIOWrapper

        from atraso.cli.outputs import written_whole

        with written_whole("-") as stream:
            text = TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
            try:
                rows = desk.write_table(table, text)
            finally:
                text.detach()  # it would close standard output
    else:
        rows = desk.export_table(table, file)
    where = "on standard output" if str(file) == "-" else f"in {file}"
    click.echo(f"{rows:,} {TABLES[table]} are {where}", err=True)


@ledger.command(name="import", epilog="Example: atraso ledger import scl_2017.csv.gz --source scl --table departures")
@click.argument("file", required=False, metavar="FILE")
@click.option("--table", type=click.Choice(list(TABLES)), default="departures", show_default=True, help="Which table.")
@click.option("--source", type=click.Choice(SOURCES), help="FILE has raw flights of this kind; nyc takes no FILE.")
@click.option("--origin", metavar="CODES", help="With --source: only flights from these airports, such as EWR,JFK.")
@click.option(
    "--rejects", type=click.Path(path_type=Path), help="Report of rows not used; default: NAME.rejects.csv here."
)
@_data
def import_(
    file: str | None, table: str, source: str | None, origin: str | None, rejects: Path | None, data: Path | None
) -> None:
    """Take in the rows of a CSV file as `export` writes it, or with --source a year of raw flights.

    What is known already stays as it is, so a file may be imported again. With --source, the table departures takes the
    flights that left, each as if it had been reported at the moment it left: what people report later wins. The table
    schedule takes every flight of the file, also those that never left.
    """
    desk = _desk(data)
    if source is None:
        if file is None or origin is not None or rejects is not None:
            raise click.UsageError("without --source, FILE is needed, and --origin and --rejects mean nothing.")
        from atraso.cli.show import bar

        with bar("importing") as progress:
            progress(0, None)
            new = desk.import_table(table, Path(file))
    else:
        if table == "predictions":
            raise click.UsageError("raw flights hold no predictions: choose --table departures or schedule.")
        if (file is None) is not (source == "nyc"):
            raise click.UsageError("the source nyc brings its own flights and takes no FILE; the others need one.")
        from atraso.cli.ledger_import import import_flights

        new = import_flights(desk, source, file, table, origin, rejects)
    click.echo(f"{new:,} {TABLES[table]} of {file or source} are new", err=True)


def _desk(data: Path | None) -> Desk:
    from atraso.ledger.desk import Desk
    from atraso.settings import load_settings

    settings = load_settings(os.environ, flags={} if data is None else {"data": data})
    return Desk(settings.data, settings.ledger_url.reveal() if settings.ledger_url else None)
