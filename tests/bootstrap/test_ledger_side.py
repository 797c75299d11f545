"""A writer that stands still is replaced, and one that only cannot write is not."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atraso.artefact.bundle import BUNDLED
from atraso.artefact.scorer import Scorer, load_scorer
from atraso.bootstrap.beside import ProcessBeside
from atraso.bootstrap.ledger_side import WRITER_NICENESS, LedgerSide
from atraso.ledger.desk import Desk
from atraso.settings import load_settings
from tests.serving.processes import alive, children, eventually

STUCK_AFTER_S = 3.0


class Beside:
    """What stands beside a service that has no workers, looked at as its supervisor does."""

    def __init__(self, data: Path) -> None:
        settings = load_settings({"ATRASO_DATA": str(data), "ATRASO_LEDGER": "spool"}, flags={})
        self.side = LedgerSide(settings, lambda: None, lambda: None, stuck_after_s=STUCK_AFTER_S)
        self._scorer: Scorer = load_scorer(BUNDLED)
        self._socket = data / "ledger.sock"
        self.meanwhile(lambda: self.writer != 0 and self._socket.exists())

    @property
    def writer(self) -> int:
        """The process of the writer, 0 where there is none."""
        nice = os.getpriority(os.PRIO_PROCESS, 0) + WRITER_NICENESS
        found = [pid for pid in children(os.getpid()) if os.getpriority(os.PRIO_PROCESS, pid) == nice]
        return found[0] if found else 0

    def meanwhile(self, true: Callable[[], bool], within_s: float = 20.0) -> None:
        """Look until *true* is."""

        def looked() -> bool:
            self.side.look(self._scorer)
            return true()

        eventually(looked, within_s)


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    made = Beside(tmp_path)
    yield made
    made.side.stop()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


def test_a_writer_that_stands_still_is_replaced(beside: Beside, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is killed, the log says so, and the one after it does what is asked."""
    before = beside.writer
    os.kill(before, signal.SIGSTOP)
    beside.meanwhile(lambda: beside.writer not in (0, before))
    assert not alive(before)
    assert "The ledger's writer has stood still for 3 s and is replaced." in caplog.text
    beside.meanwhile(lambda: beside.side.status.silent_s() < 1 and not beside.side.status.read().failing)
    assert Desk(data).list_keys() == []


def test_a_writer_that_waits_for_a_lock_does_not_stand_still(beside: Beside, data: Path) -> None:
    """Another process has the database for longer than a writer may stand still: it tells so and stays."""
    before = beside.writer
    with contextlib.closing(sqlite3.connect(data / "ledger.sqlite3", isolation_level=None)) as locking:
        locking.execute("BEGIN IMMEDIATE")
        until = time.monotonic() + 2 * STUCK_AFTER_S
        beside.meanwhile(lambda: time.monotonic() > until)
        assert beside.side.status.read().failing == 1
        locking.execute("ROLLBACK")
    beside.meanwhile(lambda: not beside.side.status.read().failing)
    assert beside.writer == before


def test_after_a_sleep_of_the_service_its_writer_has_time_to_move(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All processes were stopped together, as a container's may be: silence tells nothing then."""
    before = beside.writer
    os.kill(before, signal.SIGSTOP)
    time.sleep(STUCK_AFTER_S + 1.0)  # nobody looks
    os.kill(before, signal.SIGCONT)
    beside.meanwhile(lambda: beside.side.status.silent_s() < 1)
    assert beside.writer == before


def test_what_waits_for_a_disk_is_told_apart(tmp_path: Path) -> None:
    """The system holds it and no signal reaches it; the service does not wait with it, and starts no second one."""
    clone_vfork, sys_clone = 0x4000, 56 if os.uname().machine == "x86_64" else 220
    held = tmp_path / "held"

    def work(alive: Callable[[], bool]) -> None:
        libc = ctypes.CDLL(None)
        if libc.syscall(sys_clone, clone_vfork | signal.SIGCHLD, 0, 0, 0, 0) == 0:
            held.touch()
            while not (tmp_path / "enough").exists():
                time.sleep(0.01)
            os._exit(0)
        while alive():
            time.sleep(0.02)

    beside = ProcessBeside("It", work, niceness=0, in_child=lambda: None)
    assert not beside.waits_for_a_disk
    beside.look()
    eventually(held.exists)
    try:
        eventually(lambda: beside.waits_for_a_disk)
    finally:
        (tmp_path / "enough").touch()
    eventually(lambda: not beside.waits_for_a_disk)
    beside.stop()
