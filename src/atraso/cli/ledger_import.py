"""Raw flights of a source on their way into the ledger, as reports."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from atraso.cli.show import bar, read_shown, say
from atraso.core.flights import FlightTable, moment_from_utc_minutes
from atraso.core.reported import why_not_delayed, why_not_left, why_not_scheduled
from atraso.ledger.commands import FlightReport
from atraso.sources.airports import origins_of
from atraso.sources.reading import counted

if TYPE_CHECKING:
    from atraso.ledger.desk import Desk
    from atraso.sources.reading import Reading

# A report is one transaction, between which the writer does what else there is.
REPORTS_AT_A_TIME = 5000
REPORTED_BY = "import"


def import_flights(
    desk: Desk, source: str, data: str | None, table: str, origin: str | None, rejects: Path | None
) -> int:
    """Report the flights of a source to the ledger, those that left or the whole schedule; return how many are new.

    What the API would refuse is left out and told.
    """
    reading = read_shown(source, data, rejects, origins_of(origin))
    told = _taken(_scheduled(reading) if table == "schedule" else _left(reading))
    new = done = 0
    try:
        with bar("importing") as progress:
            for start in range(0, len(told), REPORTS_AT_A_TIME):
                progress(start, len(told))
                part = told[start : start + REPORTS_AT_A_TIME]
                reported = desk.report(REPORTED_BY, time.time_ns() // 1_000_000, part)
                new += reported.departures + reported.scheduled
                done += len(part)
            progress(len(told), len(told))
    except KeyboardInterrupt:
        say(
            f"interrupted: {done:,} of {len(told):,} flights are in, {new:,} of them new; "
            "import the same again for the rest"
        )
        raise
    return new


def _taken(reports: Iterable[FlightReport]) -> list[FlightReport]:
    """Return the reports that the API would take as of now; say how many are left out, and why the first is."""
    now_s = time.time()
    taken: list[FlightReport] = []
    left_out: list[str] = []
    for report in reports:
        why = _why_not(report, now_s)
        if why is None:
            taken.append(report)
        else:
            left_out.append(f"{report.airline} {report.flight_number} of {report.scheduled_local} {why}")
    if left_out:
        say(f"{counted(len(left_out), 'flight')} left out that cannot be reported; the first: {left_out[0]}")
    return taken


def _why_not(report: FlightReport, now_s: float) -> str | None:
    why = why_not_scheduled(report.scheduled_utc * 60, now_s)
    if why is None and report.actual_utc is not None:
        why = why_not_left(report.actual_utc * 60, now_s) or why_not_delayed(report.actual_utc - report.scheduled_utc)
        return f"left at a moment that {why}" if why else None
    return why


def _left(reading: Reading) -> Iterator[FlightReport]:
    """Yield the departures, each reported at the moment it left."""
    actual: Sequence[int] = reading.departures.actual_utc.tolist()
    for flight, utc in zip(_flights(reading.departures.flights, reading.zones), actual, strict=True):
        yield FlightReport(*flight, utc, False, utc * 60_000)


def _scheduled(reading: Reading) -> Iterator[FlightReport]:
    """Yield every flight, also those that never left."""
    for flight in chain(*(_flights(table, reading.zones) for table in (reading.departures.flights, reading.unflown))):
        yield FlightReport(*flight)


def _flights(table: FlightTable, zones: Mapping[str, ZoneInfo]) -> Iterator[tuple[str, str, str, str, int, str]]:
    names = (table.airline, table.flight_number, table.origin, table.destination, table.scheduled_utc)
    for airline, number, origin, destination, utc in zip(*(column.tolist() for column in names), strict=True):
        local = moment_from_utc_minutes(utc, zones[origin]).isoformat(timespec="seconds")
        yield airline, number, origin, destination, utc, local
