"""Following the ledger: what is true of flights now, as far as it changed after what was read before.

Reads only, beside the writer. A version (`departures.py`) only rises, so the one that was reached is where to go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Engine

from atraso.core.flights import local_minutes
from atraso.core.live import KnownFlight
from atraso.ledger.database import sqlite_file
from atraso.ledger.departures import version_of

MONTH_MINUTES = 30 * 24 * 60

_FLIGHT = ("airline", "flight_number", "origin", "destination", "scheduled_utc")
_NAMES = ", ".join(_FLIGHT)
_SAME = " AND ".join(f"t.{name} = f.{name}" for name in _FLIGHT)
_CHANGED = (
    f"(SELECT {_NAMES} FROM departures WHERE received_ms > {{after}} "  # noqa: S608 - names of ours, a whole number
    f"UNION SELECT {_NAMES} FROM schedule WHERE received_ms > {{after}}) AS f"
)
_COLUMNS = {
    "departures": "t." + ", t.".join((*_FLIGHT, "scheduled_local", "reported_ms", "actual_utc", "cancelled")),
    "schedule": "t." + ", t.".join((*_FLIGHT, "scheduled_local")),
}


def changes(engine: Engine, after: int) -> tuple[int, Iterator[KnownFlight]]:
    """Return the version that was reached, and each flight of which something was received after version *after*.

    0 asks for all. The flights are read while they are asked for, from one view of the ledger. A version below *after*
    means that a backup has taken the ledger's place: forget what was read and ask for all. A ledger that is not there,
    or not of this version of Atraso yet, is empty; one that cannot be read now raises one of `DATABASE_ERRORS`, here or
    at a later flight.
    """
    file = sqlite_file(engine.url)
    if file is not None and not file.exists():  # to look would make it
        return 0, iter(())
    # One view of both tables; SQLite's transactions have it anyway.
    options = {"isolation_level": "REPEATABLE READ"} if file is None else {}
    with ExitStack() as stack:
        connection = stack.enter_context(engine.connect().execution_options(**options))
        if not engine.dialect.has_table(connection, "schedule"):
            return 0, iter(())
        version = version_of(connection)
        if version <= after:
            return version, iter(())
        return version, _read(connection, int(after), stack.pop_all())


def _read(connection: Connection, after: int, view: ExitStack) -> Iterator[KnownFlight]:
    with view:
        for month in _months(connection) if after == 0 else (None,):
            yield from _changed(connection, after, month)


def _months(connection: Connection) -> list[int]:
    """Return the spans of scheduled time that hold all flights: read at once they take ten times what is kept."""
    each = " UNION ".join(f"SELECT scheduled_utc / {MONTH_MINUTES} FROM {table}" for table in _COLUMNS)  # noqa: S608
    return [row[0] for row in connection.exec_driver_sql(each)]


def _changed(connection: Connection, after: int, month: int | None) -> Iterator[KnownFlight]:
    """Return the present truth of each flight that changed: of what is new, and what else is known of those flights."""
    reports: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in _rows(connection, "departures", after, month):
        found = reports.setdefault(row[:5], row)
        if row[6] > found[6]:
            reports[row[:5]] = row
    published = {row[:5]: row[5] for row in _rows(connection, "schedule", after, month)}
    for flight, row in reports.items():
        yield KnownFlight._make((*flight, _local(row[5]), row[7], bool(row[8]), flight in published))
    for flight, local in published.items():
        if flight not in reports:
            yield KnownFlight._make((*flight, _local(local), None, False, True))


def _rows(connection: Connection, table: str, after: int, month: int | None) -> chain[tuple[Any, ...]]:
    """Return the rows of *table* about flights that changed, as the driver gives them."""
    names = _COLUMNS[table]
    new = f"SELECT {names} FROM {table} AS t WHERE t.received_ms > {after}"  # noqa: S608 - names of ours, whole numbers
    if month is not None:
        new += f" AND t.scheduled_utc / {MONTH_MINUTES} = {month}"
    other = (
        f"SELECT {names} FROM {_CHANGED.format(after=after)} JOIN {table} AS t ON {_SAME} "  # noqa: S608
        f"WHERE t.received_ms <= {after}"
    )
    statements = (new, other) if after > 0 else (new,)
    return chain.from_iterable(connection.exec_driver_sql(statement).cursor.fetchall() for statement in statements)


@lru_cache(maxsize=8192)
def _local(text: str) -> int:
    return local_minutes(datetime.fromisoformat(text))
