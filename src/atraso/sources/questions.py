"""Flights to be predicted, from a CSV file of our own columns, the SCL file's or those of BTS, in chunks."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from atraso.core.errors import FieldError, SourceError
from atraso.core.flights import NAIVE_EPOCH
from atraso.sources.airports import airport_icao_by_iata
from atraso.sources.bts import COLUMNS as BTS_COLUMNS
from atraso.sources.bts import SCHEDULE_FACTS, column_names, scheduled_wall
from atraso.sources.columns import rows_of_width, unknown_columns
from atraso.sources.lines import FlightLines
from atraso.sources.reading import Reject
from atraso.sources.scl import SCHEDULE_COLUMNS, SCL_COLUMNS

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
    not tell it. `rejects` are rows whose cells cannot be told apart, and row 0 for unknown columns; `left_out`
    counts rows of origins nobody asked for. `bytes_read` and `total_bytes` (None where nobody knows) tell how far
    into the file the chunk ends.
    """

    rows: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    airline: list[str] = field(default_factory=list)
    flight_number: list[str] = field(default_factory=list)
    origin: list[str] = field(default_factory=list)
    destination: list[str] = field(default_factory=list)
    scheduled_departure: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    left_out: int = 0
    bytes_read: int = 0
    total_bytes: int | None = None

    def __len__(self) -> int:
        return len(self.rows)


def read_questions(
    path: str | Path, chunk_rows: int = CHUNK_ROWS, origins: Collection[str] = ()
) -> Iterator[QuestionChunk]:
    """Yield the flights of a CSV file (plain, gzip or zip; "-" is standard input) in chunks, at least one.

    Only what is known before departure is read; a flight there twice is given twice. With *origins* (ICAO codes)
    rows that tell another origin are counted in `left_out` and given no further. Raises SourceError, before the
    first chunk, where the file has none of the three kinds of columns.
    """
    with FlightLines(path) as source:
        names, known = _layout(source.name, source.header)
        where = dict(zip(names, source.columns(tuple(names.values())), strict=True))
        chunk = QuestionChunk(rejects=unknown_columns(source, known) if known else [], total_bytes=source.total_bytes)
        taken = 0
        for row, line, cells in rows_of_width(source):
            if isinstance(cells, str):
                chunk.rejects.append(Reject(row, cells, line))
            else:
                _take(chunk, row, line, {name: cells[index].strip() for name, index in where.items()}, origins)
            taken += 1
            if taken == chunk_rows:
                chunk.bytes_read = source.bytes_read()
                yield chunk
                chunk, taken = QuestionChunk(total_bytes=source.total_bytes), 0
        chunk.bytes_read = source.bytes_read()
        yield chunk


def _take(chunk: QuestionChunk, row: int, line: str, told: dict[str, str], origins: Collection[str]) -> None:
    """Add a row to the chunk, unless it tells an origin that is not among those asked for."""
    origin = told.get("origin", "")
    if origins and origin and airport_icao_by_iata().get(origin, origin) not in origins:
        chunk.left_out += 1
        return
    chunk.rows.append(row)
    chunk.lines.append(line)
    chunk.airline.append(told["airline"])
    chunk.flight_number.append(told["flight_number"])
    chunk.origin.append(origin)
    chunk.destination.append(told["destination"])
    chunk.scheduled_departure.append(
        _moment(told["date"], told["scheduled"]) if "date" in told else told["scheduled_departure"]
    )


def _moment(day: str, hhmm: str) -> str:
    """Return a BTS day and time as one text; one that cannot be read stays as it is, for the answer to refuse."""
    try:
        wall = scheduled_wall(day, hhmm)
    except FieldError:
        return f"{day} {hhmm}"
    return (NAIVE_EPOCH + timedelta(minutes=wall)).isoformat(" ", "minutes")


def _layout(name: str, header: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return our column names with the file's names for them, and every column that layout knows (BTS: any)."""
    if any(column in header for column in SCHEDULE_COLUMNS):
        return SCL_NAMES, SCL_COLUMNS
    if any(column in header for column in BTS_COLUMNS["date"]):
        return dict(zip(SCHEDULE_FACTS, column_names(header, SCHEDULE_FACTS), strict=True)), ()
    if not any(column in header for column in OWN_COLUMNS):
        raise SourceError(
            f"{name} has none of the columns looked for; it needs {', '.join(OWN_COLUMNS)} "
            f"(and may have {OPTIONAL_COLUMN}), or the columns of the SCL file ({', '.join(SCHEDULE_COLUMNS)}) "
            f"or of BTS ({', '.join(column_names([], SCHEDULE_FACTS))})"
        )
    own = {column: column for column in OWN_COLUMNS}
    if OPTIONAL_COLUMN in header:
        own[OPTIONAL_COLUMN] = OPTIONAL_COLUMN
    return own, (*OWN_COLUMNS, OPTIONAL_COLUMN)
