"""Moves spool files into the ledger: each answer once, whatever is killed and however often a file is read.

The rows of a batch and how far the files are taken are stored in one transaction; reading a record again changes
nothing, because an identifier is stored once. So whenever in doubt, a file is read from its beginning.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from sqlalchemy import Engine

from atraso.ledger.database import make_durable, open_for_owner
from atraso.ledger.records import Row, read_record, rows_in
from atraso.ledger.run import Run
from atraso.ledger.spool import FRAME
from atraso.ledger.spool_files import Found, is_complete, keep_beside, opened, read_piece, spool_files
from atraso.ledger.storing import REFUSALS, Batch, refused_among, store, taken_before

log = logging.getLogger("atraso.ledger")

BATCH_ROWS = 10_000
REFUSED = ".refused"


@dataclass(slots=True)
class Taken:
    """What one step of the intake did; `more` says that there is more at hand.

    `recovered` counts the new rows that an earlier run had left, `aside` those of this run that cannot be stored.
    `refused` counts records that are whole but cannot be stored, `torn` files that end within a record, `damaged`
    those in which a record was changed. What was left out is kept beside the file.
    """

    rows: int = 0
    new_rows: int = 0
    recovered: int = 0
    aside: int = 0
    refused: int = 0
    torn: int = 0
    damaged: int = 0
    more: bool = False


@dataclass(slots=True)
class _Step:
    """A batch as it is gathered, with the payloads the rows came from and the files that it completes."""

    batch: Batch = field(default_factory=Batch)
    sources: list[tuple[Path, memoryview, list[Row]]] = field(default_factory=list)
    complete: list[Path] = field(default_factory=list)
    done: Taken = field(default_factory=Taken)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to be done."""
        return not (self.batch.rows or self.batch.used or self.batch.taken or self.complete)


