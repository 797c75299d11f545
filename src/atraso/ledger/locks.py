"""That there is one writer: a lock on a file, which the system takes back when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from atraso.core.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import URL

FILE = "ledger.lock"


class WriterLock:
    """The right to write to a ledger and to take in the spools of the folder *data*.

    Without *url* the database is the one in that folder; its library is not loaded then.
    """

    def __init__(self, data: Path, url: URL | None = None) -> None:
        self._shown = f"in {data.absolute()}"
        self._paths = [data / FILE]
        self._fds: list[int] = []
        if url is None:
            return
        from atraso.ledger.database import shown, sqlite_file  # noqa: PLC0415 - see above

        self._shown = shown(url)
        file = sqlite_file(url)
        if file is not None and file.parent.absolute() != data.absolute():
            # Two services with folders of their own, but one database.
            self._paths.append(file.with_name(file.name + ".lock"))

    def __enter__(self) -> WriterLock:
        self.take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def take(self, within_s: float = 0.0) -> None:
        """Take the lock; raises LedgerError where another process keeps it for *within_s*, OSError for the folder."""
        deadline = time.monotonic() + within_s
        while not self._try():
            if time.monotonic() >= deadline:
                raise LedgerError(
                    f"Another process{self._holder()} writes to the ledger {self._shown}, and only one may: "
                    "stop that service first, or give this one a data folder of its own."
                )
            time.sleep(0.05)

    def holds(self) -> bool:
        """Return whether the lock is taken, on the files that stand there now: a folder may have been removed."""
        try:
            return len(self._fds) == len(self._paths) and all(
                os.fstat(fd).st_ino == path.stat().st_ino for fd, path in zip(self._fds, self._paths, strict=True)
            )
        except OSError:
            return False

    def release(self) -> None:
        """Let others have it."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def _try(self) -> bool:
        self.release()
        for path in self._paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._fds.append(fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.release()
                return False
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        return self.holds()

    def _holder(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            return f" ({int(self._paths[0].read_text())})"
        return ""
