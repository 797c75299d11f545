"""The ledger's desk: what people and other parts ask of a ledger, whether its service runs or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

import msgspec
from sqlalchemy import Engine

from atraso.core.errors import LedgerError, LedgerUnavailableError
from atraso.ledger import tables_csv, upkeep
from atraso.ledger.accounts import KeyRow, Revocation
from atraso.ledger.command_socket import ask_writer
from atraso.ledger.commands import (
    LONG,
    Command,
    CreateKey,
    FlightReport,
    Import,
    ListKeys,
    Prune,
    Report,
    Reported,
    Revoke,
    RevokeKey,
    RotateKey,
)
from atraso.ledger.database import DATABASE_ERRORS, ledger_url, open_engine, shown, sqlite_file, told
from atraso.ledger.import_source import importable
from atraso.ledger.locks import WriterLock
from atraso.ledger.opened import OpenLedger
from atraso.ledger.verbs import execute

ANSWER_WITHIN_S = 10.0
LONG_WITHIN_S = 3600.0
_T = TypeVar("_T")


class Desk:
    """Asks the running writer of the folder *data*, or does the work itself where none runs.

    A ledger in PostgreSQL is always asked directly. What cannot be done raises LedgerError with a sentence.
    """

    def __init__(self, data: Path, url: str | None = None) -> None:
        self._data = data.absolute()
        self._url = ledger_url(self._data, url)

    def create_key(self, row: KeyRow) -> KeyRow:
        """Keep a new key; its name is free among the active ones."""
        return self._run(CreateKey(row), KeyRow)

    def rotate_key(self, row: KeyRow, overlap_s: int) -> KeyRow:
        """Keep a new key beside the active one of its name, which ends in *overlap_s* seconds at the latest."""
        return self._run(RotateKey(row, overlap_s), KeyRow)

    def list_keys(self) -> list[KeyRow]:
        """Return all keys, oldest first."""
        return self._run(ListKeys(), list)

    def revoke_key(self, prefix: str) -> KeyRow:
        """Revoke the key that begins with *prefix*."""
        return self._run(RevokeKey(prefix), KeyRow)

    def revoke(
        self, kind: Literal["subject", "kid", "jti"], value: str, by: str, expires_s: int | None = None
    ) -> Revocation:
        """Revoke tokens as of now; *expires_s* is when they would have expired anyway, in seconds since 1970."""
        return self._run(Revoke(Revocation(kind, value, int(time.time()), by, expires_s)), Revocation)

    def report(self, reported_by: str, at_ms: int, flights: Iterable[FlightReport]) -> Reported:
        """Keep what *reported_by* tells of at most `MAX_REPORTS` flights at the moment *at_ms* (since 1970)."""
        return self._run(Report(reported_by, at_ms, tuple(flights)), Reported)

    def prune(self, keep_days: int) -> int:
        """Forget the predictions older than *keep_days* days; return how many there were."""
        return self._run(Prune(keep_days), int)

    def import_table(self, table: str, source: Path) -> int:
        """Take in the rows of a CSV file, or of a pipe; return how many are new."""
        with importable(source, self._data) as path:
            return self._run(Import(table, str(path)), int)

    def export_table(self, table: str, target: Path) -> int:
        """Write a table to a new CSV file, beside the writer's work; return how many rows."""
        tables_csv.table_named(table)
        return self._reading(lambda: self._export(lambda engine: tables_csv.export_table(engine, table, target)))

    def write_table(self, table: str, file: TextIO) -> int:
        """Write a table as CSV into an open *file*, beside the writer's work; return how many rows."""
        rows = tables_csv.table_named(table)
        return self._reading(lambda: self._export(lambda engine: tables_csv.write_rows(engine, rows, file)))

    def backup(self, target: Path) -> None:
        """Write a whole copy of a SQLite ledger to a new file, beside the writer's work."""
        upkeep.backup(self._url, target)

    def restore(self, source: Path) -> Path | None:
        """Put a backup in the ledger's place while no service runs; return where the ledger before is kept."""
        return upkeep.restore(self._data, self._url, source)

    def _export(self, write: Callable[[Engine], int]) -> int:
        file = sqlite_file(self._url)
        if file is not None and not file.exists():
            raise LedgerError(f"There is no ledger in {file}: nothing has been kept yet.")
        engine = open_engine(self._url, reading=True)
        try:
            return write(engine)
        finally:
            engine.dispose()

    def _run(self, command: Command, kind: type[_T]) -> _T:
        try:
            msgspec.json.decode(msgspec.json.encode(command), type=Command)
        except msgspec.ValidationError as error:
            raise LedgerError(f"The ledger does not take this: {error}.") from None
        result = self._reading(lambda: self._done(command))
        assert isinstance(result, kind)
        return result

    def _done(self, command: Command) -> Any:
        if sqlite_file(self._url) is None:
            return self._direct(command)
        timeout_s = LONG_WITHIN_S if isinstance(command, LONG) else ANSWER_WITHIN_S
        deadline = time.monotonic() + ANSWER_WITHIN_S
        lock = WriterLock(self._data, self._url)
        while True:
            try:
                return ask_writer(self._data, command, timeout_s)
            except (ConnectionRefusedError, FileNotFoundError):
                pass  # no writer, or one that is beginning or ending
            try:
                lock.take()
            except LedgerError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)
                continue
            try:
                return self._direct(command)
            finally:
                lock.release()

    def _direct(self, command: Command) -> Any:
        ledger = OpenLedger(self._data, self._url, self._data)
        with closing(ledger):
            ledger.open()
            result = execute(command, ledger.engine, lambda: None)
            if sqlite_file(self._url) is not None:
                ledger.publish_accounts()
            return result

    def _reading(self, work: Callable[[], _T]) -> _T:
        """Return what *work* does; what the database says is wrong becomes a sentence."""
        try:
            return work()
        except BrokenPipeError:
            raise  # whoever read the output has had enough
        except DATABASE_ERRORS as error:
            raise LedgerUnavailableError(f"The ledger {shown(self._url)} cannot be used now: {told(error)}.") from None
