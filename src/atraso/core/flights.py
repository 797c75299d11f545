"""Flights and departures: what is known before, and what is known after.

A `Flight` has no room for anything that happens at or after departure, so a feature made from it cannot leak.
Tables hold the same facts as columns; times are whole minutes since 1970-01-01T00:00, once in UTC and once on the
clock of the airport of departure (the calendar of a flight is always the local one).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

# A departure counts as delayed more than so many minutes after its scheduled time.
DELAYED_AFTER_MINUTES = 15
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the local clock is naive on purpose
EPOCH_ORDINAL = EPOCH.toordinal()

Text = NDArray[np.str_]
Minutes = NDArray[np.int64]
Floats = NDArray[np.float64]


def utc_minutes(moment: datetime) -> int:
    """Return the whole minutes from 1970-01-01T00:00Z to an aware *moment*, rounded down."""
    return int(moment.timestamp() // 60)


def local_minutes(moment: datetime) -> int:
    """Return the minutes shown by *moment*'s own clock, counted from 1970-01-01T00:00 of that clock."""
    return (moment.toordinal() - EPOCH_ORDINAL) * 1440 + moment.hour * 60 + moment.minute


def moment_from_utc_minutes(minutes: int, zone: ZoneInfo) -> datetime:
    """Return the aware local time in *zone* for UTC *minutes* since 1970."""
    return (EPOCH + timedelta(minutes=int(minutes))).astimezone(zone)


class Flight(NamedTuple):
    """What is known of a flight before it leaves.

    `airline`, `origin` and `destination` are ICAO codes, `flight_number` is text without the airline's code,
    `scheduled_departure` is aware and in the zone of the origin. (A tuple, because thousands are made for one request.)
    """

    airline: str
    flight_number: str
    origin: str
    destination: str
    scheduled_departure: datetime

    @property
    def scheduled_utc_minutes(self) -> int:
        """The scheduled departure in minutes since 1970, UTC."""
        return utc_minutes(self.scheduled_departure)

    @property
    def scheduled_local_minutes(self) -> int:
        """The scheduled departure in minutes since 1970 on the airport's own clock."""
        return local_minutes(self.scheduled_departure)

    @property
    def identity(self) -> tuple[str, str, str, str, int]:
        """What makes two rows the same flight: airline, number, origin, destination and scheduled departure."""
        return (self.airline, self.flight_number, self.origin, self.destination, self.scheduled_utc_minutes)


@dataclass(frozen=True, slots=True)
class Departure:
    """A flight and when it really left (aware)."""

    flight: Flight
    actual_departure: datetime

    @property
    def delay_minutes(self) -> float:
        """Actual minus scheduled departure in minutes of elapsed time (a clock change in between does not count)."""
        # In UTC first: times of one zone would be subtracted by the clock on the wall.
        elapsed = self.actual_departure.astimezone(UTC) - self.flight.scheduled_departure.astimezone(UTC)
        return elapsed / timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class FlightTable:
    """Flights as columns of equal length; the row order is the order of the source."""

    airline: Text
    flight_number: Text
    origin: Text
    destination: Text
    scheduled_utc: Minutes
    scheduled_local: Minutes

    def __len__(self) -> int:
        return len(self.scheduled_utc)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> FlightTable:
        """Return the chosen rows as a new table."""
        return FlightTable(
            self.airline[rows],
            self.flight_number[rows],
            self.origin[rows],
            self.destination[rows],
            self.scheduled_utc[rows],
            self.scheduled_local[rows],
        )

    def flight(self, row: int, zones: dict[str, ZoneInfo]) -> Flight:
        """Return one row as a `Flight`; *zones* maps each origin to its time zone."""
        origin = str(self.origin[row])
        return Flight(
            str(self.airline[row]),
            str(self.flight_number[row]),
            origin,
            str(self.destination[row]),
            moment_from_utc_minutes(int(self.scheduled_utc[row]), zones[origin]),
        )

    def identities(self) -> Iterator[tuple[str, str, str, str, int]]:
        """Yield the `Flight.identity` of each row, in order."""
        columns = (self.airline, self.flight_number, self.origin, self.destination, self.scheduled_utc)
        return zip(*(column.tolist() for column in columns), strict=True)

    @staticmethod
    def of(flights: Sequence[Flight]) -> FlightTable:
        """Return the table of *flights*, in their order."""
        return FlightTable(
            np.array([f.airline for f in flights], dtype=np.str_),
            np.array([f.flight_number for f in flights], dtype=np.str_),
            np.array([f.origin for f in flights], dtype=np.str_),
            np.array([f.destination for f in flights], dtype=np.str_),
            np.array([f.scheduled_utc_minutes for f in flights], dtype=np.int64),
            np.array([f.scheduled_local_minutes for f in flights], dtype=np.int64),
        )

    @staticmethod
    def concat(tables: Sequence[FlightTable]) -> FlightTable:
        """Return one table with the rows of *tables* one after the other."""
        return FlightTable(
            np.concatenate([t.airline for t in tables]),
            np.concatenate([t.flight_number for t in tables]),
            np.concatenate([t.origin for t in tables]),
            np.concatenate([t.destination for t in tables]),
            np.concatenate([t.scheduled_utc for t in tables]),
            np.concatenate([t.scheduled_local for t in tables]),
        )


@dataclass(frozen=True, slots=True)
class DepartureTable:
    """Flights that left, and when: `actual_utc` in minutes since 1970, UTC."""

    flights: FlightTable
    actual_utc: Minutes

    def __len__(self) -> int:
        return len(self.actual_utc)

    @property
    def delay_minutes(self) -> Floats:
        """Actual minus scheduled departure, in minutes, one per row."""
        return (self.actual_utc - self.flights.scheduled_utc).astype(np.float64)

    @property
    def delayed(self) -> NDArray[np.bool_]:
        """Whether each row left more than 15 minutes late."""
        return self.delay_minutes > DELAYED_AFTER_MINUTES

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> DepartureTable:
        """Return the chosen rows as a new table."""
        return DepartureTable(self.flights.take(rows), self.actual_utc[rows])

    def departures(self, zones: dict[str, ZoneInfo]) -> Iterator[Departure]:
        """Yield the rows as `Departure`s, in order."""
        for row in range(len(self)):
            flight = self.flights.flight(row, zones)
            yield Departure(flight, moment_from_utc_minutes(int(self.actual_utc[row]), zones[flight.origin]))

    @staticmethod
    def concat(tables: Sequence[DepartureTable]) -> DepartureTable:
        """Return one table with the rows of *tables* one after the other."""
        return DepartureTable(
            FlightTable.concat([t.flights for t in tables]), np.concatenate([t.actual_utc for t in tables])
        )
