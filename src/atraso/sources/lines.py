"""A flight file's lines, whatever they come in: plain, gzip or zip, a path or standard input."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import lzma
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Self, cast

from atraso.core.errors import SourceError

STANDARD_INPUT = "-"
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
LONGEST_LINE = 64 * 1024
DAMAGED = "the packed data is damaged or cut short; fetch the file again"
ENCRYPTED = 1  # the bit of a zip member's flags
# What zipfile raises for a file that is not quite a zip: damaged, or packed in a way it does not know.
DAMAGED_ZIP = (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError, EOFError, zlib.error)


class FlightLines:
    """An open flight file: its header at once, then its rows one after the other.

    A context manager. A row is one line: ended by LF or CRLF, in UTF-8 with or without a byte order mark. A zip
    must hold one .csv file; others in it (a readme) are left alone. A file that is something else (not there,
    damaged, a header that is not UTF-8) raises SourceError.
    """

    def __init__(self, path: str | Path) -> None:
        self._standard = str(path) == STANDARD_INPUT
        self.name = "standard input" if self._standard else str(path)
        self.total_bytes: int | None = None
        self._line = 0
        self._raw = self._open(path)
        try:
            self._stream = self._unpacked()
            first = self._next_line()
            if first is None:
                raise SourceError(f"{self.name} is empty; it should be a CSV file of flights with a header")
            text, reason = _text_of(first)
            if reason is not None:
                raise SourceError(f"{self.name}, line 1: {reason}; is this a CSV file of flights in UTF-8?")
            header = cells_of(text.removeprefix("\ufeff"))
            if header is None:
                raise SourceError(f"{self.name}: a quote in the header is not closed")
        except BaseException:
            self.close()
            raise
        self._header_line = first.removeprefix(codecs.BOM_UTF8)
        self.header = [name.strip() for name in header]

    def rows(self) -> Iterator[tuple[int, str, str | None]]:
        """Yield row number, text and, where the line cannot be used at all, the reason, of each line after the header.

        An empty line is counted and left out, and so is the header where it stands again (files put one after the
        other); of a line that is too long only the beginning is given.
        """
        while (line := self._next_line()) is not None:
            if line and line != self._header_line:
                text, reason = _text_of(line)
                yield self._line - 1, text, reason

    def bytes_read(self) -> int:
        """Return how far into the file, as stored, reading has come; 0 on standard input or a pipe."""
        return 0 if self.total_bytes is None else self._raw.tell()

    def columns(self, needed: tuple[str, ...]) -> tuple[int, ...]:
        """Return where the *needed* columns stand; SourceError names all that are missing or there twice."""
        missing = [name for name in needed if name not in self.header]
        if missing:
            word = "column" if len(missing) == 1 else "columns"
            raise SourceError(f"{self.name}: missing {word} {', '.join(missing)}; needed are {', '.join(needed)}")
        twice = [name for name in needed if self.header.count(name) > 1]
        if twice:
            raise SourceError(f"{self.name}: there is more than one column {', '.join(twice)}; keep one")
        return tuple(self.header.index(name) for name in needed)

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if not self._standard:
            self._raw.close()
        elif self._raw is not sys.stdin.buffer:
            self._raw.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, path: str | Path) -> io.BufferedReader:
        if self._standard:
            stdin = sys.stdin.buffer
            # Wrapped only where something that cannot be looked into stands in for standard input.
            return stdin if isinstance(stdin, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stdin))
        try:
            opened: BinaryIO = Path(path).open("rb")  # noqa: SIM115 - this class is the context manager
            self.total_bytes = Path(path).stat().st_size or None  # a pipe has no size
        except OSError as error:
            raise SourceError(f"{self.name} cannot be opened: {error.strerror}") from None
        return cast(io.BufferedReader, opened)

    def _unpacked(self) -> io.BufferedReader:
        """Return the stream of lines, told by the first bytes and not by the name."""
        magic = self._raw.peek(len(ZIP_MAGIC))
        # The casts: both streams have what a BufferedReader needs, their types only do not say so.
        if magic.startswith(GZIP_MAGIC):
            return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=self._raw)))
        if magic.startswith(ZIP_MAGIC):
            return io.BufferedReader(cast(io.RawIOBase, self._csv_of_zip()))
        return self._raw

    def _csv_of_zip(self) -> IO[bytes]:
        if self.total_bytes is None:
            raise SourceError(f"{self.name} is a zip file, which is read by its path only; or: unzip -p FILE '*.csv' |")
        try:
            archive = zipfile.ZipFile(self._raw)
            members = [member for member in archive.infolist() if member.filename.lower().endswith(".csv")]
            if len(members) != 1:
                raise SourceError(
                    f"{self.name} holds {len(members)} .csv files where one is needed; "
                    "several can be read as one: unzip -p FILE '*.csv' |"
                )
            if members[0].flag_bits & ENCRYPTED:
                raise SourceError(f"{self.name} is encrypted; unpack it with its password: unzip -p FILE '*.csv' |")
            member = archive.open(members[0])
            self.total_bytes = self._raw.tell() + members[0].compress_size
        except DAMAGED_ZIP as error:
            raise SourceError(f"{self.name}: the zip file cannot be unpacked ({error}); fetch it again") from None
        return member

    def _next_line(self) -> bytes | None:
        self._line += 1
        where = f"{self.name}, line {self._line}"
        try:
            line = self._stream.readline(LONGEST_LINE + 1)
            while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                if (more := self._stream.readline(LONGEST_LINE)).endswith(b"\n") or not more:
                    break
        except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError):
            raise SourceError(f"{where}: {DAMAGED}") from None
        except OSError as error:
            if error.errno is None:  # how bz2 tells of damaged data
                raise SourceError(f"{where}: {DAMAGED}") from None
            raise SourceError(f"{where}: reading failed: {error.strerror}") from None
        return line.rstrip(b"\r\n") if line else None


def _text_of(line: bytes) -> tuple[str, str | None]:
    """Return a line's text, and the reason where it cannot be used."""
    if len(line) > LONGEST_LINE:
        return line.decode(errors="replace"), "the line is longer than 64 KiB"
    try:
        return line.decode(), None
    except UnicodeDecodeError:
        return line.decode(errors="replace"), "the line is not UTF-8 (a whole file: iconv -f latin1 -t utf-8)"


def cells_of(line: str) -> list[str] | None:
    """Return the cells of one CSV line, or None where a quote or a carriage return stands where none may."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration):
        return None
