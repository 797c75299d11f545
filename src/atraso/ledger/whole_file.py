"""Files by which the writer shows something to the workers: always whole, readable by their owner only."""

from __future__ import annotations

import os
from pathlib import Path

Stamp = tuple[int, int, int]


def write_whole(path: Path, content: bytes) -> None:
    """Put *content* in the place of what *path* holds, in one step; raises OSError, and the old file stays."""
    beside = path.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def stamp_of(path: Path) -> Stamp | None:
    """Return what changes when the file does, or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
