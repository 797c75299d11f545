"""The one process that writes to the ledger: it takes in the spools, does what is asked of it, shows the accounts.

Whatever becomes of its database or folder, it goes on: what is not stored yet stays in the spools.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from atraso.core.drift import Reference
from atraso.core.errors import AtrasoError, LedgerError
from atraso.ledger import upkeep
from atraso.ledger.command_socket import Asked, CommandSocket
from atraso.ledger.commands import LONG
from atraso.ledger.database import DATABASE_ERRORS, ledger_url, open_engine, shown, told
from atraso.ledger.locks import WriterLock
from atraso.ledger.opened import OpenLedger
from atraso.ledger.pulse import Pulse
from atraso.ledger.quality_round import QualityRound
from atraso.ledger.spool import FOLDER
from atraso.ledger.status import Status, StatusBoard
from atraso.ledger.verbs import execute

log = logging.getLogger("atraso.ledger")

STEP_EVERY_S = 0.2
ACCOUNTS_EVERY_S = 1.0
UPKEEP_EVERY_S = 60.0
# After the first, the second … failure in a row.
RETRY_AFTER_S = (0.2, 0.5, 1.0, 2.0)
COMPLAIN_EVERY_S = 10.0
# When asked to end, what is queued is taken in for so long at most.
DRAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class WriterConfig:
    """What a writer writes: the spools of the folder *data* into the database at *url* (none: SQLite in that folder).

    Predictions older than *keep_days* are forgotten, never younger ones; 0 keeps all. The lock is waited for
    *lock_within_s*: a writer that is just ending has it, or the command line for a moment. The predictions for the last
    *quality_days* days are judged (0: none), those of the model that *reference* tells of.
    """

    data: Path
    url: str | None = None
    keep_days: int = 90
    lock_within_s: float = 2.0
    quality_days: int = 0
    reference: Callable[[], Reference | None] = lambda: None


def run_writer(config: WriterConfig, beat: Callable[[], bool], board: StatusBoard | None = None) -> None:
    """Be the writer in this process until SIGTERM, or until *beat*, called each half second, returns False.

    The first beat says that the lock is held. A process that is to end and stands still is ended by force. Raises
    LedgerError where another process holds the lock, and MissingExtraError.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Writer(config, board or StatusBoard(), beat).run(stop)


class _EndingError(Exception):
    """The writer is to end: what it was finding out has time until the next one."""


