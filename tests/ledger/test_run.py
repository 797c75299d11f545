"""What is kept, stored, set aside and queued adds up at every moment, whoever is killed in whatever moment."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import random
import time
from dataclasses import astuple, fields
from pathlib import Path

import pytest

from atraso.ledger.database import ledger_url
from atraso.ledger.intake import Intake
from atraso.ledger.opened import OpenLedger
from atraso.ledger.run import Run, names_in, stamp_of
from atraso.ledger.spool import Spool
from atraso.ledger.status import Status, StatusBoard
from atraso.telemetry.cells import Board, tell_rows
from tests.ledger.places import Place, eventually, files, numbers, record, spooled, start_writer, take_all

FORK = multiprocessing.get_context("fork")


class Rows:
    """The rows of a run as the metrics would tell them."""

    def __init__(self, run: Run, slots: int) -> None:
        self.status = StatusBoard(run)
        self.counts = Board(slots)

    def queued(self) -> int:
        """Return how many are kept, but neither stored nor set aside."""
        status = self.status.read()
        totals = self.counts.totals()
        return tell_rows(
            totals, stored=status.rows_stored, set_aside=status.rows_aside, recovered=status.rows_recovered
        )


def work(place: Place, run: Run, counts: Board, slot: int) -> None:
    """Be a worker that keeps answers to one to four flights, and counts them, as quickly as it can."""
    spool = Spool(place.spools, max_file_bytes=30_000, mark=run.mark(slot))
    recorder = counts.slot(slot)
    chance = random.Random(os.getpid())
    first = os.getpid() * 1_000_000
    for n in itertools.count(0, 4):
        rows = chance.randint(1, 4)
        spool.add(record(*range(first + n, first + n + rows)))
        if spool.flush():
            recorder.kept(rows)
            spool.release()


def test_rows_add_up_while_workers_and_the_writer_are_killed(place: Place) -> None:
    """More is never stored than was counted, and in the end exactly as much: nothing that was counted is missing."""
    slots = 2
    run = Run(slots)
    rows = Rows(run, slots)
    seen = []

    def started(slot: int) -> multiprocessing.process.BaseProcess:
        worker = FORK.Process(target=work, args=(place, run, rows.counts, slot), daemon=True)
        worker.start()
        return worker

    workers = [started(slot) for slot in range(slots)]
    writer = start_writer(place, rows.status)
    for kill in range(30):
        until = time.monotonic() + 0.01 * (kill % 7)
        while time.monotonic() < until:
            seen.append(rows.queued())
        slot = kill % slots
        workers[slot].kill()
        workers[slot].join()
        seen.append(rows.queued())
        run.bury(slot, place.spools)
        workers[slot] = started(slot)
        if kill % 5 == 4:
            writer.kill()
            writer = start_writer(place, rows.status)
    for slot, worker in enumerate(workers):
        worker.kill()
        worker.join()
        run.bury(slot, place.spools)
    eventually(lambda: rows.queued() == 0 and writer.status().queued_files == 0, 60)
    writer.process.terminate()
    writer.process.join()
    assert min(seen) >= 0
    assert max(seen) > 0
    assert place.count() == rows.status.read().rows_stored > 100
    status = rows.status.read()
    assert (status.torn, status.damaged, status.rows_recovered) == (0, 0, 0)


def test_what_is_written_and_not_counted_waits_and_is_cut_off_with_its_worker(place: Place) -> None:
    """It was given to nobody; what was counted before is stored, and the file is removed."""
    run = Run(1)
    intake = Intake(place.spools, place.engine, run)
    spool = Spool(place.spools, mark=run.mark(0))
    spool.add(record(1))
    assert spool.flush()
    assert take_all(intake).new_rows == 0
    spool.release()
    spool.add(record(2))
    assert spool.flush()
    assert take_all(intake).new_rows == 1
    spool.close()
    assert take_all(intake).new_rows == 0
    assert files(place) == [".spool"]
    run.bury(0, place.spools)
    take_all(intake)
    assert (numbers(place), files(place)) == ([1], [])


def test_a_worker_that_begins_another_file_leaves_a_whole_one(place: Place) -> None:
    """All that it held is counted: it is taken in and removed while the worker goes on."""
    run = Run(1)
    spool = Spool(place.spools, max_file_bytes=1, mark=run.mark(0))
    for number in (1, 2, 3):
        spool.add(record(number))
        assert spool.flush()
        spool.release()
    intake = Intake(place.spools, place.engine, run)
    assert take_all(intake).new_rows == 3
    assert files(place) == [".spool"]


def test_a_file_that_is_written_again_is_counted_as_far_as_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder was removed: what it held is in another file, and the next record waits until it is counted."""
    monkeypatch.setattr("atraso.ledger.spool.LOOK_EVERY_S", 0.0)
    run = Run(1)
    intake = Intake(place.spools, place.engine, run)
    spool = Spool(place.spools, mark=run.mark(0))
    spool.add(record(1))
    assert spool.flush()
    spool.release()
    for path in place.spools.iterdir():
        path.unlink()
    spool.look()
    spool.add(record(2))
    assert spool.flush()
    assert take_all(intake).new_rows == 1
    spool.release()
    assert take_all(intake).new_rows == 1
    spool.close()


