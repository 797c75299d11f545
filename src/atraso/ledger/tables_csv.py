"""The ledger's predictions and departures as CSV files, out and in again.

A file has the table's columns by name in its first line; an empty value is one that is not there.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Double, Engine, Table, select

from atraso.ledger.database import LedgerError
from atraso.ledger.records import Row
from atraso.ledger.schema import DEPARTURES, PREDICTIONS
from atraso.ledger.storing import REFUSALS, insert_predictions, insert_rows

TABLES = {"predictions": PREDICTIONS, "departures": DEPARTURES}
ROWS_AT_A_TIME = 5000
_BOOLEANS = {"true": True, "false": False}


def table_named(name: str) -> Table:
    """Return the table that can be exported under *name*; raises LedgerError for another."""
    if name not in TABLES:
        raise LedgerError(f"There is no table {name!r} to export or import: it is one of {', '.join(TABLES)}.")
    return TABLES[name]


def export_table(engine: Engine, name: str, target: Path) -> int:
    """Write the rows of a table in the order of their key to the new CSV file *target*; return how many.

    Raises LedgerError where the file is there already or cannot be written.
    """
    table = table_named(name)
    if target.exists():
        raise LedgerError(f"{target} is there already: name a new file.")
    beside = target.with_name(target.name + ".part")
    rows = 0
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file, engine.connect() as connection:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([column.name for column in table.columns])
            statement = select(table).order_by(*table.primary_key.columns)
            found = connection.execution_options(yield_per=ROWS_AT_A_TIME).execute(statement)
            for part in found.partitions():
                writer.writerows([_told(value) for value in row] for row in part)
                rows += len(part)
        beside.replace(target)
    except OSError as error:
        raise LedgerError(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        beside.unlink(missing_ok=True)
    return rows


def import_table(engine: Engine, name: str, source: Path, between: Callable[[], None]) -> int:
    """Take the rows of a CSV file into a table and return how many are new; those that are there stay as they are.

    Calls *between* after each transaction of some 5,000 rows. Raises LedgerError that names the line that cannot be
    used; the rows of earlier transactions are in then, and importing the file again does no harm.
    """
    table = table_named(name)
    new = 0
    try:
        with source.open(encoding="utf-8", newline="") as file:
            for first, rows in _parts(file, table, source):
                try:
                    with engine.begin() as connection:
                        insert = insert_predictions if table is PREDICTIONS else partial(insert_rows, table=table)
                        new += insert(connection, rows=rows)
                except REFUSALS:
                    raise LedgerError(
                        f"{source}: the database does not take one of the {len(rows)} rows from line {first} on."
                    ) from None
                between()
    except OSError as error:
        raise LedgerError(f"{source} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise LedgerError(f"{source} is not UTF-8.") from None
    return new


def _parts(file: Iterable[str], table: Table, source: Path) -> Iterator[tuple[int, list[Row]]]:
    """Yield the rows of a file some at a time, with the line of the first."""
    names = [column.name for column in table.columns]
    reader = csv.reader(file, strict=True)
    rows: list[Row] = []
    first = 1
    try:
        if next(reader, None) != names:
            raise LedgerError(f"{source}, line 1: it must name the columns {','.join(names)}.")
        for values in reader:
            if len(values) != len(names):
                raise ValueError(f"has {len(values)} values instead of {len(names)}")
            first = first if rows else reader.line_num
            rows.append(tuple(map(_read, values, table.columns)))
            if len(rows) == ROWS_AT_A_TIME:
                yield first, rows
                rows = []
    except (csv.Error, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise LedgerError(f"{source}, line {reader.line_num}: {error}.") from None
    if rows:
        yield first, rows


def _told(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _read(text: str, column: Column[object]) -> object:
    if not text:
        if not column.nullable:
            raise ValueError(f"{column.name} is empty")
        return None
    try:
        match column.type:
            case BigInteger():
                return int(text)
            case Double():
                return float(text)
            case Boolean():
                return _BOOLEANS[text]
            case _:
                return text
    except (ValueError, KeyError):
        raise ValueError(f"{column.name} cannot be {text[:40]!r}") from None
