"""Looking after a ledger: copies of it, going back to one, and forgetting what is old."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Engine, delete, select

from atraso.core.errors import LedgerError
from atraso.ledger.database import open_engine, sqlite_file, told
from atraso.ledger.locks import WriterLock
from atraso.ledger.migrate import migrate
from atraso.ledger.records import first_id_at
from atraso.ledger.schema import PREDICTIONS, REVOCATIONS, RUNS, SPOOLS

# Deleted in one transaction: long enough to be quick, short enough for the intake to go on between.
PRUNE_ROWS = 5000
A_DAY_S = 86_400


def prune(engine: Engine, keep_days: int, between: Callable[[], None], now_s: float | None = None) -> int:
    """Delete the predictions made more than *keep_days* days ago and return how many; departures and keys stay.

    Calls *between* after each transaction of some 5,000 rows. Raises LedgerError for less than one day.
    """
    if keep_days < 1:
        raise LedgerError("Predictions are kept for at least 1 day.")
    now = time.time() if now_s is None else now_s
    before_s = int(now) - keep_days * A_DAY_S
    first_kept = first_id_at(max(before_s, 0) * 1000)
    total = 0
    while True:
        with engine.begin() as connection:
            old = select(PREDICTIONS.c.id).where(PREDICTIONS.c.id < first_kept).order_by(PREDICTIONS.c.id)
            gone = connection.execute(delete(PREDICTIONS).where(PREDICTIONS.c.id.in_(old.limit(PRUNE_ROWS)))).rowcount
        total += gone
        if gone < PRUNE_ROWS:
            break
        between()
    with engine.begin() as connection:
        # An expired revocation says nothing any more; of a spool file so old nothing is left to be taken in.
        connection.execute(delete(REVOCATIONS).where(REVOCATIONS.c.expires_s < before_s))
        connection.execute(delete(SPOOLS).where(SPOOLS.c.at_s < before_s))
        connection.execute(delete(RUNS).where(RUNS.c.at_s < before_s))
    return total


def backup(url: URL, target: Path) -> None:
    """Write a whole copy of a SQLite ledger to the new file *target*, while its writer goes on.

    Raises LedgerError where it cannot: PostgreSQL has a tool of its own for it.
    """
    source = sqlite_file(url)
    if source is None:
        raise LedgerError("A ledger in PostgreSQL is backed up by PostgreSQL's own tools: pg_dump --format=custom.")
    if not source.exists():
        raise LedgerError(f"There is no ledger in {source}: nothing has been kept yet.")
    if target.exists():
        raise LedgerError(f"{target} is there already: name a new file.")
    beside = target.with_name(target.name + ".part")
    try:
        beside.unlink(missing_ok=True)
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(source, beside)
        beside.replace(target)
    except sqlite3.Error as error:
        raise LedgerError(f"The ledger {source} cannot be copied: {told(error)}.") from None
    except OSError as error:
        raise LedgerError(f"The backup {target} cannot be written: {error.strerror}.") from None
    finally:
        beside.unlink(missing_ok=True)


def restore(data: Path, url: URL, source: Path) -> Path | None:
    """Put the backup *source* in the place of a SQLite ledger; return where the one before is kept, None if none.

    What has happened since is then as the backup knows it: a key revoked since can be used again. Spools that are
    still there are taken in again. Raises LedgerError while a service writes to the ledger, and for a file that is
    damaged or no ledger; nothing is changed then.
    """
    target = sqlite_file(url)
    if target is None:
        raise LedgerError("A ledger in PostgreSQL is restored by PostgreSQL's own tools: pg_restore.")
    beside = target.with_name(target.name + ".restored")
    before = target.with_name(f"{target.name}.before-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
    try:
        with WriterLock(data, url):
            _check(source)
            beside.unlink(missing_ok=True)
            os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            _copy(source, beside)
            engine = open_engine(URL.create("sqlite", database=str(beside)))
            try:
                migrate(engine)
            finally:
                engine.dispose()
            if target.exists():
                _fold(target)
                before.unlink(missing_ok=True)
                os.link(target, before)
            beside.replace(target)
    except sqlite3.Error as error:
        raise LedgerError(f"{source} cannot be restored: {told(error)}.") from None
    except OSError as error:
        raise LedgerError(f"{source} cannot be restored to {target}: {error.strerror}.") from None
    finally:
        beside.unlink(missing_ok=True)
    return before if before.exists() else None


def _copy(source: Path, target: Path) -> None:
    with closing(_reading(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
        # One file that needs no other, wherever it is taken.
        other.execute("PRAGMA journal_mode=DELETE")
    fd = os.open(target, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _check(source: Path) -> None:
    if not source.is_file():
        raise LedgerError(f"There is no file {source}.")
    try:
        with closing(_reading(source)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
            connection.execute("SELECT count(*) FROM predictions WHERE id IS NULL").fetchone()
    except sqlite3.Error as error:
        raise LedgerError(f"{source} is no backup of a ledger, or a damaged one: {told(error)}.") from None
    if found != "ok":
        raise LedgerError(f"{source} is damaged ({found}): take another backup.")


def _fold(path: Path) -> None:
    """Bring all of a database into its one file: another put in its place must not meet its journal."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")


def _reading(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)
    connection.execute("PRAGMA query_only=ON")
    return connection
