"""What the process that keeps the state tells of one day: its flights, and how a usual day goes by the hour."""

from __future__ import annotations

import msgspec


class DayFlight(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A flight that is to leave on that day, or was: minutes since 1970 in UTC; `actual_utc` is None until it left."""

    airline: str
    flight_number: str
    destination: str
    scheduled_utc: int
    actual_utc: int | None
    cancelled: bool
    published: bool


class KnownDay(msgspec.Struct, frozen=True):
    """One local day of one airport, known up to *version* of the ledger.

    `flights` are in the order of their schedule. `left` has per hour of the airport's clock how many left in it and how
    many of those late; `usual` the means of the `usual_days` days before on which something left.
    """

    version: int
    flights: tuple[DayFlight, ...]
    left: tuple[tuple[float, float], ...]
    usual: tuple[tuple[float, float], ...]
    usual_days: int


class AskedDay(msgspec.Struct, frozen=True, tag="day"):
    """What a worker asks about a day (in days since 1970, local) of departures from *origin*."""

    origin: str
    day: int
    model: str
