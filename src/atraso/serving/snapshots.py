"""Snapshots of the state in memory that forked processes share: one writes them, all workers read the latest.

There are several places, written in turn, so a reader has seconds for a copy that takes a millisecond; a copy that was
overwritten all the same is told by its checksum.
"""

from __future__ import annotations

import mmap

PLACES = 4
# Only what is written takes memory.
PLACE_BYTES = 64 * 1024 * 1024
_NUMBER, _MADE_AT, _LENGTHS = 0, 1, 2


class SnapshotTooLargeError(ValueError):
    """The snapshot does not fit: there are more keys than any airport has."""


class SnapshotPlaces:
    """Where the latest snapshot is; make it before the processes are forked. One of them writes."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, PLACES * PLACE_BYTES)
        self._cells = memoryview(mmap.mmap(-1, 4096)).cast("Q")

    @property
    def number(self) -> int:
        """What changes with each snapshot; 0 before the first."""
        return self._cells[_NUMBER]

    @property
    def made_at_s(self) -> int:
        """When the latest was made, in seconds since 1970."""
        return self._cells[_MADE_AT]

    def write(self, content: bytes, made_at_s: int) -> None:
        """Put *content* in the place of the latest; raises SnapshotTooLargeError."""
        if len(content) > PLACE_BYTES:
            raise SnapshotTooLargeError(f"a snapshot of {len(content):,} bytes is larger than {PLACE_BYTES:,}")
        number = self.number + 1
        start = number % PLACES * PLACE_BYTES
        self._memory[start : start + len(content)] = content
        self._cells[_LENGTHS + number % PLACES] = len(content)
        self._cells[_MADE_AT] = made_at_s
        self._cells[_NUMBER] = number

    def read(self) -> bytes:
        """Return a copy of the latest; empty where there is none."""
        place = self.number % PLACES
        start = place * PLACE_BYTES
        return self._memory[start : start + self._cells[_LENGTHS + place]]
