"""The writer goes on through kills, locks, full disks and folders that vanish, and nothing is lost or stored twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from atraso.core.errors import LedgerError
from atraso.ledger import pulse, status
from atraso.ledger.database import ledger_url
from atraso.ledger.opened import OpenLedger
from atraso.ledger.status import StatusBoard
from atraso.ledger.writer import Writer, WriterConfig, run_writer
from tests.ledger.places import Place, Worker, eventually, numbers, record, running, spooled, start_writer


def test_killed_again_and_again_it_loses_nothing_and_stores_nothing_twice(place: Place) -> None:
    """SIGKILL at any moment of the intake, under load; the next one goes on where the database says."""
    worker = Worker(place)
    board = StatusBoard()
    writer = start_writer(place, board)
    for kill in range(8):
        time.sleep(0.05 + 0.04 * (kill % 5))
        writer.kill()
        writer = start_writer(place, board)
    said = worker.end()
    eventually(lambda: writer.status().rows_stored == said and writer.status().queued_files == 0)
    writer.process.terminate()
    writer.process.join()
    assert numbers(place) == list(range(said))
    assert list(place.spools.iterdir()) == []
    if place.url is None:
        with closing(sqlite3.connect(place.data / "ledger.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_asked_to_end_it_takes_in_what_is_at_hand(place: Place) -> None:
    """And leaves neither socket nor lock behind; a second one may follow at once."""
    with running(place) as writer:
        spooled(place, *[record(number) for number in range(2000)]).close()
    assert writer.process.exitcode == 0
    assert numbers(place) == list(range(2000))
    assert not (place.data / "ledger.sock").exists()
    with running(place) as again:
        eventually(lambda: again.status().last_success_ms)
    assert writer.status().rows_stored == 2000


def test_there_is_one_writer(place: Place, tmp_path: Path) -> None:
    """A second one refuses with a sentence and tells its board; one that is told to wait follows the first."""
    with running(place) as first:
        board = StatusBoard()
        with pytest.raises(LedgerError, match=f"Another process \\({first.process.pid}\\) writes to the ledger"):
            Writer(WriterConfig(place.data, place.url, lock_within_s=0.0), board).run(threading.Event())
        assert (board.read().failing, board.read().errors) == (1, 1)
        if place.url is None:
            with closing(sqlite3.connect(tmp_path / "elsewhere.sqlite3")):
                pass
            elsewhere = [
                WriterConfig(tmp_path / name, f"sqlite:///{tmp_path}/elsewhere.sqlite3", lock_within_s=0.0)
                for name in ("one", "two")
            ]
            with (
                running(Place(elsewhere[0].data, elsewhere[0].url)),
                pytest.raises(LedgerError, match="only one may"),
            ):
                Writer(elsewhere[1], StatusBoard()).run(threading.Event())
        threading.Timer(0.3, first.process.terminate).start()
        stop = threading.Event()
        threading.Timer(1.0, stop.set).start()
        Writer(WriterConfig(place.data, place.url, lock_within_s=5.0), StatusBoard()).run(stop)


def test_what_it_tells_adds_up(place: Place) -> None:
    """Rows stored, records left out and what is queued; its counts go on in the next writer."""
    board = StatusBoard()
    with running(place, board=board) as writer:
        spooled(place, record(1), b"{}", record(1), record(2)).close()
        eventually(lambda: writer.status().rows_stored == 2)
        eventually(lambda: writer.status().queued_files == 0)
        assert (writer.status().refused, writer.status().queued_bytes) == (1, 0)
        assert abs(writer.status().last_success_ms / 1000 - time.time()) < 5
        assert writer.status().database_bytes > 4096
    with running(place, board=board) as writer:
        spooled(place, record(3)).close()
        eventually(lambda: writer.status().rows_stored == 3)
        assert writer.status().refused == 1


def test_it_ends_when_nobody_listens_to_its_beat(sqlite_place: Place) -> None:
    """Its supervisor is gone."""
    began = time.monotonic()
    Writer(WriterConfig(sqlite_place.data), StatusBoard(), lambda: False).run(threading.Event())
    assert time.monotonic() - began < 5


def test_one_that_stands_still_is_seen_by_all(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails for everybody who reads the board, though it cannot tell so, until it moves again."""
    monkeypatch.setattr(status, "SILENT_AFTER_S", 1.5)
    with running(sqlite_place) as writer:
        eventually(lambda: writer.status().last_success_ms and not writer.status().failing)
        assert writer.process.pid is not None
        os.kill(writer.process.pid, signal.SIGSTOP)
        eventually(lambda: writer.status().failing)
        os.kill(writer.process.pid, signal.SIGCONT)
        eventually(lambda: not writer.status().failing)


def test_a_long_statement_moves_on(sqlite_place: Place) -> None:
    """One statement of SQLite may take minutes, as in a migration: it is no standing still."""
    board = StatusBoard()
    url = ledger_url(sqlite_place.data)
    with closing(OpenLedger(sqlite_place.data, url, sqlite_place.spools, progress=board.moved)) as ledger:
        ledger.open()
        before = board.silent_s()
        began = time.monotonic()
        with ledger.engine.connect() as connection:
            counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
            assert connection.exec_driver_sql(counting + "SELECT count(*) FROM n").scalar_one() == 1_000_000
        assert board.silent_s() < before + time.monotonic() - began, "it moved meanwhile"


def test_one_that_stands_still_outlives_no_service(sqlite_place: Place) -> None:
    """Its service is gone and its work never ends: it is killed, and the lock is free."""

    def work() -> None:
        pulse.BEAT_EVERY_S, pulse.LEAVE_WITHIN_S = 0.02, 0.5
        Writer._step = lambda self: time.sleep(600)  # type: ignore[method-assign, assignment, return-value]
        gone_at = time.monotonic() + 0.5
        run_writer(WriterConfig(sqlite_place.data), lambda: time.monotonic() < gone_at)

    process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    process.start()
    process.join(10)
    assert process.exitcode == -signal.SIGKILL
    with running(sqlite_place):
        pass


def test_old_predictions_are_forgotten_by_itself(place: Place) -> None:
    """Those beyond the days to keep, while it runs; 0 days to keep means all."""
    now_ms = int(time.time() * 1000)
    with running(place, keep_days=0):
        spooled(place, record(1, at_ms=now_ms - 91 * 86_400_000), record(2, at_ms=now_ms - 89 * 86_400_000)).close()
        eventually(lambda: place.count() == 2)
    with running(place) as writer:
        eventually(lambda: place.count() == 1)
        eventually(lambda: writer.status().pruned == 1)
    assert numbers(place) == [2]


def test_a_driver_that_is_missing_is_told_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names the extra to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Exception, match=r"pip install 'atraso\[postgres\]'"):
        run_writer(WriterConfig(tmp_path, "postgresql://someone@nowhere/ledger"), lambda: True)
    assert list(tmp_path.iterdir()) == []