def test_what_an_earlier_run_left_is_recovered_and_counted_apart(place: Place) -> None:
    """It is in the ledger, and not among what this run has kept."""
    spooled(place, record(1), record(2, 3), b"not JSON").close()
    run = Run(1, names_in(place.spools))
    rows = Rows(run, 1)
    spool = Spool(place.spools, mark=run.mark(0))
    spool.add(record(4))
    assert spool.flush()
    rows.counts.slot(0).kept(1)
    spool.release()
    writer = start_writer(place, rows.status)
    eventually(lambda: place.count() == 4)
    eventually(lambda: rows.queued() == 0)
    status = writer.status()
    assert (status.rows_stored, status.rows_recovered, status.rows_aside, status.refused) == (1, 3, 0, 1)
    writer.kill()
    spool.close()


def test_a_file_that_an_earlier_run_still_holds_does_not_hold_up_the_others(place: Place) -> None:
    """A worker of a service that was killed lives on for a moment."""
    orphan = spooled(place, record(1))
    run = Run(1, names_in(place.spools))
    spooled(place, record(2)).close()
    intake = Intake(place.spools, place.engine, run)
    taken = take_all(intake)
    assert (taken.new_rows, taken.recovered, numbers(place)) == (2, 1, [1, 2])
    orphan.close()
    take_all(intake)
    assert files(place) == []


def test_rows_that_cannot_be_stored_are_counted_as_set_aside(place: Place) -> None:
    """As many as their records hold; one in which none can be counted stays queued, which is where it can be seen."""
    run = Run(1)
    rows = Rows(run, 1)
    spool = Spool(place.spools, mark=run.mark(0))
    for payload in (record(1), record(2, 3, id="SHORT"), b"not JSON"):
        spool.add(payload)
    assert spool.flush()
    rows.counts.slot(0).kept(4)
    spool.release()
    writer = start_writer(place, rows.status)
    eventually(lambda: writer.status().refused == 2)
    eventually(lambda: rows.queued() == 1)
    assert (writer.status().rows_stored, writer.status().rows_aside) == (1, 2)
    writer.kill()


def tell_for_ever(board: StatusBoard) -> None:
    """Tell one status after another, all of whose numbers are the same."""
    for number in itertools.count(board.read().errors + 1):
        board.tell(Status(*[number] * len(fields(Status))))


def test_a_status_is_read_as_it_was_told(tmp_path: Path) -> None:
    """Whole, never a part of one and a part of the next, also when the writer is killed while it tells."""
    board = StatusBoard()
    last = 0
    for _ in range(5):
        teller = FORK.Process(target=tell_for_ever, args=(board,), daemon=True)
        teller.start()
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            told = astuple(board.read())
            assert len(set(told)) == 1
            assert told[0] >= last
            last = told[0]
        teller.kill()
        teller.join()
    assert last > 100


def test_how_long_the_disk_was_not_asked_is_that_of_the_oldest_write() -> None:
    """Over all workers, whether they wait or are being served; nothing where nobody waits."""
    run = Run(3)
    assert run.unforced_s(5_000_000_000) == 0.0
    run.mark(0).written_ns = 4_000_000_000
    run.mark(2).forcing_ns = 3_500_000_000
    assert run.unforced_s(5_000_000_000) == 1.5
    run.bury(2, Path("nowhere"))
    assert run.unforced_s(5_000_000_000) == 1.0


def test_names_that_are_no_spool_files_have_no_stamp() -> None:
    """Whatever lies in the folder."""
    assert stamp_of("00001793491200000000-17.spool") == 1_793_491_200_000_000
    assert [stamp_of(name) for name in ("", "x", "ledger.sqlite3", "²" * 20)] == [0] * 4


def test_a_database_that_is_replaced_has_what_the_spools_still_hold(
    sqlite_place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """What was stored in the one that is gone counts as queued until it is stored again; it is told."""
    run = Run(1)
    ledger = OpenLedger(sqlite_place.data, ledger_url(sqlite_place.data), sqlite_place.spools, run)
    ledger.open()
    spooled(sqlite_place, record(1), record(2)).close()
    left = spooled(sqlite_place, record(3))
    while ledger.take().more:
        pass
    assert ledger.rows_stored == 3
    ledger.take()
    for path in sqlite_place.data.glob("ledger.sqlite3*"):
        path.unlink()
    with caplog.at_level(logging.ERROR):
        ledger.open()
    assert ledger.rows_stored == 0
    while ledger.take().more:
        pass
    assert (ledger.rows_stored, numbers(sqlite_place)) == (1, [3])
    assert "3 predictions were stored in a database that is gone" in caplog.text
    ledger.close()
    left.close()
