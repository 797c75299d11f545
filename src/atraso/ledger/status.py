"""How the ledger is doing, told by its writer to all processes of a service through shared memory."""

from __future__ import annotations

import mmap
import secrets
from dataclasses import astuple, dataclass, fields


@dataclass(slots=True)
class Status:
    """Counts since the service started, and how things are now; sizes in bytes, moments in milliseconds since 1970.

    `rows_stored` is exact whatever is killed; the other counts may miss what a killed writer was about to tell.

    `refused` counts records that cannot be stored, `torn` and `damaged` files that end in something unreadable: all
    of them are kept beside. `failing` is 1 while the database or the folder cannot be used, 0 otherwise.
    """

    rows_stored: int = 0
    refused: int = 0
    torn: int = 0
    damaged: int = 0
    pruned: int = 0
    errors: int = 0
    failing: int = 0
    queued_files: int = 0
    queued_bytes: int = 0
    database_bytes: int = 0
    last_success_ms: int = 0


_CELLS = len(fields(Status))


class StatusBoard:
    """A status in memory that forked processes share; its counts outlive the writer's own process."""

    def __init__(self) -> None:
        # One run of a service; the ledger counts its rows under this number.
        self.run = secrets.randbits(62)
        self._cells = memoryview(mmap.mmap(-1, _CELLS * 8)).cast("Q")

    def tell(self, status: Status) -> None:
        """Say how the ledger is doing; the writer does, and nobody else."""
        for cell, value in enumerate(astuple(status)):
            self._cells[cell] = value

    def read(self) -> Status:
        """Return what was told last; each number is whole, though one may be newer than the next."""
        return Status(*self._cells)
