"""Predictions and departures made by hand, and the quality that a ledger tells of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from atraso.core.drift import Reference
from atraso.ledger.quality import judge
from atraso.ledger.quality_report import Quality
from atraso.ledger.quality_rows import Window
from atraso.ledger.records import COLUMNS, Row
from atraso.ledger.schema import DEPARTURES
from atraso.ledger.storing import insert_predictions, insert_rows
from tests.ledger.places import Place, identifier

# Monday 2026-11-02, 00:00 UTC, in minutes; the ledger is judged a week later.
MONDAY = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp()) // 60
NOW_S = (MONDAY + 7 * 1440) * 60
MODEL = "2017.1+3f9c2a"


def said(number: int, probability: float, *, due: int = MONDAY, asked_before: int = 600, **changes: Any) -> Row:
    """Return the row of a prediction for the flight LAN *number*, *due* (minutes UTC), asked so many minutes before."""
    local = datetime.fromtimestamp(due * 60, UTC).isoformat()
    at_s = (due - asked_before) * 60
    values = {
        "id": identifier(number, at_s * 1000),
        "principal": "desk",
        "asked_ms": at_s * 1000,
        "as_of_s": at_s,
        "airline": "LAN",
        "flight_number": str(number),
        "origin": "SCEL",
        "destination": "SPJC",
        "scheduled_utc": due,
        "scheduled_local": local,
        "lead": "3h",
        "basis": "live",
        "model_version": MODEL,
        "delay_probability": probability,
        "delayed": probability > 0.5,
        "base_rate": 0.2,
        "exceeds_0": 0.5,
        "exceeds_15": probability,
        "exceeds_30": 0.1,
        "exceeds_60": 0.05,
        "p50": 0.0,
        "p80": 10.0,
        "p95": 20.0,
        "warnings": None,
        "reasons": None,
    } | changes
    return tuple(values[name] for name in COLUMNS)


def left(
    number: int, minutes_late: int | None, *, due: int = MONDAY, reported: int = 1, cancelled: bool = False, **who: str
) -> Row:
    """Return the row of a departure of that flight; None minutes where it has not left."""
    flight = {"airline": "LAN", "flight_number": str(number), "origin": "SCEL", "destination": "SPJC"} | who
    local = datetime.fromtimestamp(due * 60, UTC).isoformat()
    actual = None if minutes_late is None else due + minutes_late
    return (*flight.values(), due, local, actual, cancelled, reported, "tower", reported)


def keep(place: Place, predictions: list[Row] = [], departures: list[Row] = []) -> None:  # noqa: B006 - only read
    with place.engine.begin() as connection:
        insert_predictions(connection, predictions)
        insert_rows(connection, DEPARTURES, departures)


def judged(
    place: Place,
    *,
    model: str | None = MODEL,
    lead: str | None = None,
    days: int = 7,
    reference: Reference | None = None,
    now_s: int = NOW_S,
) -> Quality:
    """Return the quality of the week that begins on `MONDAY`."""
    with place.reader().connect() as connection:
        return judge(connection, Window(now_s, days, model, lead), reference, lambda: None)
