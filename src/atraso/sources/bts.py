"""Departures in the United States: BTS "Reporting Carrier On-Time Performance", a month a file.

Two headers are known: that of the files prepared by the month (`FlightDate`) and that of the site's own download form
(`FL_DATE`), https://www.transtats.bts.gov/DL_SelectFields.aspx?gnoyr_VQ=FGJ. Of some 110 columns nine are read; the
others (arrival, taxi, causes of delay) are known only after departure and never used.

Times are `hhmm` on the clock of the origin; 2400 is the midnight that ends the day. FlightDate is the day of the
schedule, so the day of departure follows from DepDelay and its clock time from DepTime, and the two must agree.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from pathlib import Path

from atraso.core.errors import FieldError
from atraso.core.flights import EPOCH_ORDINAL
from atraso.sources.airports import airport_icao_by_iata, zone_of
from atraso.sources.clock import A_DAY_MINUTES, FIRST_YEAR, LAST_YEAR, hhmm_minutes, steady_offset
from atraso.sources.columns import take_rows
from atraso.sources.iata import IataFlights, Left
from atraso.sources.lines import FlightLines
from atraso.sources.reading import Progress, Reading, shown

# For each fact its column in the prepared files, in the download form, and others it went by. An airline's unique
# code comes before its IATA code, which several airlines have had over time.
COLUMNS = {
    "date": ("FlightDate", "FL_DATE"),
    "airline": (
        "Reporting_Airline",
        "OP_UNIQUE_CARRIER",
        "UNIQUE_CARRIER",
        "IATA_CODE_Reporting_Airline",
        "OP_CARRIER",
        "CARRIER",
    ),
    "flight_number": ("Flight_Number_Reporting_Airline", "OP_CARRIER_FL_NUM", "FL_NUM"),
    "origin": ("Origin", "ORIGIN"),
    "destination": ("Dest", "DEST"),
    "scheduled": ("CRSDepTime", "CRS_DEP_TIME"),
    "left": ("DepTime", "DEP_TIME"),
    "delay": ("DepDelay", "DEP_DELAY"),
    "cancelled": ("Cancelled", "CANCELLED"),
}
SCHEDULE_FACTS = ("date", "airline", "flight_number", "origin", "destination", "scheduled")
AN_HOUR_MINUTES = 60
_DATE = re.compile(
    r"(?P<y>\d{4})(?P<dash>-?)(?P<m>\d\d)(?P=dash)(?P<d>\d\d)"
    r"|(?P<um>\d{1,2})/(?P<ud>\d{1,2})/(?P<uy>\d{4})(?: 12:00:00 AM)?",
    re.ASCII,
)
_WHOLE = re.compile(r"(-?\d{1,6})(?:\.0*)?", re.ASCII)


def read_bts(path: str | Path, progress: Progress | None = None) -> Reading:
    """Return the departures of a BTS file; cancelled flights and those that never left are in `unflown`.

    The file is plain, gzip or the zip as downloaded; "-" is standard input, where months may follow one another,
    each with its header. Of rows for the same flight the first is kept. Raises SourceError where the file cannot be
    read as a whole.
    """
    flights = IataFlights()
    with FlightLines(path) as source:
        names = column_names(source.header)
        name_of = dict(zip(COLUMNS, names, strict=True))

        def keep(row: int, _line: str, cells: tuple[str, ...]) -> str | None:
            day, carrier, number, origin, destination, scheduled, left, delay, cancelled = cells
            try:
                wall = scheduled_wall(day, scheduled)
                when = departure(wall, origin, left, delay, cancelled)
            except FieldError as error:
                return f"{name_of[error.field]} {error.detail}"
            return flights.add(row, (carrier, number, origin, destination), wall, when)

        rejects = take_rows(source, names, keep, progress)
    return flights.reading(rejects)


def column_names(header: list[str], facts: tuple[str, ...] = tuple(COLUMNS)) -> tuple[str, ...]:
    """Return the column of each of *facts* in a file; where there is none, the one its header should have had."""
    prepared, downloaded = (sum(names[form] in header for names in COLUMNS.values()) for form in (0, 1))
    form = int(downloaded > prepared)
    return tuple(next((name for name in COLUMNS[fact] if name in header), COLUMNS[fact][form]) for fact in facts)


def scheduled_wall(day: str, hhmm: str) -> int:
    """Return the wall minutes since 1970 of a day and a time on it; raises FieldError naming the fact that is none."""
    midnight = midnight_minutes(day)
    if midnight is None:
        raise FieldError("date", f"is not a date: {shown(day)}")
    minutes = hhmm_minutes(hhmm)
    if minutes is None:
        raise FieldError("scheduled", f"is not a time of day (hhmm): {shown(hhmm)}")
    return midnight + minutes


def departure(scheduled: int, origin: str, left: str, delay: str, cancelled: str) -> Left | None:
    """Return when a flight *scheduled* in wall minutes left, or None where it was cancelled or never did.

    Clock and delay may differ by the hour of a clock change between schedule and departure. Raises FieldError naming
    the fact that cannot be used.
    """
    gone = whole_number(cancelled)
    if gone not in (0, 1):
        raise FieldError("cancelled", f"is not 0 or 1: {shown(cancelled)}")
    if gone or not (left.strip() or delay.strip()):
        return None
    minutes, clock = whole_number(delay), hhmm_minutes(left)
    if minutes is None:
        raise FieldError("delay", f"is not a number of minutes: {shown(delay)}")
    if clock is None:
        raise FieldError("left", f"is not a time of day (hhmm): {shown(left)}")
    wall = scheduled + minutes
    off = (clock - wall + A_DAY_MINUTES // 2) % A_DAY_MINUTES - A_DAY_MINUTES // 2
    if off and not (abs(off) == AN_HOUR_MINUTES and _clock_changes(origin, scheduled, wall + off)):
        raise FieldError("left", f"is {left}, which is not {minutes:,} minutes from the schedule")
    return wall + off, minutes


@lru_cache(maxsize=4096)
def midnight_minutes(day: str) -> int | None:
    """Return the wall minutes since 1970 at which a day begins, or None for a text that is no day.

    A day is `2017-01-31` (prepared files), `1/31/2017 12:00:00 AM` (download form) or `20170131` (as documented).
    """
    found = _DATE.fullmatch(day.strip())
    if found is None:
        return None
    parts = found.group("y", "m", "d") if found["y"] else found.group("uy", "um", "ud")
    try:
        meant = date(*map(int, parts))
    except ValueError:
        return None
    known = FIRST_YEAR <= meant.year <= LAST_YEAR
    return (meant.toordinal() - EPOCH_ORDINAL) * A_DAY_MINUTES if known else None


@lru_cache(maxsize=8192)
def whole_number(text: str) -> int | None:
    """Return the number in a text such as `-5`, `-5.00` or `0.0`, or None for anything else."""
    found = _WHOLE.fullmatch(text.strip())
    return int(found[1]) if found else None


def _clock_changes(origin: str, *walls: int) -> bool:
    zone = zone_of(airport_icao_by_iata().get(origin, ""))
    return zone is not None and None in [steady_offset(zone, wall // A_DAY_MINUTES) for wall in walls]
