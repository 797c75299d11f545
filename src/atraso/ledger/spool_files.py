"""Spool files as the writer finds them: still growing, complete, or ending in something that cannot be read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from atraso.ledger.database import open_for_owner
from atraso.ledger.spool import BEGINNING, FRAME, SUFFIX

DAMAGED = ".damaged"
CHUNK_BYTES = 4 * 1024 * 1024
# The largest answer (10,000 flights with reasons) is some 10 MB; a length beyond this is not one.
MAX_RECORD_BYTES = 64 * 1024 * 1024
_FORGOTTEN_AFTER_S = 3600.0


class Found(NamedTuple):
    """A spool file and its size in bytes."""

    path: Path
    size: int


class Piece(NamedTuple):
    """Whole records from one place of a file on: payloads, where the next record begins, and whether it is damaged."""

    payloads: list[memoryview]
    end: int
    damaged: bool


def spool_files(folder: Path) -> list[Found]:
    """Return the spool files in *folder*, oldest first; none where there is no folder."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.name.endswith(SUFFIX):
                        found.append(Found(Path(entry.path), entry.stat().st_size))
                    elif entry.name.endswith(BEGINNING) and entry.stat().st_mtime < time.time() - _FORGOTTEN_AFTER_S:
                        Path(entry.path).unlink()  # its process was killed before the file had its name
    except FileNotFoundError:
        pass
    return sorted(found)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open *path* for reading; a lock taken on it lasts as long."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def read_piece(fd: int, at: int, until: int) -> Piece:
    """Return whole records from byte *at* on and before *until*, of some 4 MiB, at least one where there is one."""
    content = memoryview(os.pread(fd, min(CHUNK_BYTES, max(until - at, 0)), at))
    if len(content) == CHUNK_BYTES:
        length = FRAME.unpack_from(content)[0] + FRAME.size
        if CHUNK_BYTES < length <= MAX_RECORD_BYTES:
            content = memoryview(os.pread(fd, min(length, until - at), at))
    payloads = []
    place, last = 0, len(content) - FRAME.size
    damaged = False
    unpack, header = FRAME.unpack_from, FRAME.size
    while place <= last:
        length, checksum = unpack(content, place)
        payload = content[place + header : place + header + length]
        if not 0 < length <= MAX_RECORD_BYTES:
            damaged = True
            break
        if len(payload) < length:
            break
        if crc32(payload) != checksum:
            damaged = True
            break
        payloads.append(payload)
        place += header + length
    return Piece(payloads, at + place, damaged)


def is_complete(fd: int, path: Path) -> bool:
    """Return whether nobody appends to a file any more: its process is gone or has begun another."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return _left_behind(path)
    return True


def _left_behind(path: Path) -> bool:
    """Tell by the process's id in the name, where the file system has no locks."""
    began, _, pid = path.stem.partition("-")
    for other in path.parent.glob(f"*-{pid}{SUFFIX}"):
        if other.stem.partition("-")[0] > began:
            return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def keep_beside(path: Path, fd: int, start: int) -> None:
    """Copy what stands in *path* from byte *start* on to a file of the same name that ends in `.damaged`."""
    with open_for_owner(path.with_suffix(DAMAGED), os.O_TRUNC) as beside:
        while content := os.pread(fd, CHUNK_BYTES, start):
            beside.write(content)
            start += len(content)
        beside.flush()
        os.fsync(beside.fileno())
