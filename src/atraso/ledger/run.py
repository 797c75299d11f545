"""One run of a service: what it found in the spools, and how far each of its workers has counted what it spooled.

A worker counts an answer when it is written to its spool and before it is given. The writer takes in what is counted,
no more: so at no moment is more stored than was counted. What a killed worker had written and not counted was given to
nobody and is cut off.
"""

from __future__ import annotations

import logging
import mmap
import os
import secrets
from collections.abc import Collection
from pathlib import Path

log = logging.getLogger("atraso.ledger")

_STAMP, _COUNTED, _WRITTEN, _FORCING, _CELLS = range(5)
_STAMP_DIGITS = 20
BILLION = 1_000_000_000


class Mark:
    """How far one worker is with its file of the spool, in *cells* that others may see."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview | None = None) -> None:
        self._cells = memoryview(bytearray(_CELLS * 8)).cast("Q") if cells is None else cells

    def begin(self, stamp: int) -> None:
        """Begin the file of that *stamp*, of which nothing is counted yet; 0 is none."""
        self._cells[_COUNTED] = 0  # first: the file before is whole, and may be read on a moment later
        self._cells[_STAMP] = stamp

    def count(self, end: int) -> None:
        """Say that all records up to byte *end* are counted."""
        self._cells[_COUNTED] = end

    # When the oldest write was made that the disk was not asked for yet, and of those that it is asked for now; in
    # nanoseconds of the monotonic clock, 0 for none. The first is the worker's to set, the second its thread's.
    @property
    def written_ns(self) -> int:
        """When the oldest write was made that the disk was not asked to keep yet; 0 for none."""
        return self._cells[_WRITTEN]

    @written_ns.setter
    def written_ns(self, moment: int) -> None:
        self._cells[_WRITTEN] = moment

    @property
    def forcing_ns(self) -> int:
        """When the oldest write was made that the disk is being asked to keep; 0 for none."""
        return self._cells[_FORCING]

    @forcing_ns.setter
    def forcing_ns(self, moment: int) -> None:
        self._cells[_FORCING] = moment


class Run:
    """A run with so many *slots* for workers, in a folder that held the files *left*; made before they are forked."""

    def __init__(self, slots: int = 0, left: Collection[str] = ()) -> None:
        # The ledger counts its rows under this number.
        self.number = secrets.randbits(62)
        self.left = frozenset(left)
        self._slots = slots
        self._memory = memoryview(mmap.mmap(-1, (slots + 1) * _CELLS * 8)).cast("Q")

    def mark(self, slot: int) -> Mark:
        """Return the mark of the worker in *slot*."""
        return Mark(self._cells(slot))

    def limit(self, name: str) -> int | None:
        """Return how far the file of that *name* may be read; None for all of it, because nobody is writing to it."""
        stamp = stamp_of(name)
        for slot in range(self._slots):
            cells = self._cells(slot)
            if stamp and cells[_STAMP] == stamp:
                return cells[_COUNTED]
        return None

    def bury(self, slot: int, folder: Path) -> None:
        """Cut off what the worker of *slot*, which has ended, had written to its file in *folder* and not counted."""
        cells = self._cells(slot)
        stamp, counted = cells[_STAMP], cells[_COUNTED]
        if stamp:
            for path in folder.glob(f"{stamp:0{_STAMP_DIGITS}d}-*"):
                try:
                    if path.stat().st_size > counted:
                        os.truncate(path, counted)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    log.error("What nobody was answered cannot be cut off %s: %s.", path, error.strerror)
        for cell in range(_CELLS):
            cells[cell] = 0

    def unforced_s(self, now_ns: int) -> float:
        """Return for how long, at *now_ns* of the monotonic clock, the oldest write waits to be forced to the disk."""
        waiting = [
            moment
            for slot in range(self._slots)
            for moment in self._cells(slot)[_WRITTEN : _FORCING + 1].tolist()
            if moment
        ]
        return max(now_ns - min(waiting), 0) / BILLION if waiting else 0.0

    def _cells(self, slot: int) -> memoryview:
        return self._memory[slot * _CELLS : (slot + 1) * _CELLS]


def names_in(folder: Path) -> list[str]:
    """Return the names of the files in *folder*; none where there is no folder."""
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def stamp_of(name: str) -> int:
    """Return the moment in the name of a spool file, in nanoseconds since 1970; 0 for a name that is none."""
    digits = name[:_STAMP_DIGITS]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