class Writer:
    """Writes one ledger; *board* is told how it goes, its counts are carried on."""

    def __init__(self, config: WriterConfig, board: StatusBoard, beat: Callable[[], bool] = lambda: True) -> None:
        self._config = config
        self._url = ledger_url(config.data, config.url)
        open_engine(self._url).dispose()  # a driver that is missing is told before anything is begun
        self._board = board
        self._status: Status = board.read()
        self._beat = beat
        self._pulse = Pulse(beat)
        self._lock = WriterLock(config.data, self._url)
        self._ledger = OpenLedger(config.data, self._url, config.data / FOLDER, board.run, board.moved)
        self._ledger.rows_stored = self._status.rows_stored
        self._socket: CommandSocket | None = None
        self._later: deque[Asked] = deque()
        self._quality: QualityRound | None = None
        if config.quality_days:
            self._quality = QualityRound(config.data, self._url, config.quality_days, config.reference)
        self._failures = 0
        self._stop = threading.Event()
        self._next = dict.fromkeys(("retry", "accounts", "upkeep", "complain"), 0.0)

    def run(self, stop: threading.Event) -> None:
        """Write until *stop* is set, and end with what is at hand taken in.

        Raises LedgerError where another process writes to the same ledger.
        """
        self._stop = stop
        try:
            self._begin(stop)
            self._pulse.start(stop)
            while not stop.is_set():
                more = self._step()
                self._answer(0.0 if more else STEP_EVERY_S)
            self._drain()
        finally:
            self._pulse.end()
            if self._socket is not None:
                self._socket.close()
            for asked in self._later:
                asked.refuse("The ledger's writer is ending: try again.", later=True)
            self._ledger.close()
            self._lock.release()

    def _begin(self, stop: threading.Event) -> None:
        """Take the lock, waiting for a folder that cannot be used yet."""
        while not self._lock.holds() and not stop.is_set():
            self._board.moved()
            try:
                self._lock.take(self._config.lock_within_s)
            except LedgerError:
                self._status.errors += 1
                self._status.failing = 1
                self._tell()
                raise
            except OSError as error:
                self._failed(error)
                if not self._beat():
                    stop.set()
                stop.wait(STEP_EVERY_S)

    def _step(self) -> bool:
        """Do what is due; return whether there is more to be taken in right now."""
        now = time.monotonic()
        self._board.moved()
        if now < self._next["retry"]:
            return False
        try:
            self._stand()
            more = self._take()
            self._publish()
            if now >= self._next["upkeep"]:
                self._look_after()
                self._next["upkeep"] = now + UPKEEP_EVERY_S
            if self._quality is not None and self._quality.due():
                with contextlib.suppress(_EndingError):
                    self._quality.go(self._ledger.engine, self._between_judging)
        except DATABASE_ERRORS as error:
            self._failed(error)
            return False
        self._status.failing = self._failures = 0
        self._status.last_success_ms = time.time_ns() // 1_000_000
        self._tell()
        return more

    def _take(self) -> bool:
        """Take in a batch; return whether there is more."""
        taken, status = self._ledger.take(), self._status
        status.rows_stored = self._ledger.rows_stored
        status.rows_recovered += taken.recovered
        status.rows_aside += taken.aside
        status.refused += taken.refused
        status.torn += taken.torn
        status.damaged += taken.damaged
        return taken.more

    def _publish(self) -> None:
        """Show the accounts where that is due; this also tells a database that is down while nothing is spooled."""
        now = time.monotonic()
        if now >= self._next["accounts"]:
            self._ledger.publish_accounts()
            self._next["accounts"] = now + ACCOUNTS_EVERY_S

    def _stand(self) -> None:
        """Stand on a lock, a database and a socket that are still there: a folder may have been removed."""
        if not self._lock.holds():
            self._ledger.close()
            try:
                self._lock.take()
            except LedgerError as error:
                raise OSError(str(error)) from None
        self._ledger.open()
        self._listen()

    def _listen(self) -> None:
        """Have the socket; where there can be none, the spools are taken in all the same."""
        if self._socket is not None:
            if self._socket.stands():
                return
            self._socket.close()
            self._socket = None
        try:
            self._socket = CommandSocket(self._config.data)
        except OSError as error:
            self._complain("The ledger's socket in %s cannot be made (%s).", self._config.data, error.strerror)

    def _look_after(self) -> None:
        if self._config.keep_days > 0:
            self._status.pruned += upkeep.prune(self._ledger.engine, self._config.keep_days, self._between)
        self._status.database_bytes = self._ledger.size_bytes()

    def _failed(self, error: Exception) -> None:
        """Take note that the database or the folder cannot be used now, and when to try again."""
        self._ledger.close()
        now = time.monotonic()
        self._next["retry"] = now + RETRY_AFTER_S[min(self._failures, len(RETRY_AFTER_S) - 1)]
        self._failures += 1
        self._status.errors += 1
        self._status.failing = 1
        self._tell()
        what = "The ledger %s cannot be written (%s); what is to be kept waits in %s."
        self._complain(what, shown(self._url), told(error), self._config.data / FOLDER)

    def _complain(self, what: str, *values: object) -> None:
        """Log what is wrong, now and then."""
        now = time.monotonic()
        if now >= self._next["complain"]:
            self._next["complain"] = now + COMPLAIN_EVERY_S
            log.error(what, *values)

    def _tell(self) -> None:
        with contextlib.suppress(OSError):
            self._status.queued_files, self._status.queued_bytes = self._ledger.queued()
        self._board.tell(self._status)

    def _answer(self, wait_s: float) -> None:
        """Do what is asked, waiting *wait_s* for it; then what was put off."""
        if self._socket is None:
            time.sleep(wait_s)
            return
        with contextlib.suppress(queue.Empty):
            self._do(self._socket.queue.get(timeout=wait_s) if wait_s else self._socket.queue.get_nowait())
        while self._later:
            self._do(self._later.popleft())

    def _do(self, asked: Asked, *, between: bool = False) -> None:
        try:
            if not between:
                self._ledger.open()
            asked.done(execute(asked.command, self._ledger.engine, self._between))
        except AtrasoError as error:
            asked.refuse(str(error))
        except DATABASE_ERRORS as error:
            asked.refuse(f"The ledger {shown(self._url)} cannot be used now: {told(error)}.", later=True)
            if between:
                raise
            self._failed(error)
        else:
            self._next["accounts"] = 0.0

    def _between(self) -> None:
        """Go on with the rest during something long: take in a batch, do what is short."""
        self._board.moved()
        self._take()
        self._publish()
        self._tell()
        while self._socket is not None and not self._socket.queue.empty():
            asked = self._socket.queue.get()
            if isinstance(asked.command, LONG):
                self._later.append(asked)
            else:
                self._do(asked, between=True)

    def _between_judging(self) -> None:
        self._between()
        if self._stop.is_set():
            raise _EndingError

    def _drain(self) -> None:
        until, more = time.monotonic() + DRAIN_S, True
        self._next["retry"] = 0.0
        self._quality = None  # there is no time for it
        while more and time.monotonic() < until:
            more = self._step()
