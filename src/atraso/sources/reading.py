"""What reading a source gives: departures, flights that never left, and the rows that could not be used."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from atraso.core.codes import flight_number_of
from atraso.core.errors import FieldError, SourceError
from atraso.core.flights import DepartureTable, FlightTable, Text
from atraso.sources.airlines import airlines

IntArray = NDArray[np.int64]

# Called now and then with the bytes read so far and the bytes in all (None where nobody can know).
Progress = Callable[[int, int | None], None]

REJECT_COLUMNS = ("row", "reason", "raw")
LONGEST_RAW = 500
HEADER_ROW = 0
LARGEST_DELAY_MINUTES = 48 * 60
AIRLINE_CODE = re.compile(r"[A-Z]{3}")
AIRPORT_CODE = re.compile(r"[A-Z][A-Z0-9]{3}")


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that was not used, and why; `raw` is its text, empty where a source too large to keep it finds out late.

    Rows are counted from 1 without the header, empty lines included, so row 1 is line 2 of the file. Row 0 is
    the header: it stands for a column nobody knows.
    """

    row: int
    reason: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class ChallengeRows:
    """The flight-delay challenge's view of departures, one element per departure, in their order.

    `airline_name` is the source's name (OPERA), `flight_type` "I" or "N", `month` 1 to 12 by the schedule.
    """

    airline_name: Text
    flight_type: Text
    month: IntArray
    delayed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reading:
    """A source as read: its departures in the order of the source, and everything else accounted for.

    `rows` has the source row of each departure, `unflown` the flights without a departure where the source
    lists them, `zones` the time zone of each origin, `challenge` the challenge's columns where it has them.
    """

    departures: DepartureTable
    unflown: FlightTable
    rows: IntArray
    rejects: tuple[Reject, ...]
    zones: dict[str, ZoneInfo]
    challenge: ChallengeRows | None = None

    def of_origins(self, origins: Collection[str]) -> Reading:
        """Return the reading with flights from *origins* (ICAO codes) only; none named means all.

        Rejects stay, whatever airport they are of. Raises SourceError where nothing departs from any of them.
        """
        if not origins:
            return self
        left, never = (np.isin(table.origin, list(origins)) for table in (self.departures.flights, self.unflown))
        if not left.any():
            raise SourceError(f"there are no departures from {', '.join(origins)} in this data")
        challenge = self.challenge and ChallengeRows(
            self.challenge.airline_name[left],
            self.challenge.flight_type[left],
            self.challenge.month[left],
            self.challenge.delayed[left],
        )
        zones = {code: zone for code, zone in self.zones.items() if code in origins}
        departures, unflown = self.departures.take(left), self.unflown.take(never)
        return Reading(departures, unflown, self.rows[left], self.rejects, zones, challenge)

    def summary(self) -> str:
        """Return one sentence with the counts of departures, flights that never left and rows rejected."""
        rejected = sum(reject.row != HEADER_ROW for reject in self.rejects)
        parts = [counted(len(self.departures), "departure")]
        if len(self.unflown):
            parts.append(f"{counted(len(self.unflown), 'flight')} that never left")
        parts.append(f"{counted(rejected, 'row')} rejected")
        ignored = [reject.reason for reject in self.rejects if reject.row == HEADER_ROW]
        return "; ".join([", ".join(parts), *ignored])


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 row`, `61,493 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def write_rejects(rejects: Iterable[Reject], path: Path) -> None:
    """Write *rejects* to a CSV file: row, reason and raw (the row's text, cut at 500 characters)."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(REJECT_COLUMNS)
        writer.writerows((reject.row, reject.reason, reject.raw[:LONGEST_RAW]) for reject in rejects)


def shown(text: str) -> str:
    """Return a cell's text as a reason quotes it: cut at 40 characters, in quotes."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


@lru_cache(maxsize=65_536)
def flight_number_text(raw: str, airline: str) -> str | None:
    """Return a flight number as it is compared (`0282`, `282.0`, `LA282` are `282`), or None for no number.

    It is read by the same function that reads a question's, so that both mean the same flight. *airline* is
    the ICAO code of the airline whose codes may stand before the number.
    """
    known = airlines().get(airline)
    try:
        return flight_number_of(raw, (airline, known.iata if known else "")) if raw.strip() else None
    except FieldError:
        return None


def empty_flights() -> FlightTable:
    """Return a table of no flights."""
    return FlightTable.of([])
