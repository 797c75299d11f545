"""Keys: what a flight has in common with others (its airport, airline, route, hour ...).

Every feature belongs to one kind of key; that is what lets a scorecard be a sum of one number per key. A key is text:
its parts joined by "|", the origin always first, so that several airports can share one state and one artefact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.flights import Flight, FlightTable, Text

MINUTES_A_DAY = 24 * 60
# 1970-01-01 was a Thursday; weekday 0 is Monday.
EPOCH_WEEKDAY = 3
# Countries whose ICAO location codes share one letter; everywhere else two letters name the country.
ONE_LETTER_COUNTRIES = "CKUYZ"

Codes = NDArray[np.int64]


def region_of(icao: str) -> str:
    """Return the country part of an ICAO location code: "SC" for SCFA, "K" for KMIA."""
    return icao[:1] if icao[:1] in ONE_LETTER_COUNTRIES else icao[:2]


@dataclass(frozen=True, slots=True)
class Columns:
    """The parts that keys are made of, as text columns of equal length."""

    parts: dict[str, Text]

    @staticmethod
    def of(flights: FlightTable) -> Columns:
        """Return the parts of every row of *flights*; hours and weekdays are those of the scheduled local time."""
        minute = flights.scheduled_local % MINUTES_A_DAY
        weekday = (flights.scheduled_local // MINUTES_A_DAY + EPOCH_WEEKDAY) % 7
        hours = np.array([f"{h:02d}" for h in range(24)])
        days = np.array([str(d) for d in range(7)])
        thirds = np.array([f"{h:02d}" for h in range(0, 24, 3)])
        places, place_of = np.unique(flights.destination, return_inverse=True)
        regions = np.array([region_of(str(p)) for p in places], dtype=np.str_)
        region = regions[place_of] if len(places) else flights.destination
        starts, start_of = np.unique(flights.origin, return_inverse=True)
        home = np.array([region_of(str(p)) for p in starts], dtype=np.str_)
        at_home = region == home[start_of] if len(starts) else np.zeros(0, dtype=bool)
        return Columns(
            {
                "origin": flights.origin,
                "airline": flights.airline,
                "number": flights.flight_number,
                "destination": flights.destination,
                "region": region,
                "reach": np.where(at_home, "domestic", "abroad"),
                "hour": hours[minute // 60],
                "hours3": thirds[minute // 180],
                "weekday": days[weekday],
            }
        )

    def key(self, kind: str) -> Text:
        """Return the keys of *kind*, one per row."""
        keys: Text = self.parts["origin"]
        for part in KINDS[kind]:
            keys = np.char.add(np.char.add(keys, "|"), self.parts[part])
        return keys


KINDS: dict[str, tuple[str, ...]] = {
    "airport": (),
    "airline": ("airline",),
    "route": ("destination",),
    "region": ("region",),
    "flight": ("airline", "number"),
    "airline_route": ("airline", "destination"),
    "airline_region": ("airline", "region"),
    "airline_reach": ("airline", "reach"),
    "hour": ("hour",),
    "hour_of_week": ("weekday", "hour"),
    "airline_hour": ("airline", "hour"),
    "airline_weekday": ("airline", "weekday"),
    "region_hours3": ("region", "hours3"),
    "airline_route_hour": ("airline", "destination", "hour"),
    "flight_weekday": ("airline", "number", "weekday"),
}

# The parts of a key beside its origin, in the order of `parts_of`.
PARTS = ("airline", "number", "destination", "region", "hour", "hours3", "weekday", "reach")
_HOURS = tuple(f"{hour:02d}" for hour in range(24))
_WEEKDAYS = tuple(str(day) for day in range(7))


def parts_of(flight: Flight) -> tuple[str, ...]:
    """Return the parts of one flight's keys, in the order of `PARTS`."""
    moment = flight.scheduled_departure
    hour = moment.hour
    region = region_of(flight.destination)
    return (
        flight.airline,
        flight.flight_number,
        flight.destination,
        region,
        _HOURS[hour],
        _HOURS[hour // 3 * 3],
        _WEEKDAYS[moment.weekday()],
        "domestic" if region == region_of(flight.origin) else "abroad",
    )


def key_of(kind: str, flight: Flight) -> str:
    """Return the key of *kind* of one flight; the same text as `Columns.key` gives for its row."""
    parts = dict(zip(PARTS, parts_of(flight), strict=True))
    return "|".join((flight.origin, *(parts[part] for part in KINDS[kind])))


def codes_of(keys: Text, known: Text) -> Codes:
    """Return the place of each key in the sorted array *known*, -1 for a key that is not there."""
    if not len(known):
        return np.full(len(keys), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[place] == keys, place, -1).astype(np.int64)
