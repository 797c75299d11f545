"""What goes wrong amid a step, done to a service of one's own while it is loaded."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from atraso.artefact.bundle import BUNDLED, read_artefact, write_artefact
from atraso.artefact.store import Store
from atraso.core.errors import AtrasoError
from atraso.stress.proc import children_of, memory_of, nice_of
from atraso.stress.profiles import Fault, StressError
from atraso.stress.target import Target

SWAPS = 4
LEDGER = "ledger.sqlite3"
ROWS_WITHIN_S = 30.0
NOTHING_DUE = b"\natraso_ledger_queued_rows 0.0"


class Striking:
    """Lets *fault* strike at the third of a step of some *seconds*, until its second third is over.

    `told` says afterwards what was done; leaving raises StressError where it could not be done.
    """

    def __init__(self, fault: Fault, target: Target, seconds: float) -> None:
        self._target, self._seconds = target, seconds
        self._act: Callable[[], None] | None = self._how(fault)
        self._thread = threading.Thread(target=self._strike, daemon=True)
        self._over = threading.Event()
        self._failure: Exception | None = None
        self.told: list[str] = []
        self.excused = False  # the step was stopped, perhaps before its fault was due

    def _how(self, fault: Fault) -> Callable[[], None] | None:
        match fault:
            case Fault.NONE:
                return None
            case Fault.WORKER_KILLED:
                return self._kill_worker
            case Fault.MODEL_SWAPPED:
                return functools.partial(self._swap_models, other_model(self._data()))
            case Fault.DIRECTORY_STOPPED:
                return self._stop_directory
            case Fault.DATABASE_LOCKED:
                return self._lock_database

    def __enter__(self) -> Self:
        if self._act is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._act is None:
            return
        self._thread.join()
        if self.excused:
            return
        if self._failure is not None and kind is None:
            raise StressError(f"The fault could not be made: {self._failure}") from self._failure
        if kind is None and not self.told:
            raise StressError("The step ended before its fault was made.")

    def _strike(self) -> None:
        assert self._act is not None
        if self._over.wait(self._seconds / 3):
            return
        try:
            self._act()
        except (OSError, sqlite3.Error, AtrasoError) as failure:
            self._failure = failure

    def _data(self) -> Path:
        assert self._target.data is not None
        return self._target.data

    def _kill_worker(self) -> None:
        assert self._target.pid is not None
        workers = workers_of(self._target.pid)
        os.kill(workers[0], signal.SIGKILL)
        self.told.append(f"one of {len(workers)} workers killed with SIGKILL after {self._seconds / 3:.0f} s")

    def _swap_models(self, other: str) -> None:
        store = Store(self._data() / "models")
        bundled = store.in_use() == BUNDLED
        here = read_artefact(BUNDLED)[0].version
        for n in range(SWAPS):
            store.activate(other if bundled == (n % 2 == 0) else here)
            if self._over.wait(self._seconds / 3 / SWAPS):
                break
        self.told.append(f"model swapped {n + 1} times, from {self._seconds / 3:.0f} s on")

    def _stop_directory(self) -> None:
        directory = self._target.directory
        if directory is None:
            raise StressError("there is no directory to stop: install slapd and the extra ldap")
        directory.process.terminate()
        directory.process.wait()
        self.told.append(f"slapd stopped after {self._seconds / 3:.0f} s, for good")

    def _lock_database(self) -> None:
        began = time.monotonic()
        with contextlib.closing(sqlite3.connect(self._data() / LEDGER, timeout=5.0, isolation_level=None)) as ledger:
            ledger.execute("BEGIN EXCLUSIVE")
            self._over.wait(self._seconds / 3)
            ledger.execute("ROLLBACK")
        self.told.append(f"{LEDGER} locked for {time.monotonic() - began:.1f} s, from {self._seconds / 3:.0f} s on")


def workers_of(pid: int) -> list[int]:
    """Return the processes of a service's workers, largest first: its children that do not give way to it."""
    eager = [child for child in children_of(pid) if nice_of(child) <= nice_of(pid)]
    return sorted(eager, key=lambda child: memory_of(child)["rss_mb"], reverse=True)[:64]


def other_model(data: Path) -> str:
    """Put a second model into the store of *data*: the bundled one under another version, which is returned."""
    manifest, tables = read_artefact(BUNDLED)
    raw = data.with_name("other-model")
    changed = msgspec.structs.replace(manifest, decision_reason=f"{manifest.decision_reason} (a copy for a stress run)")
    version = write_artefact(raw, changed, tables).version
    Store(data / "models").add(raw)
    shutil.rmtree(raw)
    return version


def stored(target: Target) -> str | None:
    """Wait until the ledger has taken in all that was answered; return how soon it had, or None for no such ledger."""
    if target.data is None:
        return None
    began = time.monotonic()
    while time.monotonic() - began < ROWS_WITHIN_S:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{target.origin}/metrics", timeout=10) as answer:  # noqa: S310
            if NOTHING_DUE in answer.read():
                return f"the ledger had stored all that was answered {time.monotonic() - began:.1f} s after the load"
        time.sleep(0.2)
    return f"{ROWS_WITHIN_S:.0f} s after the load the ledger had not yet stored all that was answered"
