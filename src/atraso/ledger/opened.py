"""A ledger as the writer has it open: its database at the schema of this version, its intake, its file of accounts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Engine

from atraso.ledger.account_rows import snapshot
from atraso.ledger.accounts import AccountsFile
from atraso.ledger.database import open_engine, open_for_owner, shown, sqlite_file
from atraso.ledger.intake import Intake, Taken
from atraso.ledger.migrate import migrate
from atraso.ledger.run import Run
from atraso.ledger.spool_files import spool_files
from atraso.ledger.storing import begin_run

log = logging.getLogger("atraso.ledger")

REPLACED = "%d predictions were stored in a database that is gone: %s is a new one, and has what the spools still hold."


class OpenLedger:
    """Opens the database at *url* when it is needed, and again where its file is not the one it was.

    `rows_stored` counts what was kept in this *run* of a service and is stored, also by writers before this one.
    In a database that is put in the place of another it begins anew: it counts what is there. *progress* is called
    while a statement takes long.
    """

    def __init__(
        self, data: Path, url: URL, spools: Path, run: Run | None = None, progress: Callable[[], None] | None = None
    ) -> None:
        self.rows_stored = 0
        self._run = run
        self._progress = progress
        self._url = url
        self._file = sqlite_file(url)
        self._spools = spools
        self._accounts = AccountsFile(data)
        self._engine: Engine | None = None
        self._intake: Intake | None = None
        self._inode: int | None = None

    @property
    def engine(self) -> Engine:
        """The engine of the database, which is open."""
        assert self._engine is not None
        return self._engine

    def open(self) -> None:
        """Have the database open and of this version; raises what it raises where that cannot be."""
        if self._engine is not None and self._inode == self._inode_now():
            return
        self.close()
        if self._file is not None:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._file.exists():  # else closing it would end locks that this process may have on it
                open_for_owner(self._file).close()
        engine = open_engine(self._url, progress=self._progress)
        try:
            migrate(engine)
            if self._run is not None:
                with engine.begin() as connection:
                    found = begin_run(connection, self._run.number)
                if found is None and self.rows_stored:
                    log.error(REPLACED, self.rows_stored, shown(self._url))
                self.rows_stored = found or 0
        except BaseException:
            engine.dispose()
            raise
        self._engine = engine
        self._inode = self._inode_now()
        self._intake = Intake(self._spools, engine, self._run)

    def close(self) -> None:
        """Close the database; its next use opens it again."""
        if self._engine is not None:
            self._engine.dispose()
        self._engine = self._intake = None

    def take(self) -> Taken:
        """Take in a batch of the spools."""
        assert self._intake is not None
        taken = self._intake.take()
        self.rows_stored += taken.new_rows - taken.recovered
        return taken

    def queued(self) -> tuple[int, int]:
        """Return how many spool files there are, and how many of their bytes are not taken in yet.

        While the database cannot be asked, all of their bytes.
        """
        files = spool_files(self._spools)
        size = sum(found.size for found in files) if self._intake is None else self._intake.queued_bytes()
        return len(files), size

    def publish_accounts(self) -> bool:
        """Show the accounts as they are now; False where nothing has changed."""
        with self.engine.connect() as connection:
            return self._accounts.publish(snapshot(connection))

    def size_bytes(self) -> int:
        """Return how much room the database takes."""
        if self._file is not None:
            return sum(
                path.stat().st_size
                for path in (self._file, self._file.with_name(self._file.name + "-wal"))
                if path.exists()
            )
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())

    def _inode_now(self) -> int | None:
        """Return what tells one database file from another; None for PostgreSQL, and where there is none."""
        if self._file is None:
            return None
        try:
            return self._file.stat().st_ino
        except FileNotFoundError:
            return -1
