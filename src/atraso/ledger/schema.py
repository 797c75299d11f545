"""The ledger's tables, the same for SQLite and PostgreSQL. The migrations lead here; a test compares the two.

Moments are whole numbers in UTC: milliseconds where the name ends in `_ms`, seconds in `_s`, minutes since 1970 in
`_utc`. A flight is named by airline, number, origin, destination and `scheduled_utc`; `scheduled_local` is the same
moment as people read it, with its offset.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

METADATA = MetaData()


def _flight() -> list[Column[object]]:
    return [
        Column("airline", String, nullable=False),
        Column("flight_number", String, nullable=False),
        Column("origin", String, nullable=False),
        Column("destination", String, nullable=False),
        Column("scheduled_utc", BigInteger, nullable=False),
        Column("scheduled_local", String, nullable=False),
    ]


# No second index: rows come 20,000 a second and each index would cost as much as the table. The identifiers rise with
# time, so the key serves a range of time too, and quality goes from predictions to departures.
PREDICTIONS = Table(
    "predictions",
    METADATA,
    Column("id", String(26), primary_key=True),
    Column("principal", String, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("as_of_s", BigInteger, nullable=False),
    *_flight(),
    Column("lead", String, nullable=False),
    Column("basis", String, nullable=False),
    Column("model_version", String, nullable=False),
    Column("delay_probability", Double, nullable=False),
    Column("delayed", Boolean, nullable=False),
    Column("base_rate", Double, nullable=False),
    Column("exceeds_0", Double, nullable=False),
    Column("exceeds_15", Double, nullable=False),
    Column("exceeds_30", Double, nullable=False),
    Column("exceeds_60", Double, nullable=False),
    Column("p50", Double, nullable=False),
    Column("p80", Double, nullable=False),
    Column("p95", Double, nullable=False),
    Column("warnings", Text),
    Column("reasons", Text),
    sqlite_with_rowid=False,
)

# Every report is kept; the one with the latest `reported_ms` is true of a flight. `received_ms` is the version of the
# ledger's knowledge that came with it, by which others follow (`departures.py`): a moment, but for a later transaction
# never the same or an earlier one.
DEPARTURES = Table(
    "departures",
    METADATA,
    *_flight(),
    Column("actual_utc", BigInteger),
    Column("cancelled", Boolean, nullable=False),
    Column("reported_ms", BigInteger, nullable=False),
    Column("reported_by", String, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint(
        "airline", "flight_number", "origin", "destination", "scheduled_utc", "reported_ms", name="departures_pkey"
    ),
    Index("departures_received", "received_ms"),
)

# Flights that are to leave, as they were published.
SCHEDULE = Table(
    "schedule",
    METADATA,
    *_flight(),
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("airline", "flight_number", "origin", "destination", "scheduled_utc", name="schedule_pkey"),
    Index("schedule_received", "received_ms"),
)

# A key that was replaced counts for a while beside the new one of its name; until then it has an end.
_LASTING = text("revoked_s IS NULL AND expires_s IS NULL")
KEYS = Table(
    "keys",
    METADATA,
    Column("prefix", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("roles", String, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger),
    Column("revoked_s", BigInteger),
    Column("last_used_s", BigInteger),
)
Index("keys_lasting_name", KEYS.c.name, unique=True, sqlite_where=_LASTING, postgresql_where=_LASTING)

REVOCATIONS = Table(
    "revocations",
    METADATA,
    Column("kind", String, primary_key=True),
    Column("value", String, primary_key=True),
    Column("revoked_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger),
    Column("revoked_by", String, nullable=False),
)

# How far each spool file has been taken in; written in the transaction that stores its records.
SPOOLS = Table(
    "spools",
    METADATA,
    Column("name", String, primary_key=True),
    Column("taken_bytes", BigInteger, nullable=False),
    Column("at_s", BigInteger, nullable=False),
)

# How many rows each run of a service has stored: counted where they are stored, so that a kill cannot part the two.
RUNS = Table(
    "runs",
    METADATA,
    Column("run", BigInteger, primary_key=True, autoincrement=False),
    Column("rows_stored", BigInteger, nullable=False),
    Column("at_s", BigInteger, nullable=False),
)
