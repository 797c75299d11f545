"""Forces what was written to the disk, for many answers at once and in a thread that nobody waits for."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from pathlib import Path

from atraso.ledger.run import Mark

log = logging.getLogger("atraso.ledger")

# A write is forced so long after it was made at most, and then takes what the disk takes.
EVERY_S = 0.1
# A disk that takes longer than this is told of.
STALLED_S = 1.0
COMPLAIN_EVERY_S = 10.0


class GroupCommit:
    """Forces the writes of one process to the disk, each `EVERY_S` after it was made at most.

    While the disk stalls so does the thread, and nobody else: answers go on, what a loss of power would cost grows with
    the stall, *mark* shows since when, and the log tells it.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._fd = -1
        self._folders: deque[Path] = deque()
        self._ended: deque[int] = deque()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._complained_at = float("-inf")

    def begun(self, fd: int, folder: Path) -> None:
        """Take note of a new file in *folder*."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ledger-sync", daemon=True)
            self._thread.start()
        self._fd = fd
        self._folders.append(folder)

    def written(self) -> None:
        """Take note of a write to the file that was begun last."""
        if not self._mark.written_ns:
            self._mark.written_ns = time.monotonic_ns()
            self._wake.set()

    def ended(self, fd: int) -> None:
        """Force a file that is complete, then close it: only the thread knows when it does not need it any more."""
        self._ended.append(fd)
        self._fd = -1
        self._wake.set()

    def _run(self) -> None:
        began = float("-inf")
        while True:
            self._wake.wait()
            time.sleep(max(began + EVERY_S - time.monotonic(), 0.0))
            self._wake.clear()
            began = time.monotonic()
            try:
                self._force()
            except OSError as error:
                self._complain("Answers cannot be forced to the disk of the spool: %s.", error.strerror)
                if self._ended:
                    self._wake.set()
            self._mark.forcing_ns = 0
            took_s = time.monotonic() - began
            if took_s > STALLED_S:
                self._complain("The disk of the spool took %.1f s: a loss of power would have cost as much.", took_s)

    def _force(self) -> None:
        mark, fd = self._mark, self._fd  # before the list: a file is in one of the two
        # What is written from here on sets the moment again, so it is forced the next time.
        mark.forcing_ns, mark.written_ns = mark.written_ns, 0
        while self._ended:
            complete = self._ended.popleft()
            fd = -1 if fd == complete else fd
            try:
                os.fdatasync(complete)
            finally:
                os.close(complete)
        if fd >= 0 and mark.forcing_ns:
            os.fdatasync(fd)
        while self._folders:
            force_folder(self._folders.popleft())

    def _complain(self, what: str, value: object) -> None:
        now = time.monotonic()
        if now >= self._complained_at + COMPLAIN_EVERY_S:
            self._complained_at = now
            log.error(what, value)


def force_folder(folder: Path) -> None:
    """Force the names in *folder* to the disk, and its own name."""
    for each in (folder, folder.parent):
        fd = os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
