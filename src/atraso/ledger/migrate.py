"""Brings a ledger's database to the schema of this version, one process at a time."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

log = logging.getLogger("atraso.ledger")

_FOLDER = Path(__file__).parent / "migrations"
# Any number that nobody else uses for an advisory lock in the same database: "atraso" in ASCII.
_LOCK = 0x61747261736F


def migrate(engine: Engine) -> None:
    """Run the migrations that are missing, all in one transaction; others wait or fail with the database's time-out.

    A database of a newer version is used as it is: migrations only add, so an older program can go on.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # On SQLite the transaction itself keeps others out: it begins as a writer.
            connection.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        found = revision_of(connection)
        scripts = ScriptDirectory(str(_FOLDER))
        if found == scripts.get_current_head():
            return
        if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
            log.warning("The ledger's database is of a newer version (%s) of Atraso and is used as it is.", found)
            return
        config = Config()
        config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision_of(connection: Connection) -> str | None:
    """Return the migration that the database stands at, or None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()
