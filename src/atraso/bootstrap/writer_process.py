"""The ledger's writer as a child of the service: started with it, replaced when it ends, stopped after the workers."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from atraso.core.errors import AtrasoError
from atraso.ledger.status import StatusBoard

log = logging.getLogger("atraso.ledger")

RETRY_AFTER_S, RETRY_AFTER_AT_MOST_S = 1.0, 60.0
LASTED_S = 10.0
# It has a moment to take in what the workers kept last; what is left waits in the spools for the next start.
STOP_WITHIN_S = 5.0
# Answering goes first: what is kept can wait in the spools.
NICENESS = 10
USER_ERROR = 2


class WriterProcess:
    """Keeps one writer of the folder *data* alive; its process calls *in_child* first, to close what it needs not."""

    def __init__(
        self, data: Path, url: str | None, keep_days: int, *, board: StatusBoard, in_child: Callable[[], None]
    ) -> None:
        self._what = (data, url, keep_days)
        self._board, self._in_child = board, in_child
        self._context = multiprocessing.get_context("fork")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._retry_at = self._began_at = 0.0
        self._retry_s = RETRY_AFTER_S / 2

    def look(self) -> None:
        """Start the writer where there is none."""
        if self._process is not None and self._process.exitcode is None:
            return
        now = time.monotonic()
        if self._process is not None:
            log.error("The ledger's writer ended (exit code %s) and is replaced.", self._process.exitcode)
            # One that cannot begin, because another service writes this ledger, is tried ever less often; one that was
            # killed has had nothing wrong with it.
            killed = (self._process.exitcode or 0) < 0
            lasted = now - self._began_at > LASTED_S
            self._retry_s = RETRY_AFTER_S if lasted or killed else min(2 * self._retry_s, RETRY_AFTER_AT_MOST_S)
            self._process = None
            self._retry_at = now + self._retry_s
        if now >= self._retry_at:
            self._process = self._context.Process(target=self._enter, args=(os.getpid(),), daemon=True)
            self._process.start()
            self._began_at = now

    def stop(self) -> None:
        """Let the writer take in what is at hand, and end it."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(STOP_WITHIN_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def _enter(self, parent: int) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)  # the supervisor alone decides what they mean
        self._in_child()
        os.nice(NICENESS)
        # The database's library takes longer to import than all the rest: the service is ready meanwhile.
        from atraso.ledger.writer import WriterConfig, run_writer  # noqa: PLC0415

        try:
            run_writer(WriterConfig(*self._what), lambda: os.getppid() == parent, self._board)
        except AtrasoError as error:
            sys.stderr.write(f"atraso: {error}\n")
            sys.exit(USER_ERROR)
