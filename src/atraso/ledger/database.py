"""Opens the ledger's database: SQLite in the data folder, or the one that a URL names."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from atraso.core.errors import LedgerError, MissingExtraError

FILE = "ledger.sqlite3"
# Waiting longer is left to whoever tries again: it must stay able to show that it lives.
BUSY_TIMEOUT_S = 1.0
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 5_000
# Of SQLite's virtual machine: some hundredths of a second.
PROGRESS_STEPS = 1_000_000
_TAKES = (
    "it takes postgresql://USER:PASSWORD@HOST:PORT/NAME or sqlite:////PATH, or nothing for a file in the data folder"
)


def ledger_url(data: Path, url: str | None = None) -> URL:
    """Return where the ledger of the folder *data* is kept; raises LedgerError for a *url* that cannot be used."""
    if not url:
        return URL.create("sqlite", database=str((data / FILE).absolute()))
    try:
        found = make_url(url)
        port = found.port
    except (ArgumentError, ValueError):
        raise LedgerError(f"The ledger's URL cannot be read; {_TAKES}.") from None
    kind = found.drivername.partition("+")[0]
    if kind in ("postgresql", "postgres"):
        return found.set(drivername="postgresql+psycopg", port=port)
    if kind == "sqlite" and found.database and found.database != ":memory:":
        return URL.create("sqlite", database=str(Path(found.database).absolute()))
    raise LedgerError(f"The ledger's URL names a database that is not supported; {_TAKES}.")


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite ledger, None for another kind."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def shown(url: URL) -> str:
    """Return *url* for messages: without user, password and options."""
    file = sqlite_file(url)
    return str(file) if file else f"PostgreSQL at {url.host or 'the local socket'}, database {url.database}"


def told(error: Exception) -> str:
    """Return what a database says is wrong, in one line without statement and parameters."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return (str(origin).strip().splitlines() or [type(origin).__name__])[0][:300]


def open_for_owner(path: Path, flags: int = 0) -> BinaryIO:
    """Open a file for writing that is made where there is none, for its owner only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600), "wb")


def make_durable(url: URL) -> None:
    """See to it that what is committed outlives a loss of power, where that is not so already.

    SQLite's log is written at each commit but not forced to the disk; what it stands for is about to be removed.
    """
    if (file := sqlite_file(url)) is not None:
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(f"{file}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)


def open_engine(url: URL, *, reading: bool = False, progress: Callable[[], None] | None = None) -> Engine:
    """Return the engine of a ledger; nothing is connected yet. Raises MissingExtraError without the driver.

    SQLite has one connection, whose transactions begin as writers; *reading* makes them readers that never write,
    not even to tidy up, so they may be beside the one writer. *progress* is called while a statement of SQLite goes on;
    PostgreSQL's end by themselves after `STATEMENT_TIMEOUT_MS`.
    """
    if sqlite_file(url):
        return _sqlite(url, reading, progress)
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("A ledger in PostgreSQL", "postgres") from None
    given = {str(name) for name in url.query}
    arguments: dict[str, object] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": "atraso-ledger",
        "tcp_user_timeout": STATEMENT_TIMEOUT_MS,
        "keepalives_idle": 10,
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} "
        f"-c idle_in_transaction_session_timeout={2 * STATEMENT_TIMEOUT_MS}"
        + (" -c default_transaction_read_only=on" if reading else ""),
    }
    arguments = {name: value for name, value in arguments.items() if name not in given}
    return create_engine(url, poolclass=NullPool if reading else None, hide_parameters=True, connect_args=arguments)


def _sqlite(url: URL, reading: bool, progress: Callable[[], None] | None) -> Engine:
    arguments = {"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "check_same_thread": False}
    pool = NullPool if reading else StaticPool
    engine = create_engine(url, poolclass=pool, hide_parameters=True, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, record: Any) -> None:
        if progress is not None:
            connection.set_progress_handler(progress, PROGRESS_STEPS)
        if reading:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            return
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # Rows are appended: fewer, larger checkpoints write each page less often.
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        connection.execute("PRAGMA journal_size_limit=67108864")
        connection.execute("PRAGMA cache_size=-32768")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        # A transaction that turns into a writer half-way fails at once where another writes, time-out or not.
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


# What a statement or a connection fails with when the database is at fault and may be well again later.
DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error, CommandError, OSError)
