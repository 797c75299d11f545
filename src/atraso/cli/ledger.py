"""`atraso ledger`: copies of what was said and what happened, and forgetting what is old."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from atraso.ledger.desk import Desk

TABLES = ("predictions", "departures")
_data = click.option(
    "--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]"
)
_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.group(epilog="Example: atraso ledger backup ledger-monday.sqlite3")
def ledger() -> None:
    """Look after the ledger: predictions that were answered, and departures.

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
@_file
@click.option("--table", type=click.Choice(TABLES), default="predictions", show_default=True, help="Which table.")
@_data
def export(file: Path, table: str, data: Path | None) -> None:
    """Write a table to the new CSV file FILE."""
    click.echo(f"{_desk(data).export_table(table, file):,} {table} are in {file}", err=True)


@ledger.command(name="import", epilog="Example: atraso ledger import predictions.csv --table predictions")
@_file
@click.option("--table", type=click.Choice(TABLES), default="departures", show_default=True, help="Which table.")
@_data
def import_(file: Path, table: str, data: Path | None) -> None:
    """Take in the rows of a CSV file as `export` writes it; those that are there already stay as they are."""
    click.echo(f"{_desk(data).import_table(table, file):,} {table} of {file} are new", err=True)


def _desk(data: Path | None) -> Desk:
    from atraso.ledger.desk import Desk
    from atraso.settings import load_settings

    settings = load_settings(os.environ, flags={} if data is None else {"data": data})
    return Desk(settings.data, settings.ledger_url.reveal() if settings.ledger_url else None)
