"""Processes that stand beside the workers: started with the service, replaced when they end, stopped after the rest."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from atraso.core.errors import AtrasoError

log = logging.getLogger("atraso")

RETRY_AFTER_S, RETRY_AFTER_AT_MOST_S = 1.0, 60.0
LASTED_S = 10.0
STOP_WITHIN_S = 5.0
# One that waits for a disk is not gone until the disk answers: the service does not wait with it.
KILLED_WITHIN_S = 1.0
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
USER_ERROR = 2


class ProcessBeside:
    """Keeps one process alive that does *work* until the service, asked by calling what it is given, is gone.

    *what* names it in the log; it runs at *niceness*, because answering goes first, and calls *in_child* before all
    else, to close what it does not need. Where the system can, it ends with the service even while it stands still.
    """

    def __init__(
        self,
        what: str,
        work: Callable[[Callable[[], bool]], None],
        *,
        niceness: int,
        in_child: Callable[[], None],
    ) -> None:
        self._what, self._work, self._niceness, self._in_child = what, work, niceness, in_child
        self._context = multiprocessing.get_context("fork")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._retry_at = self._began_at = 0.0
        self._retry_s = RETRY_AFTER_S / 2
        self._killed = False

    @property
    def age_s(self) -> float:
        """How long the process has been running."""
        return time.monotonic() - self._began_at if self._process is not None else 0.0

    @property
    def waits_for_a_disk(self) -> bool:
        """Whether the process is held by the system until a disk answers; to kill it would change nothing."""
        with contextlib.suppress(OSError, AttributeError, IndexError):
            stat = Path(f"/proc/{self._process.pid}/stat").read_text()  # type: ignore[union-attr]
            return stat.rpartition(")")[2].split()[0] == "D"
        return False

    def look(self) -> None:
        """Start the process where there is none."""
        if self._process is not None and self._process.exitcode is None:
            return
        now = time.monotonic()
        if self._process is not None:
            log.error("%s ended (exit code %s) and is replaced.", self._what, self._process.exitcode)
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
            self._killed = False

    def begin_again(self) -> None:
        """End the process at once and start another: it stands still, or has something old."""
        if self._process is not None and not self._killed and self._process.exitcode is None:
            self._process.kill()
            self._killed = True
            self._process.join(KILLED_WITHIN_S)
        if self._process is not None and self._process.exitcode is not None:
            self._process = None
        self._retry_at = 0.0
        self.look()

    def stop(self) -> None:
        """Let the process finish what is at hand, and end it."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(STOP_WITHIN_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(KILLED_WITHIN_S)

    def _enter(self, parent: int) -> None:
        _end_with(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)  # the supervisor alone decides what they mean
        self._in_child()
        os.nice(self._niceness)
        try:
            self._work(lambda: os.getppid() == parent)
        except AtrasoError as error:
            sys.stderr.write(f"atraso: {error}\n")
            sys.exit(USER_ERROR)


def _end_with(parent: int) -> None:
    """Have the system kill this process when *parent* ends: one that stands still would keep its locks from others."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - for this alone

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it ended just before
            os._exit(0)
