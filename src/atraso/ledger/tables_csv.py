"""The ledger's predictions, departures and schedule as CSV files, out and in again.

A file has the table's columns by name in its first line; an empty value is one that is not there. What is taken in of
departures and schedule is stored as if it were reported now: its versions are new ones.
"""

from __future__ import annotations

import csv
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import BigInteger, Boolean, Column, Connection, Double, Engine, Table, select

from atraso.core.errors import LedgerError
from atraso.core.flights import utc_minutes
from atraso.core.reported import why_not_delayed, why_not_found_out, why_not_left, why_not_named, why_not_scheduled
from atraso.ledger.commands import LONGEST_NAME, MAX_MINUTES, MAX_MS
from atraso.ledger.departures import Heard, store_heard
from atraso.ledger.records import Row
from atraso.ledger.schema import DEPARTURES, PREDICTIONS, SCHEDULE
from atraso.ledger.storing import REFUSALS, insert_predictions

TABLES = {"predictions": PREDICTIONS, "departures": DEPARTURES, "schedule": SCHEDULE}
ROWS_AT_A_TIME = 5000
_BOOLEANS = {"true": True, "false": False}
_NAMES = ("airline", "flight_number", "origin", "destination")


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
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            rows = write_rows(engine, table, file)
        beside.replace(target)
    except OSError as error:
        raise LedgerError(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        beside.unlink(missing_ok=True)
    return rows


def write_rows(engine: Engine, table: Table, file: TextIO) -> int:
    """Write the rows of a table in the order of their key as CSV; return how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    statement = select(table).order_by(*table.primary_key.columns)
    rows = 0
    with engine.connect() as connection:
        found = connection.execution_options(yield_per=ROWS_AT_A_TIME).execute(statement)
        for part in found.partitions():
            writer.writerows([_told(value) for value in row] for row in part)
            rows += len(part)
    return rows


def import_table(engine: Engine, name: str, source: Path, between: Callable[[], None]) -> int:
    """Take the rows of a CSV file into a table and return how many are new; what is known stays as it is.

    Calls *between* after each transaction of some 5,000 rows. Raises LedgerError that names the line that cannot be
    used, also one that says of a flight what the API would not take (`core/reported.py`); the rows of earlier
    transactions are in then, and importing the file again does no harm.
    """
    table = table_named(name)
    new = 0
    try:
        with _open_file(source) as file:
            for first, rows in _parts(file, table, source):
                try:
                    with engine.begin() as connection:
                        new += _insert(connection, table, rows)
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


def _open_file(source: Path) -> TextIO:
    """Open a file that is one: a pipe would hold the writer, and all who ask it, until somebody writes to it."""
    fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise LedgerError(f"{source} is no regular file: name one with rows as `atraso ledger export` writes them.")
    return os.fdopen(fd, encoding="utf-8", newline="")


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Take in rows as a file has them, whose last value is a version where that is not of predictions."""
    if table is PREDICTIONS:
        return insert_predictions(connection, rows)
    told = [row[:-1] for row in rows]
    reported = store_heard(connection, Heard(departures=told) if table is DEPARTURES else Heard(schedule=told))
    return reported.departures + reported.scheduled


def _parts(file: Iterable[str], table: Table, source: Path) -> Iterator[tuple[int, list[Row]]]:
    """Yield the rows of a file some at a time, with the line of the first."""
    names = [column.name for column in table.columns]
    reader = csv.reader(file, strict=True)
    now_s = time.time()
    rows: list[Row] = []
    first = 1
    try:
        if next(reader, None) != names:
            raise LedgerError(f"{source}, line 1: it must name the columns {','.join(names)}.")
        for values in reader:
            if len(values) != len(names):
                raise ValueError(f"has {len(values)} values instead of {len(names)}")
            first = first if rows else reader.line_num
            row = tuple(map(_read, values, table.columns))
            if table is not PREDICTIONS:
                _check_flight(dict(zip(names, row, strict=True)), now_s)
            rows.append(row)
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
    if "\0" in text:  # SQLite keeps it, and shows what stands before it
        raise ValueError(f"{column.name} has a NUL character: {text[:40]!r}")
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


def _check_flight(row: dict[str, Any], now_s: float) -> None:
    """Raise ValueError for what no report says of a flight: whoever follows the ledger must be able to read it.

    What the API refuses as of *now_s* is refused here too: nothing reported later could correct it.
    """
    cancelled, actual_utc = row.get("cancelled", False), row.get("actual_utc")
    if "cancelled" in row and cancelled is (actual_utc is not None):
        why = "actual_utc says when it left" if cancelled else "actual_utc is empty"
        raise ValueError(f"cancelled cannot be {str(cancelled).lower()} where {why}")
    for name, value in row.items():
        if isinstance(value, str):
            if len(value) > LONGEST_NAME and name != "reported_by":
                raise ValueError(f"{name} has more than {LONGEST_NAME} characters")
        elif isinstance(value, int) and not 0 <= value <= (MAX_MS if name.endswith("_ms") else MAX_MINUTES):
            raise ValueError(f"{name} cannot be {value}")
    if _utc_minutes(row["scheduled_local"]) != row["scheduled_utc"]:
        raise ValueError(f"scheduled_local is not the moment of scheduled_utc: {row['scheduled_local'][:40]!r}")
    for name in _NAMES:
        _refuse(name, row[name], why_not_named(name, row[name]))
    scheduled_utc, reported_ms = row["scheduled_utc"], row.get("reported_ms")
    _refuse("scheduled_utc", scheduled_utc, why_not_scheduled(scheduled_utc * 60, now_s))
    if actual_utc is not None:
        _refuse("actual_utc", actual_utc, why_not_left(actual_utc * 60, now_s))
        _refuse("actual_utc", actual_utc, why_not_delayed(actual_utc - scheduled_utc))
    if reported_ms is not None:
        _refuse("reported_ms", reported_ms, why_not_found_out(reported_ms / 1000, now_s))


def _refuse(name: str, value: object, why: str | None) -> None:
    if why is not None:
        raise ValueError(f"{name} {value!r} {why}")


@lru_cache(maxsize=16_384)
def _utc_minutes(local: str) -> int | None:
    try:
        moment = datetime.fromisoformat(local)
    except ValueError:
        return None
    return None if moment.tzinfo is None else utc_minutes(moment)
