"""The writer goes on through kills, locks, full disks and folders that vanish, and nothing is lost or stored twice."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from atraso.core.errors import LedgerError
from atraso.ledger import pulse
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
    """A second one refuses with a sentence; one that is told to wait follows when the first has ended."""
    with running(place) as first:
        with pytest.raises(LedgerError, match=f"Another process \\({first.process.pid}\\) writes to the ledger"):
            Writer(WriterConfig(place.data, place.url, lock_within_s=0.0), StatusBoard()).run(threading.Event())
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


def test_it_beats_during_a_long_statement_and_not_when_stuck(
    sqlite_place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement of seconds is honest work; work that never ends is not."""
    monkeypatch.setattr(pulse, "BEAT_EVERY_S", 0.02)
    monkeypatch.setattr(pulse, "STUCK_AFTER_S", 0.6)
    beats: list[float] = []
    stop = threading.Event()

    def beat() -> bool:
        beats.append(time.monotonic())
        return True

    def stuck(self: Writer) -> bool:
        time.sleep(1.2 if not stop.is_set() else 0)
        stop.set()
        return False

    monkeypatch.setattr(Writer, "_step", stuck)
    began = time.monotonic()
    Writer(WriterConfig(sqlite_place.data), StatusBoard(), beat).run(stop)
    assert 0.4 < max(beats) - began < 1.0


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
