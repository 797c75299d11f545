"""Whatever becomes of its database, its folder or its disk, the writer goes on and what is spooled is stored."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from atraso.ledger.status import StatusBoard
from atraso.ledger.writer import Writer, WriterConfig
from tests.ledger.places import Place, Worker, eventually, numbers, record, running, spooled


def test_a_locked_database_is_waited_for(place: Place) -> None:
    """The spools keep what comes meanwhile; it is counted as failing, and stored when the lock is gone."""
    with running(place) as writer:
        spool = spooled(place, record(1))
        eventually(lambda: place.count() == 1)
        if place.url is None:
            locking = sqlite3.connect(place.data / "ledger.sqlite3", isolation_level=None)
            locking.execute("BEGIN IMMEDIATE")
        else:
            locking = psycopg.connect(place.url)
            locking.execute("LOCK TABLE predictions")
        spool.add(record(2))
        spool.flush()
        if place.url is None:
            eventually(lambda: writer.status().failing)
            assert writer.status().queued_bytes > 0
        time.sleep(1.0)
        assert writer.process.exitcode is None
        locking.rollback()
        locking.close()
        eventually(lambda: place.count() == 2)
        eventually(lambda: not writer.status().failing and not writer.status().queued_bytes)
        assert (writer.status().errors > 0) == (place.url is None)
        spool.close()


def test_a_database_that_restarts_loses_nothing(postgres_place: Place, postgres: object) -> None:
    """Its server is stopped at once, in the middle of the intake, and comes back later."""
    worker = Worker(postgres_place)
    with running(postgres_place) as writer:
        eventually(lambda: postgres_place.count() > 100)
        postgres.stop()  # type: ignore[attr-defined]
        eventually(lambda: writer.status().failing)
        postgres.start()  # type: ignore[attr-defined]
        said = worker.end()
        eventually(lambda: postgres_place.count() == said)
        assert writer.status().errors > 0
    assert numbers(postgres_place) == list(range(said))


def test_a_database_that_is_not_there_at_the_start_is_waited_for(postgres_place: Place, postgres: object) -> None:
    """It beats all the same: nobody need replace it."""
    postgres.stop()  # type: ignore[attr-defined]
    spooled(postgres_place, record(1)).close()
    with running(postgres_place) as writer:
        eventually(lambda: writer.status().errors >= 2)
        assert writer.status().queued_bytes > 0
        postgres.start()  # type: ignore[attr-defined]
        eventually(lambda: postgres_place.count() == 1)


def test_a_file_or_folder_that_is_removed_is_made_again(sqlite_place: Place) -> None:
    """What is spooled and not yet stored outlives even the removal of the whole folder, if its worker lives."""
    with running(sqlite_place) as writer:
        spool = spooled(sqlite_place, record(1))
        eventually(lambda: sqlite_place.count() == 1)
        for left in sqlite_place.data.glob("ledger.sqlite3*"):
            left.unlink()
        spool.add(record(2))
        spool.flush()
        eventually(lambda: sqlite_place.count() == 2)
        shutil.rmtree(sqlite_place.data)

        def goes_on() -> bool:
            spool.add(record(3))
            return spool.flush() and sqlite_place.count() == 3

        eventually(goes_on)
        assert writer.process.exitcode is None
        spool.close()
    assert numbers(sqlite_place) == [1, 2, 3]


@pytest.fixture
def foreign_place() -> Iterator[Place]:
    """A folder that somebody who is not root owns: root may write anywhere."""
    folder = Path(tempfile.mkdtemp(prefix="atraso-", dir="/tmp"))
    yield Place(folder, None)
    shutil.rmtree(folder)


NOBODY = 65534


def test_a_folder_that_cannot_be_written_is_waited_for(foreign_place: Place) -> None:
    """The writer beats and tells; when it may write it takes in what was spooled meanwhile."""
    data = foreign_place.data
    spooled(foreign_place, record(1), record(2)).close()
    if os.geteuid() == 0:
        for path in (data, *data.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    data.chmod(0o500)

    def drop_rights() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    with running(foreign_place, before=drop_rights) as writer:
        eventually(lambda: writer.status().errors >= 2)
        assert (writer.status().failing, writer.process.exitcode) == (1, None)
        assert writer.status().queued_bytes > 0
        data.chmod(0o700)
        eventually(lambda: writer.status().rows_stored == 2)
        assert writer.status().failing == 0


def test_where_there_can_be_no_socket_the_spools_are_taken_in_all_the_same(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some file systems know none; it is told."""

    def none(data: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("atraso.ledger.writer.CommandSocket", none)
    spooled(sqlite_place, record(1)).close()
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    Writer(WriterConfig(sqlite_place.data), StatusBoard()).run(stop)
    assert numbers(sqlite_place) == [1]
    assert "socket" in caplog.text


def test_a_full_disk_is_waited_for(sqlite_place: Place) -> None:
    """A limit on the size of files stands in for it; what is stored stays readable, the rest waits."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))

    spool = spooled(sqlite_place, record(0))
    with running(sqlite_place, before=limited) as writer:
        eventually(lambda: sqlite_place.count() == 1)
        for number in range(1, 3000):
            spool.add(record(number))
        spool.flush()
        eventually(lambda: writer.status().failing)
        assert sqlite_place.count() >= 1
        assert writer.process.pid is not None
        resource.prlimit(writer.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        spool.close()
        eventually(lambda: sqlite_place.count() == 3000)
    assert numbers(sqlite_place) == list(range(3000))


def test_what_is_wrong_is_logged_now_and_then_without_passwords(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each ten seconds at most, with the place of what waits."""
    stop = threading.Event()
    threading.Timer(1.2, stop.set).start()
    url = "postgresql://someone:s3cret@127.0.0.1:1/ledger?password=s3cret2"
    spooled(Place(tmp_path, url), record(1)).close()
    board = StatusBoard()
    with caplog.at_level(logging.WARNING):
        Writer(WriterConfig(tmp_path, url), board).run(stop)
    assert board.read().errors >= 3
    [line] = [message for message in caplog.messages if "cannot be written" in message]
    assert str(tmp_path / "spool") in line
    assert "s3cret" not in caplog.text
