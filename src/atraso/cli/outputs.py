"""Where a batch's answers go: CSV, JSON lines or Parquet, to a file in one step or to standard output."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from atraso.core.errors import AtrasoError, MissingExtraError

STANDARD_OUTPUT = "-"
BETWEEN_WARNINGS = "; "


class Output(Protocol):
    """Takes columns, chunk by chunk, and writes them as rows."""

    def write(self, columns: dict[str, list[Any]]) -> None:
        """Add a chunk; every chunk has the same columns."""

    def finish(self) -> None:
        """Write what is still held back."""


class CsvOutput:
    """Rows as CSV with a header; truth is `true` or `false`, warnings are joined by "; "."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        self._stream = stream
        self._write_rows([columns])

    def write(self, columns: dict[str, list[Any]]) -> None:
        """Add a chunk as rows."""
        plain = dict(columns)
        plain["delayed"] = ["true" if delayed else "false" for delayed in columns["delayed"]]
        plain["warnings"] = [BETWEEN_WARNINGS.join(warnings) for warnings in columns["warnings"]]
        self._write_rows(zip(*plain.values(), strict=True))

    def finish(self) -> None:
        """Do nothing: every row is written as it comes."""

    def _write_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._stream.write(text.getvalue().encode())


class JsonLinesOutput:
    """One JSON object per row and line; warnings are a list."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, columns: dict[str, list[Any]]) -> None:
        """Add a chunk as lines."""
        rows = zip(*columns.values(), strict=True)
        self._stream.write(msgspec.json.Encoder().encode_lines(dict(zip(columns, row, strict=True)) for row in rows))

    def finish(self) -> None:
        """Do nothing: every line is written as it comes."""


class ParquetOutput:
    """A Parquet file; its rows are held in memory (some 200 bytes each) and written at the end."""

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        try:
            import polars
        except ModuleNotFoundError:
            raise MissingExtraError("Parquet", "train") from None
        self._polars = polars
        self._columns = columns
        self._stream = stream
        self._chunks: list[Any] = []

    def write(self, columns: dict[str, list[Any]]) -> None:
        """Add a chunk to those held."""
        plain = {**columns, "warnings": [list(warnings) for warnings in columns["warnings"]]}
        self._chunks.append(self._polars.DataFrame(plain, schema=self._types()))

    def finish(self) -> None:
        """Write all chunks as one file."""
        self._polars.concat(self._chunks).write_parquet(self._stream)

    def _types(self) -> dict[str, Any]:
        # Named, so that a chunk without rows has the types of the others.
        numbers = [name for name in self._columns if name.startswith("exceeds_") or name.endswith("_minutes")]
        types: dict[str, Any] = dict.fromkeys(self._columns, self._polars.String)
        types |= dict.fromkeys(("delay_probability", *numbers), self._polars.Float64)
        return types | {"delayed": self._polars.Boolean, "warnings": self._polars.List(self._polars.String)}


def output_of(kind: str, stream: BinaryIO, columns: Sequence[str]) -> Output:
    """Return the output of a *kind*: "csv", "jsonl", or "parquet" (MissingExtraError without polars)."""
    if kind == "parquet":
        return ParquetOutput(stream, columns)
    if kind == "jsonl":
        return JsonLinesOutput(stream)
    return CsvOutput(stream, columns)


@contextmanager
def written_whole(path: str) -> Iterator[BinaryIO]:
    """Give a stream for *path* ("-" is standard output) that becomes the file when all went well.

    Until then the bytes are in a `.partial` file beside it, removed when something goes wrong (Ctrl-C too); what stood
    at *path* stays as it was. A device or pipe is written directly. Raises AtrasoError where writing fails.
    """
    if path == STANDARD_OUTPUT:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise  # whoever read it has had enough
        except OSError as error:
            # what is still held back must not fail once more when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise AtrasoError(f"standard output cannot be written: {error.strerror}") from None
        return
    target = Path(path)
    direct = target.exists() and not target.is_file()
    place = target
    try:
        if not direct:  # a name of its own, so that two runs to one file do not write into each other
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
            os.fchmod(handle, 0o666 & ~_umask())
            os.close(handle)
            place = Path(name)
        with place.open("wb") as stream:
            yield stream
        if not direct:
            place.replace(target)
    except OSError as error:
        raise AtrasoError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        if place != target:
            place.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
