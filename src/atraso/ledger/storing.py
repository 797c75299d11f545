"""The statements by which a batch goes into the database, in one transaction and at the driver's own speed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from atraso.ledger.latest import NEWER_WINS, latest_of
from atraso.ledger.records import Row
from atraso.ledger.schema import KEYS, LATEST, PREDICTIONS, RUNS, SPOOLS

# What a database answers to a row that it will never take; everything else may pass later.
REFUSALS = (
    DataError,
    IntegrityError,
    OverflowError,
    UnicodeError,
    ValueError,
)


DO_NOTHING = "DO NOTHING"


@dataclass(slots=True)
class Batch:
    """What is stored together: rows, when keys were used, how far each spool file is taken, those that are gone.

    New rows are counted for the *run* of the service, where one is named.
    """

    rows: list[Row] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    run: int | None = None


def store(connection: Connection, batch: Batch) -> int:
    """Store *batch* and return how many rows are new; those that were there already stay as they are."""
    new = insert_predictions(connection, batch.rows)
    if new and batch.run is not None:
        total = RUNS.c.rows_stored + new
        connection.execute(update(RUNS).where(RUNS.c.run == batch.run).values(rows_stored=total, at_s=int(time.time())))
    if batch.used:
        touch_keys(connection, batch.used)
    if batch.taken:
        into = postgres_insert(SPOOLS) if connection.dialect.name == "postgresql" else sqlite_insert(SPOOLS)
        upsert = into.on_conflict_do_update(
            index_elements=["name"], set_={"taken_bytes": into.excluded.taken_bytes, "at_s": into.excluded.at_s}
        )
        now = int(time.time())
        connection.execute(
            upsert, [{"name": name, "taken_bytes": size, "at_s": now} for name, size in batch.taken.items()]
        )
    if batch.gone:
        statement = delete(SPOOLS).where(SPOOLS.c.name == bindparam("gone"))
        connection.execute(statement, [{"gone": name} for name in batch.gone])
    return new


def insert_predictions(connection: Connection, rows: Sequence[Row]) -> int:
    """Insert predictions and keep the latest of each flight; return how many are new, as `insert_rows` does."""
    new = insert_rows(connection, PREDICTIONS, rows)
    insert_rows(connection, LATEST, latest_of(rows), NEWER_WINS)
    return new


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row], conflict: str = DO_NOTHING) -> int:
    """Insert *rows*, whose values are in the order of the table's columns, where there is no such key yet.

    Returns how many there were not. Raises one of `REFUSALS` for a row that can never be taken. *conflict* is what
    SQL is to do with a key that is there; no two of *rows* may have the same key then.
    """
    if not rows:
        return 0
    dbapi = connection.dialect.loaded_dbapi
    # The driver itself is asked: SQLAlchemy would look at each row before.
    cursor: Any = connection.connection.cursor()
    try:
        insert_into = _copied if connection.dialect.name == "postgresql" else _many
        return insert_into(cursor, table, rows, conflict)
    except (dbapi.DataError, dbapi.IntegrityError) as error:
        raise DataError(None, None, error) from error
    except dbapi.Error as error:
        raise OperationalError(None, None, error) from error
    finally:
        cursor.close()


def _many(cursor: Any, table: Table, rows: Sequence[Row], conflict: str) -> int:
    marks = ", ".join("?" * len(table.columns))
    cursor.executemany(f"INSERT INTO {table.name} ({_names(table)}) VALUES ({marks}) ON CONFLICT {conflict}", rows)  # noqa: S608 - ours
    return int(cursor.rowcount)


def _copied(cursor: Any, table: Table, rows: Sequence[Row], conflict: str) -> int:
    """Insert by way of COPY, which is several times faster but knows no conflicts: so into a table of our own first."""
    incoming = f"incoming_{table.name}"
    names = _names(table)
    cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} (LIKE {table.name}) ON COMMIT DELETE ROWS")
    with cursor.copy(f"COPY {incoming} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    # Rows are changed in the order of their key: two services that share a database never wait in a circle then.
    key = ", ".join(column.name for column in table.primary_key.columns)
    order = "" if conflict == DO_NOTHING else f"ORDER BY {key}"
    cursor.execute(
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {incoming} {order} ON CONFLICT {conflict}"  # noqa: S608 - ours
    )
    new = int(cursor.rowcount)
    cursor.execute(f"DELETE FROM {incoming}")  # noqa: S608 - ours
    return new


def _names(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def refused_among(connection: Connection, rows: Sequence[Row]) -> bool:
    """Return whether the database would refuse *rows*; nothing is stored."""
    attempt = connection.begin_nested()
    try:
        insert_predictions(connection, rows)
    except REFUSALS:
        return True
    finally:
        attempt.rollback()
    return False


def touch_keys(connection: Connection, used: Mapping[str, int]) -> None:
    """Note when keys were last used, in seconds since 1970; an earlier moment than the one known changes nothing."""
    earlier = or_(KEYS.c.last_used_s.is_(None), KEYS.c.last_used_s < bindparam("moment"))
    statement = update(KEYS).where(KEYS.c.prefix == bindparam("used"), earlier).values(last_used_s=bindparam("moment"))
    connection.execute(statement, [{"used": prefix, "moment": moment} for prefix, moment in sorted(used.items())])


def begin_run(connection: Connection, run: int) -> int | None:
    """Return how many rows a *run* of a service has stored in this database; None where it is new to it, and begins."""
    found = connection.execute(select(RUNS.c.rows_stored).where(RUNS.c.run == run)).scalar()
    if found is None:
        connection.execute(insert(RUNS).values(run=run, rows_stored=0, at_s=int(time.time())))
        return None
    return int(found)


def taken_before(connection: Connection) -> dict[str, int]:
    """Return how many bytes are taken of the spool files that were begun."""
    return {row.name: row.taken_bytes for row in connection.execute(select(SPOOLS))}
