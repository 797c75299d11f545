"""Rows on their way to a table: flights as columns that grow row by row, small enough for a year of a country."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from atraso.core.flights import FlightTable, Minutes
from atraso.sources.airports import zone_of
from atraso.sources.lines import FlightLines, cells_of
from atraso.sources.reading import HEADER_ROW, LONGEST_RAW, IntArray, Progress, Reject, shown

ROWS_A_REPORT = 5_000

# Keeps one row (its number, its text, the wanted cells), or returns why it cannot be kept.
KeepRow = Callable[[int, str, tuple[str, ...]], str | None]


class _Numbered(dict[str, int]):
    """Texts by the order in which they first came: each different one is kept once."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


class FlightColumns:
    """Flights as they are read, by ICAO codes; 48 bytes each.

    Times are minutes since 1970 on the clock of the origin, which must be an airport with a known time zone.
    """

    def __init__(self) -> None:
        self._texts = tuple(_Numbered() for _ in range(4))
        self._numbers = array("q")

    def add(self, row: int, codes: tuple[str, str, str, str], scheduled_wall: int) -> None:
        """Add one flight; *codes* are airline, flight number, origin and destination."""
        airline, flight_number, origin, destination = codes
        airlines, flight_numbers, origins, destinations = self._texts
        self._numbers.extend(
            (
                row,
                scheduled_wall,
                airlines[airline],
                flight_numbers[flight_number],
                origins[origin],
                destinations[destination],
            )
        )

    @property
    def rows(self) -> IntArray:
        """The source rows of the flights."""
        return self._table()[:, 0].copy()

    @property
    def scheduled_wall(self) -> Minutes:
        """The scheduled departures on the clock of their origin."""
        return self._table()[:, 1].copy()

    def zones(self) -> dict[str, ZoneInfo]:
        """Return the time zone of each origin."""
        return {code: zone for code in self._texts[2] if (zone := zone_of(code)) is not None}

    def utc(self, convert: Callable[[NDArray[np.bool_], ZoneInfo], Minutes]) -> Minutes:
        """Return the UTC minutes of all flights; *convert* gives those of the rows (a mask) that share a zone."""
        origin = self._table()[:, 4]
        utc = np.empty(len(origin), dtype=np.int64)
        zone_of_origin = list(self.zones().values())
        for zone in dict.fromkeys(zone_of_origin):
            here = np.array([other is zone for other in zone_of_origin], dtype=np.bool_)[origin]
            utc[here] = convert(here, zone)
        return utc

    def table(self, scheduled_utc: Minutes, rows: IntArray) -> FlightTable:
        """Return the chosen rows as a table."""
        chosen = self._table()[rows]
        airline, flight_number, origin, destination = (
            np.array(list(texts), dtype=np.str_)[chosen[:, place]] for place, texts in enumerate(self._texts, start=2)
        )
        return FlightTable(airline, flight_number, origin, destination, scheduled_utc[rows], chosen[:, 1].copy())

    def first_of_each(self, scheduled_utc: Minutes, rows: IntArray) -> IntArray:
        """Return, for each of the chosen *rows*, the first of them that is the same flight (often itself).

        Two flights are the same when airline, number, origin, destination and scheduled departure are.
        """
        chosen = self._table()[rows]
        return rows[first_of_equal([scheduled_utc[rows], *(chosen[:, place] for place in range(2, 6))])]

    def _table(self) -> IntArray:
        return np.frombuffer(self._numbers, dtype=np.int64).reshape(-1, 2 + len(self._texts))


def first_of_equal(columns: Sequence[NDArray[np.integer]]) -> IntArray:
    """Return, per row, the index of the first row with the same numbers in all *columns*."""
    same = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, values = np.unique(column, return_inverse=True)
        # Both are counted densely, so their product is below the square of the rows and cannot overflow.
        _, same = np.unique(same * (len(column) + 1) + values, return_inverse=True)
    _, first = np.unique(same, return_index=True)
    return first[same].astype(np.int64)


def take_rows(
    source: FlightLines, needed: tuple[str, ...], keep: KeepRow, progress: Progress | None = None
) -> list[Reject]:
    """Give the *needed* cells of every row to *keep*, and return the rows that could not be kept, with reasons."""
    where = source.columns(needed)
    rejects: list[Reject] = []
    for row, line, cells in rows_of_width(source):
        problem = cells if isinstance(cells, str) else keep(row, line, tuple([cells[index] for index in where]))
        if problem is not None:
            rejects.append(Reject(row, problem, line[:LONGEST_RAW]))
        if progress is not None and row % ROWS_A_REPORT == 0:
            progress(source.bytes_read(), source.total_bytes)
    if progress is not None:
        progress(source.bytes_read(), source.total_bytes)
    return rejects


def rows_of_width(source: FlightLines) -> Iterator[tuple[int, str, list[str] | str]]:
    """Yield row number, line and cells; a reason stands for cells that are not as many as the header's."""
    width = len(source.header)
    for row, line, reason in source.rows():
        cells = cells_of(line) if reason is None else None
        if reason is not None:
            yield row, line, reason
        elif cells is None:
            yield row, line, "a quote is not closed, or stands where none may"
        elif len(cells) != width:
            yield row, line, f"the row has {len(cells)} cells, the header {width}"
        else:
            yield row, line, cells


def unknown_columns(source: FlightLines, known: tuple[str, ...]) -> list[Reject]:
    """Return one reject for row 0 for each column of the header that is not *known*."""
    return [
        Reject(HEADER_ROW, f"unknown column {shown(name)} is ignored")
        for name in dict.fromkeys(source.header)
        if name not in known
    ]
