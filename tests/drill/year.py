"""A year of departures that ends an hour ago, in a ledger."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from atraso.core.flights import moment_from_utc_minutes
from atraso.ledger.commands import FlightReport
from atraso.ledger.desk import Desk
from atraso.sources.registry import read
from tests.flights_at_hand import scl_file

AT_A_TIME = 5000


def year_into(folder: Path) -> int:
    """Put a year that ends an hour ago into the ledger of *folder*, published too; return how many departures."""
    reading = read("scl", str(scl_file()[0]))
    flights, actual = reading.departures.flights, reading.departures.actual_utc.tolist()
    hour_ago = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() // 60)
    shift = hour_ago - max(actual)
    desk, reports = Desk(folder), []
    for (airline, number, origin, destination, utc), left_at in zip(flights.identities(), actual, strict=True):
        local = moment_from_utc_minutes(utc + shift, reading.zones[origin]).isoformat(timespec="seconds")
        names = (airline, number, origin, destination, utc + shift, local)
        reports += [FlightReport(*names), FlightReport(*names, left_at + shift, False, (left_at + shift) * 60_000)]
    for start in range(0, len(reports), AT_A_TIME):
        desk.report("drill", time.time_ns() // 1_000_000, reports[start : start + AT_A_TIME])
    return len(actual)
