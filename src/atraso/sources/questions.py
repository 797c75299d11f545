"""Flights to be predicted, from a CSV file of our own columns or of the SCL file's, in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from atraso.core.errors import SourceError
from atraso.sources.lines import FlightLines
from atraso.sources.reading import Reject
from atraso.sources.scl import SCHEDULE_COLUMNS, SCL_COLUMNS, rows_of_width, unknown_columns

OWN_COLUMNS = ("airline", "flight_number", "destination", "scheduled_departure")
OPTIONAL_COLUMN = "origin"
# Our columns and the SCL file's for the same facts.
SCL_NAMES = dict(
    zip(
        ("scheduled_departure", "flight_number", "origin", "destination", "airline"),
        SCHEDULE_COLUMNS,
        strict=True,
    )
)
CHUNK_ROWS = 5_000


@dataclass(slots=True)
class QuestionChunk:
    """Some rows of the file, in its order, as texts; a chunk is filled by its reader and then left alone.

    `rows` are row numbers (as in `Reject`), `lines` the rows' texts, `origin` is empty where the file does
    not tell it. `rejects` are rows whose cells cannot be told apart, and row 0 for unknown columns.
    `bytes_read` and `total_bytes` (None where nobody knows) tell how far into the file the chunk ends.
    """

    rows: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    airline: list[str] = field(default_factory=list)
    flight_number: list[str] = field(default_factory=list)
    origin: list[str] = field(default_factory=list)
    destination: list[str] = field(default_factory=list)
    scheduled_departure: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    bytes_read: int = 0
    total_bytes: int | None = None

    def __len__(self) -> int:
        return len(self.rows)


def read_questions(path: str | Path, chunk_rows: int = CHUNK_ROWS) -> Iterator[QuestionChunk]:
    """Yield the flights of a CSV file (plain or gzip; "-" is standard input) in chunks, at least one.

    Only what is known before departure is read; a flight there twice is given twice. Raises SourceError,
    before the first chunk, where the file is neither of our columns nor of the SCL file's.
    """
    with FlightLines(path) as source:
        names, known = _layout(source)
        where = dict(zip(names, source.columns(tuple(names.values())), strict=True))
        chunk = QuestionChunk(rejects=unknown_columns(source, known), total_bytes=source.total_bytes)
        taken = 0
        for row, line, cells in rows_of_width(source):
            if isinstance(cells, str):
                chunk.rejects.append(Reject(row, cells, line))
            else:
                chunk.rows.append(row)
                chunk.lines.append(line)
                chunk.airline.append(cells[where["airline"]].strip())
                chunk.flight_number.append(cells[where["flight_number"]].strip())
                chunk.origin.append(cells[where["origin"]].strip() if "origin" in where else "")
                chunk.destination.append(cells[where["destination"]].strip())
                chunk.scheduled_departure.append(cells[where["scheduled_departure"]].strip())
            taken += 1
            if taken == chunk_rows:
                chunk.bytes_read = source.bytes_read()
                yield chunk
                chunk, taken = QuestionChunk(total_bytes=source.total_bytes), 0
        chunk.bytes_read = source.bytes_read()
        yield chunk


def _layout(source: FlightLines) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return our column names with the file's names for them, and every column that layout knows."""
    if any(name in source.header for name in SCHEDULE_COLUMNS):
        return SCL_NAMES, SCL_COLUMNS
    if not any(name in source.header for name in OWN_COLUMNS):
        raise SourceError(
            f"{source.name} has none of the columns looked for; it needs {', '.join(OWN_COLUMNS)} "
            f"(and may have {OPTIONAL_COLUMN}), or the columns of the SCL file: {', '.join(SCHEDULE_COLUMNS)}"
        )
    own = {name: name for name in OWN_COLUMNS}
    if OPTIONAL_COLUMN in source.header:
        own[OPTIONAL_COLUMN] = OPTIONAL_COLUMN
    return own, (*OWN_COLUMNS, OPTIONAL_COLUMN)
