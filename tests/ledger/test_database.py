"""The database is opened as promised, migrated once, and never told of with its password."""

from __future__ import annotations

import multiprocessing
import sqlite3
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import OperationalError

from atraso.core.errors import AtrasoError, LedgerError
from atraso.ledger.database import ledger_url, open_engine, shown
from atraso.ledger.migrate import migrate, revision_of
from atraso.ledger.schema import METADATA
from tests.ledger.places import Place


def test_the_migrations_lead_to_the_schema(place: Place) -> None:
    """Alembic finds no difference between what they made and what the tables say."""
    with place.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_a_database_of_a_newer_version_is_used_as_it_is(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A service that is rolled back still runs."""
    with place.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    migrate(place.engine)
    with place.engine.connect() as connection:
        assert revision_of(connection) == "9999"
    assert "newer version (9999)" in caplog.text


def _migrate(place: Place, results: object) -> None:
    engine = open_engine(ledger_url(place.data, place.url))
    for _ in range(30):
        try:
            migrate(engine)
            break
        except OperationalError:
            continue
    with engine.connect() as connection:
        results.put(revision_of(connection))  # type: ignore[attr-defined]


def test_several_processes_may_migrate_at_once(place: Place) -> None:
    """One does, the others wait."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_migrate, args=(place, results)) for _ in range(4)]
    for process in processes:
        process.start()
    found = [results.get(timeout=20) for _ in processes]
    for process in processes:
        process.join()
    assert len(set(found)) == 1
    assert found[0]


def test_a_migration_that_is_cut_short_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it or none, on both databases: the next start begins again."""
    from atraso.ledger.migrations.versions import v0001_ledger

    class CutError(Exception):
        pass

    def cut(*args: object, **kwargs: object) -> None:
        raise CutError

    engine = open_engine(ledger_url(place.data, place.url))
    monkeypatch.setattr("alembic.op.create_index", cut)
    assert v0001_ledger.revision == "0001"
    with pytest.raises(CutError):
        migrate(engine)
    monkeypatch.undo()
    with engine.connect() as connection:
        assert revision_of(connection) is None
        assert not engine.dialect.has_table(connection, "predictions")
    migrate(engine)
    engine.dispose()


def test_sqlite_is_opened_for_one_writer_and_readers_beside_it(sqlite_place: Place) -> None:
    """Write-ahead log, a bounded wait, transactions that begin as writers; readers cannot write."""
    with sqlite_place.engine.connect() as connection:

        def pragma(name: str) -> object:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

        assert [pragma(name) for name in ("journal_mode", "synchronous", "busy_timeout")] == ["wal", 1, 1000]
        other = sqlite3.connect(sqlite_place.data / "ledger.sqlite3", timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
        with sqlite_place.reader().connect() as reading:
            assert reading.exec_driver_sql("SELECT count(*) FROM keys").scalar_one() == 0
            with pytest.raises(OperationalError, match="readonly"):
                reading.exec_driver_sql("DELETE FROM keys")


def test_postgresql_is_opened_with_limits_of_time(postgres_place: Place) -> None:
    """Of statements, of waiting for a lock, and of connecting."""
    with postgres_place.engine.connect() as connection:
        told = [
            connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]
    assert told == ["30s", "5s", "1min"]
    with postgres_place.reader().connect() as reading, pytest.raises(Exception, match="read-only"):
        reading.exec_driver_sql("DELETE FROM keys")


def test_a_url_is_read_or_refused_without_being_told(tmp_path: Path) -> None:
    """PostgreSQL by either name, SQLite by a path; the rest is refused with what would do."""
    assert ledger_url(tmp_path).database == str(tmp_path / "ledger.sqlite3")
    assert ledger_url(tmp_path, "").database == str(tmp_path / "ledger.sqlite3")
    assert ledger_url(tmp_path, "sqlite:////somewhere/x.db").database == "/somewhere/x.db"
    for name in ("postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg"):
        url = ledger_url(tmp_path, f"{name}://someone:s3cret@db.example:5433/ledger?password=s3cret")
        assert url.drivername == "postgresql+psycopg"
        assert shown(url) == "PostgreSQL at db.example, database ledger"
    for bad in ("s3cret", "mysql://u:s3cret@h/x", "postgresql://u:s3cret@h:port/x", "sqlite://", "sqlite:///:memory:"):
        with pytest.raises(LedgerError, match=r"it takes postgresql://") as raised:
            ledger_url(tmp_path, bad)
        assert "s3cret" not in str(raised.value)
        assert raised.value.__cause__ is None


def test_without_its_driver_postgresql_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As it must be installed."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(AtrasoError, match=r"pip install 'atraso\[postgres\]'"):
        open_engine(ledger_url(tmp_path, "postgresql://nowhere/x"))
