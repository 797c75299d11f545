"""Departures of Santiago de Chile in the 18 columns of the flight-delay challenge.

The flight is taken from the scheduled columns (`-I`) alone; of what was operated only the time of departure
(`Fecha-O`) is read. DIA, MES, AÑO, DIANOM and the other `-O` columns belong to the operation and are never
used. Times are wall times of the origin. A time the clock repeats or skips is, in the schedule, read with the
offset from before the change; in the departure, as the reading nearer to the schedule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from atraso.core.flights import DepartureTable
from atraso.sources.airports import zone_of
from atraso.sources.clock import utc_of_departure, utc_of_wall, wall_minutes
from atraso.sources.columns import FlightColumns, take_rows, unknown_columns
from atraso.sources.lines import FlightLines
from atraso.sources.reading import (
    AIRLINE_CODE,
    AIRPORT_CODE,
    LARGEST_DELAY_MINUTES,
    ChallengeRows,
    Progress,
    Reading,
    Reject,
    empty_flights,
    flight_number_text,
    shown,
)

# fmt: off
SCL_COLUMNS = (
    "Fecha-I", "Vlo-I", "Ori-I", "Des-I", "Emp-I", "Fecha-O", "Vlo-O", "Ori-O", "Des-O", "Emp-O",
    "DIA", "MES", "AÑO", "DIANOM", "TIPOVUELO", "OPERA", "SIGLAORI", "SIGLADES",
)
# fmt: on
SCHEDULE_COLUMNS = ("Fecha-I", "Vlo-I", "Ori-I", "Des-I", "Emp-I")
NEEDED_COLUMNS = (*SCHEDULE_COLUMNS, "Fecha-O", "TIPOVUELO", "OPERA")
# What a cell of each needed column must be, in the order of the columns.
WANTED = (
    "a date and time",
    "a flight number",
    "the ICAO code of an airport with a known time zone",
    "an airport's ICAO code",
    "an airline's ICAO code",
    "a date and time",
    "I or N",
    "an airline's name",
)
LONGEST_NAME = 80
ROWS_A_REPORT = 5_000


@dataclass
class _Columns:
    """The rows that can be read one by one, as columns; the clock is asked for all of them together."""

    flights: FlightColumns = field(default_factory=FlightColumns)
    lines: list[str] = field(default_factory=list)
    actual_wall: list[int] = field(default_factory=list)
    flight_type: list[str] = field(default_factory=list)
    airline_name: list[str] = field(default_factory=list)

    def add(self, row: int, line: str, cells: tuple[str, ...]) -> str | None:
        """Keep one row, its *cells* in the order of NEEDED_COLUMNS, or return why it cannot be kept."""
        scheduled, number, origin, destination, airline, actual, flight_type, name = cells
        scheduled_wall, actual_wall = wall_minutes(scheduled), wall_minutes(actual)
        flight_number = flight_number_text(number, airline)
        good = (
            scheduled_wall is not None,
            flight_number is not None,
            zone_of(origin) is not None,
            AIRPORT_CODE.fullmatch(destination) is not None,
            AIRLINE_CODE.fullmatch(airline) is not None,
            actual_wall is not None,
            flight_type in ("I", "N"),
            name.strip() and len(name) <= LONGEST_NAME and name.isprintable(),
        )
        if scheduled_wall is None or flight_number is None or actual_wall is None or not all(good):
            return _reason(next(index for index, verdict in enumerate(good) if not verdict), cells)
        self.flights.add(row, (airline, flight_number, origin, destination), scheduled_wall)
        self.lines.append(line)
        self.actual_wall.append(actual_wall)
        self.flight_type.append(flight_type)
        self.airline_name.append(name.strip())
        return None


def read_scl(path: str | Path, progress: Progress | None = None) -> Reading:
    """Return the departures of an 18-column file, its bad rows as rejects.

    The file is plain, gzip or zip; "-" is standard input. Of rows for the same flight the first is kept. Raises
    SourceError where the file cannot be read as a whole: not there, not UTF-8, a needed column missing.
    """
    columns = _Columns()
    with FlightLines(path) as source:
        unknown = unknown_columns(source, SCL_COLUMNS)
        rejects = take_rows(source, NEEDED_COLUMNS, columns.add, progress)
    return _reading(columns, [*unknown, *rejects])


def _reason(index: int, cells: tuple[str, ...]) -> str:
    """Return why the cell at *index* of the needed columns cannot be used."""
    column, cell = NEEDED_COLUMNS[index], cells[index]
    return f"{column} is not {WANTED[index]}: {shown(cell)}" if cell.strip() else f"{column} is empty"


def _reading(columns: _Columns, rejects: list[Reject]) -> Reading:
    """Return the reading of *columns*: times turned to UTC, impossible delays and repeats rejected."""
    flights = columns.flights
    rows, wall = flights.rows, flights.scheduled_wall
    actual_wall = np.array(columns.actual_wall, dtype=np.int64)
    scheduled = flights.utc(lambda here, zone: utc_of_wall(wall[here], zone))
    actual = flights.utc(lambda here, zone: utc_of_departure(actual_wall[here], zone, scheduled[here]))

    possible = np.abs(actual - scheduled) <= LARGEST_DELAY_MINUTES
    for index in np.flatnonzero(~possible).tolist():
        minutes = int(actual[index] - scheduled[index])
        reason = f"Fecha-O is {minutes:,} minutes from Fecha-I; beyond 48 hours is taken for an error"
        rejects.append(Reject(int(rows[index]), reason, columns.lines[index]))
    kept = np.flatnonzero(possible)
    first = flights.first_of_each(scheduled, kept)
    for index, same in zip(kept[kept != first].tolist(), first[kept != first].tolist(), strict=True):
        rejects.append(Reject(int(rows[index]), f"the same flight as row {rows[same]}", columns.lines[index]))
    kept = kept[kept == first]

    departures = DepartureTable(flights.table(scheduled, kept), actual[kept])
    months = (wall[kept] * 60).astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    challenge = ChallengeRows(
        np.array(columns.airline_name, dtype=np.str_)[kept],
        np.array(columns.flight_type, dtype=np.str_)[kept],
        months,
        departures.delayed,
    )
    in_order = tuple(sorted(rejects, key=lambda reject: reject.row))
    return Reading(departures, empty_flights(), rows[kept], in_order, flights.zones(), challenge)