class Intake:
    """Takes in the spool files of *folder*, for a *run* of a service that was begun; one process at a time may."""

    def __init__(self, folder: Path, engine: Engine, run: Run | None = None) -> None:
        self._folder = folder
        self._run = run or Run()
        self._counted = run is not None
        self._engine = engine
        self._taken: dict[str, int] | None = None
        self._begun_again: set[str] = set()
        self._gone: list[str] = []

    def queued_bytes(self) -> int:
        """Return how much of the spool files is not taken in yet; all of it before the first step."""
        taken = self._taken or {}
        return sum(max(found.size - taken.get(found.path.name, 0), 0) for found in spool_files(self._folder))

    def take(self) -> Taken:
        """Take in some 10,000 rows at most, in one transaction, and remove the files that are done with.

        Raises what the database or the file system raises; nothing is lost then, and the next call tries again.
        """
        try:
            return self._take()
        except BaseException:
            self._taken = None  # whether it was stored is for the database to say
            raise

    def _take(self) -> Taken:
        files = spool_files(self._folder)
        if self._taken is None:
            self._taken = {}
            if files:
                with self._engine.begin() as connection:
                    self._taken = taken_before(connection)
        # What an earlier run has left is not in the counts of this one: it goes first, in batches of its own.
        left = [found for found in files if found.path.name in self._run.left]
        step = self._gather(left)
        step.done.more = step.done.more or bool(left)
        recovering = not step.idle
        if not recovering:
            step = self._gather([found for found in files if found.path.name not in self._run.left])
            step.batch.run = self._run.number if self._counted else None
        step.batch.gone = self._gone
        if step.batch.rows or step.batch.used or step.batch.taken or step.batch.gone:
            self._store(step)
            if recovering:
                step.done.recovered, step.done.aside = step.done.new_rows, 0
            self._taken.update(step.batch.taken)
            self._gone = []
        if step.complete:
            make_durable(self._engine.url)
        for path in step.complete:
            path.unlink(missing_ok=True)
            self._taken.pop(path.name, None)
            self._gone.append(path.name)
        return step.done

    def _gather(self, files: list[Found]) -> _Step:
        """Read on in *files* until there is a batch."""
        step = _Step()
        for found in files:
            if len(step.batch.rows) >= BATCH_ROWS:
                step.done.more = True
                break
            with opened(found.path) as fd:
                self._read(step, found, fd)
        return step

    def _read(self, step: _Step, found: Found, fd: int) -> None:
        """Read one file on, until the batch is full or there is no more."""
        assert self._taken is not None
        path, name = found.path, found.path.name
        at = start = self._taken.get(name, 0)
        if at > found.size:
            # Records that were written in part were taken back, after we had seen them.
            at = 0
        # Asked before it is read: what is complete now does not grow any more. A file whose worker has ended is
        # finished once what was not counted is cut off.
        limit = self._run.limit(name)
        complete = limit is None and is_complete(fd, path)
        until = os.fstat(fd).st_size if limit is None else limit
        while True:
            piece = read_piece(fd, at, until)
            for payload in piece.payloads:
                self._understand(step, path, payload)
            at = piece.end
            if not piece.payloads or len(step.batch.rows) >= BATCH_ROWS:
                break
        if at != start:
            step.batch.taken[name] = at
        if piece.payloads and not piece.damaged:
            step.done.more = True
            return
        wrong = piece.damaged or (complete and at < os.fstat(fd).st_size)
        if not wrong:
            self._begun_again.discard(name)
        if wrong and name not in self._begun_again:
            # Perhaps it was not read from where a record begins.
            self._begun_again.add(name)
            step.batch.taken[name] = 0
            step.done.more = True
        elif complete:
            self._finish(step, path, fd, at, damaged=piece.damaged)

    def _finish(self, step: _Step, path: Path, fd: int, at: int, *, damaged: bool) -> None:
        """Be done with a file that is read to its end, or as far as it can be."""
        left = os.fstat(fd).st_size - at
        if left > 0:
            keep_beside(path, fd, at)
            what = "a damaged record" if damaged else "a record that was cut short"
            log.error("The spool file %s holds %s: its last %d bytes are kept beside it.", path, what, left)
            step.done.damaged += damaged
            step.done.torn += not damaged
        self._begun_again.discard(path.name)
        step.complete.append(path)

    def _understand(self, step: _Step, path: Path, payload: memoryview) -> None:
        rows: list[Row] = []
        try:
            read_record(payload, rows.append, step.batch.used)
        except (ValueError, OverflowError, RecursionError) as error:
            self._refuse(step, path, payload, str(error))
            return
        step.batch.rows += rows
        step.done.rows += len(rows)
        step.sources.append((path, payload, rows))

    def _store(self, step: _Step) -> None:
        try:
            with self._engine.begin() as connection:
                step.done.new_rows = store(connection, step.batch)
        except REFUSALS:
            self._store_what_can_be(step)

    def _store_what_can_be(self, step: _Step) -> None:
        """Store the batch without the records that the database will never take."""
        good: list[Row] = []
        with self._engine.begin() as connection:
            for path, payload, rows in step.sources:
                if refused_among(connection, rows):
                    self._refuse(step, path, payload, "the database does not take it")
                    step.done.rows -= len(rows)
                else:
                    good += rows
            step.batch.rows = good
            step.done.new_rows = store(connection, step.batch)

    def _refuse(self, step: _Step, path: Path, payload: memoryview, why: str) -> None:
        """Keep a record beside its file that cannot be stored."""
        beside = path.with_suffix(REFUSED)
        if not step.done.refused:  # the first of a batch: there may be thousands
            log.error("A record of the spool file %s cannot be stored and is kept in %s: %s.", path, beside.name, why)
        with open_for_owner(beside, os.O_APPEND) as file:
            file.write(FRAME.pack(len(payload), crc32(payload)))
            file.write(payload)
        step.done.refused += 1
        step.done.aside += rows_in(payload)
