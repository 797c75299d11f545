"""What was heard of departures: stored once, whatever the order in which it comes, under versions that only rise.

Every report of a departure is kept. Of one flight the report made last is true; of two made at the same moment the one
that says when it left goes before a cancellation, and a later departure before an earlier one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from sqlalchemy import Connection, select, tuple_

from atraso.ledger.commands import FlightReport, Report, Reported
from atraso.ledger.records import Row
from atraso.ledger.schema import DEPARTURES, SCHEDULE
from atraso.ledger.storing import insert_rows

# Any number that nobody else uses for an advisory lock in the same database: "depart" in ASCII.
_LOCK = 0x646570617274
_KEY = tuple(column.name for column in DEPARTURES.primary_key.columns)
_COLUMNS = [column.name for column in DEPARTURES.columns]
_flight = itemgetter(*(_COLUMNS.index(name) for name in _KEY[:-1]))
_key = itemgetter(*(_COLUMNS.index(name) for name in _KEY))
_ACTUAL, _REPORTED = _COLUMNS.index("actual_utc"), _COLUMNS.index("reported_ms")
_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEY)
_HARDER_FACT_WINS = (
    f"({', '.join(_KEY)}) DO UPDATE SET {_CHANGES} "
    "WHERE coalesce(excluded.actual_utc, -1) > coalesce(departures.actual_utc, -1)"
)
_FLIGHTS_A_LOOK = 500
_VERSION = (
    "SELECT max(version) FROM (SELECT max(received_ms) AS version FROM departures "
    "UNION ALL SELECT max(received_ms) FROM schedule) AS versions"
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard together: rows of the tables, but for their last value, the version.

    *undated* departures were reported without a moment, so each is of now, and a mere repetition where it says what is
    known to be true.
    """

    departures: Sequence[Row] = ()
    undated: Sequence[Row] = ()
    schedule: Sequence[Row] = ()


def store_report(connection: Connection, report: Report) -> Reported:
    """Store what is new of a report and return how much that is."""
    left = [flight for flight in report.flights if flight.cancelled or flight.actual_utc is not None]
    return store_heard(
        connection,
        Heard(
            [_departure(flight, report) for flight in left if flight.reported_ms is not None],
            [_departure(flight, report) for flight in left if flight.reported_ms is None],
            [_identity(flight) for flight in report.flights if not flight.cancelled and flight.actual_utc is None],
        ),
    )


def store_heard(connection: Connection, heard: Heard, now_ms: int | None = None) -> Reported:
    """Store what is new in the transaction of *connection*, all of it under one version; return how much that is.

    The version is the moment in milliseconds, or one more than the greatest so far where that is greater. Others wait
    with theirs until this transaction ends, so whoever has read up to a version has missed nothing before it.
    """
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    before = version_of(connection)
    version = max(time.time_ns() // 1_000_000 if now_ms is None else now_ms, before + 1)
    dated = insert_rows(connection, DEPARTURES, _under(version, _once(heard.departures)), _HARDER_FACT_WINS)
    undated = _unknown(connection, _once(heard.undated))
    undated_new = insert_rows(connection, DEPARTURES, _under(version, undated), _HARDER_FACT_WINS)
    scheduled = insert_rows(connection, SCHEDULE, _under(version, heard.schedule))
    new = dated + undated_new
    return Reported(new, scheduled, version if new or scheduled else before)


def version_of(connection: Connection) -> int:
    """Return the version of the ledger's knowledge of departures, 0 while it has none."""
    return int(connection.exec_driver_sql(_VERSION).scalar() or 0)


def _identity(flight: FlightReport) -> Row:
    return (
        flight.airline,
        flight.flight_number,
        flight.origin,
        flight.destination,
        flight.scheduled_utc,
        flight.scheduled_local,
    )


def _departure(flight: FlightReport, report: Report) -> Row:
    at_ms = report.at_ms if flight.reported_ms is None else flight.reported_ms
    return (*_identity(flight), flight.actual_utc, flight.cancelled, at_ms, report.reported_by)


def _under(version: int, rows: Iterable[Row]) -> list[Row]:
    return [(*row, version) for row in rows]


def _once(rows: Sequence[Row]) -> list[Row]:
    """Return of all reports of one flight and moment the one that wins."""
    found: dict[object, Row] = {}
    for row in rows:
        other = found.setdefault(_key(row), row)
        if _hardness(row) > _hardness(other):
            found[_key(row)] = row
    return list(found.values())


def _hardness(row: Row) -> int:
    actual = row[_ACTUAL]
    return actual if isinstance(actual, int) else -1


def _unknown(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that say something else than what is known to be true of their flights."""
    flight = [DEPARTURES.c[name] for name in _KEY[:-1]]
    true: dict[object, tuple[int, int | None]] = {}
    for start in range(0, len(rows), _FLIGHTS_A_LOOK):
        asked = [_flight(row) for row in rows[start : start + _FLIGHTS_A_LOOK]]
        statement = select(*flight, DEPARTURES.c.reported_ms, DEPARTURES.c.actual_utc).where(tuple_(*flight).in_(asked))
        for *key, reported_ms, actual_utc in connection.execute(statement):
            told = (reported_ms, actual_utc)
            true[tuple(key)] = max(true.get(tuple(key), told), told, key=lambda found: found[0])
    return [row for row in rows if _flight(row) not in true or true[_flight(row)][1] != row[_ACTUAL]]
