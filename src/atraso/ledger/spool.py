"""The spool: where a worker keeps what it is about to answer, before it answers.

A record is its length, its CRC-32 (both little-endian, 4 bytes) and its payload. Each worker appends to a file of its
own, all records that it has at hand in one `write`: what a killed worker had written stays, and a record cut short can
only be the last. While a process appends to a file it holds a lock on it, which the system takes back when the process
ends, however it ends: a file whose lock is free is complete.

What is written outlives any kill of processes. A loss of power it outlives once it is forced to the disk: never
(`off`), within 100 ms (`batch`), or before the answer is given (`each`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Literal
from zlib import crc32

from atraso.ledger.group_commit import GroupCommit, force_folder
from atraso.ledger.run import Mark

log = logging.getLogger("atraso.ledger")

FOLDER = "spool"  # of the data folder
SUFFIX = ".spool"
BEGINNING = ".beginning"
MAX_FILE_BYTES = 64 * 1024 * 1024
# Between two lines in the log while nothing can be written.
COMPLAIN_EVERY_S = 10.0
# Between two looks whether the file still has its name.
LOOK_EVERY_S = 0.5
_COPY_BYTES = 4 * 1024 * 1024
FRAME = Struct("<II")
Fsync = Literal["off", "batch", "each"]


class Spool:
    """Appends the records of one process to files in *folder*, each at most a little larger than *max_file_bytes*.

    The writer waits for what is flushed until it is released, where *mark* is one that it sees.
    """

    def __init__(
        self,
        folder: Path,
        max_file_bytes: int = MAX_FILE_BYTES,
        *,
        fsync: Fsync = "off",
        mark: Mark | None = None,
    ) -> None:
        self._folder = folder
        self._max = max_file_bytes
        self._mark = mark or Mark()
        self._forced_each = fsync == "each"
        self._group = GroupCommit(self._mark) if fsync == "batch" else None
        self._fd = -1
        self._size = 0
        self._held: list[bytes] = []
        self._complained_at = float("-inf")
        self._look_at = 0.0

    def add(self, payload: bytes) -> None:
        """Take *payload* in; it is kept once `flush` says so."""
        self._held.append(FRAME.pack(len(payload), crc32(payload)))
        self._held.append(payload)

    def flush(self) -> bool:
        """Write what was added; False where it could not be, and none of it is kept: the log tells it now and then."""
        if not self._held:
            return True
        records = b"".join(self._held)
        self._held.clear()
        try:
            self._look()
            if self._fd < 0 or self._size >= self._max:
                self._begin()
            self._write(records)
        except OSError as error:
            self._complain(error)
            return False
        self._size += len(records)
        if self._group is not None:
            self._group.written()
        return True

    def _write(self, records: bytes) -> None:
        """Write all of *records*, and force them where each is to be forced; raises OSError where nothing was kept."""
        if os.write(self._fd, records) < len(records):
            self._take_back()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._forced_each:
            try:
                os.fdatasync(self._fd)
            except OSError:
                # What a disk has failed to take it may claim to have, the next time: nothing more goes into this file.
                self._take_back()
                self.close()
                raise

    def release(self) -> None:
        """Let the writer have what was flushed: it is counted."""
        self._mark.count(self._size)

    def _take_back(self) -> None:
        """Remove records written in part; where that fails nothing may follow them in their file."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self.close()

    def look(self) -> None:
        """See now and then to it that the file is still there: what it holds would go with its process otherwise."""
        try:
            self._look()
        except OSError as error:
            self._complain(error)

    def _look(self) -> None:
        """Where somebody has removed the file, or its whole folder, write what it holds to another."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        if self._fd < 0 or os.fstat(self._fd).st_nlink:
            return
        removed, size, self._fd = self._fd, self._size, -1
        try:
            self._begin()
            while self._size < size:
                self._size += os.write(self._fd, os.pread(removed, min(_COPY_BYTES, size - self._size), self._size))
                self._mark.count(self._size)
        except OSError:
            self.close()
            self._fd, self._size, self._look_at = removed, size, 0.0
            self._mark.begin(0)
            raise
        self._end(removed)

    def _begin(self) -> None:
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        stamp = time.time_ns()
        path = self._folder / f"{stamp:020d}-{os.getpid()}{SUFFIX}"
        beginning = path.with_suffix(BEGINNING)
        self._fd = os.open(beginning, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        try:
            # Locked before it has its name: else it could be taken for one that is complete, and removed.
            with contextlib.suppress(OSError):  # a file system without locks: the process's id must do
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._mark.begin(stamp)
            beginning.rename(path)
            if self._forced_each:
                force_folder(self._folder)
        except OSError:
            os.close(self._fd)
            self._fd = -1
            raise
        if self._group is not None:
            self._group.begun(self._fd, self._folder)

    def close(self) -> None:
        """Let go of the file: it is complete. The next record begins another."""
        if self._fd >= 0:
            self._end(self._fd)
            self._fd = -1

    def _end(self, fd: int) -> None:
        if self._group is None:
            os.close(fd)
        else:
            self._group.ended(fd)

    def _complain(self, error: OSError) -> None:
        now = time.monotonic()
        if now >= self._complained_at + COMPLAIN_EVERY_S:
            self._complained_at = now
            log.error("Answers cannot be kept for the ledger in %s: %s.", self._folder, error.strerror)


def read_spool(path: Path) -> Iterator[bytes]:
    """Yield the payloads of a spool file in their order, up to a record that was cut short or is damaged."""
    content = memoryview(path.read_bytes())
    at = 0
    while at + FRAME.size <= len(content):
        length, checksum = FRAME.unpack_from(content, at)
        payload = content[at + FRAME.size : at + FRAME.size + length]
        if not length or len(payload) < length or crc32(payload) != checksum:
            return
        yield bytes(payload)
        at += FRAME.size + length
