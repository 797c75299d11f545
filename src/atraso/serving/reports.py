"""What one report of a flight means: the flight, and that it left, that it is cancelled, or that it is scheduled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from atraso.artefact.scorer import Scorer
from atraso.artefact.times import Clock
from atraso.core.errors import FieldError
from atraso.core.flights import Flight, utc_minutes
from atraso.core.reported import why_not_delayed, why_not_found_out, why_not_left, why_not_scheduled
from atraso.ledger.commands import FlightReport
from atraso.serving.places import Places, check_values, pointer_to
from atraso.serving.wire import DepartureReport

_NAMES = ("airline", "flight_number", "destination", "scheduled_departure", "origin")


class Reports:
    """Reads reports with the names that one *scorer* knows, as of moments in seconds since 1970."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._clocks = {airport.icao: Clock(ZoneInfo(airport.zone)) for airport in scorer.manifest.airports}

    def read(self, report: DepartureReport, now_s: float) -> tuple[FlightReport, tuple[str, ...]]:
        """Return what *report* means, and warnings about how it was read; raises FieldError."""
        flight, notes = self._flight(
            report.airline,
            report.flight_number,
            report.destination,
            report.scheduled_departure,
            report.origin,
            now_s=now_s,
        )
        clock, scheduled_utc = self._clocks[flight.origin], flight.scheduled_utc_minutes
        actual_utc = reported_ms = None
        if report.actual_departure is not None:
            actual, note = _actual(report.actual_departure, clock, now_s)
            actual_utc = utc_minutes(actual)
            _check_span(report.actual_departure, actual_utc - scheduled_utc)
            notes = (*notes, note) if note else notes
            _check_cancelled(report.cancelled, report.actual_departure)
        if report.reported_at is not None:
            reported, note = _reported(report.reported_at, clock, now_s)
            reported_ms = int(reported.timestamp() * 1000)
            notes = (*notes, note) if note else notes
        identity = (flight.airline, flight.flight_number, flight.origin, flight.destination, scheduled_utc)
        local = flight.scheduled_departure.isoformat(timespec="seconds")
        return FlightReport(*identity, local, actual_utc, report.cancelled, reported_ms), notes

    def tell_wrong(self, usable: Mapping[str, Any], pointer: str, places: Places, now_s: float) -> None:
        """Tell every field among *usable* of the report at *pointer* that cannot be used; others were told before."""
        flights: list[Flight] = []

        def ask(**names: Any) -> None:
            flights.append(self._flight(**names, now_s=now_s)[0])

        manifest, before = self._scorer.manifest, len(places.found)
        good = {
            "airline": manifest.airlines[0].icao,
            "flight_number": "1",
            "destination": manifest.destinations[0].icao,
            "scheduled_departure": datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds"),
            "origin": manifest.airports[0].icao,
        }
        check_values(ask, usable, good, pointer, places)
        # What the flight is to be compared with counts only where the flight itself is as it was said.
        flight = flights[0] if flights and len(places.found) == before and usable.keys() >= set(_NAMES) else None
        clock = self._clocks[flight.origin if flight else manifest.airports[0].icao]
        actual, reported_at = usable.get("actual_departure"), usable.get("reported_at")
        checks: tuple[Callable[[], object], ...] = (
            lambda: self._check_actual(actual, flight, clock, now_s),
            lambda: _check_cancelled(usable.get("cancelled", False), actual),
            lambda: _reported(reported_at, clock, now_s) if reported_at is not None else None,
        )
        for check in checks:
            try:
                check()
            except FieldError as error:
                places.add(pointer_to(pointer, error.field), error.detail)

    def _flight(
        self,
        airline: str,
        flight_number: str,
        destination: str,
        scheduled_departure: str,
        origin: str | None,
        *,
        now_s: float,
    ) -> tuple[Flight, tuple[str, ...]]:
        flight, notes = self._scorer.resolve(airline, flight_number, destination, scheduled_departure, origin)
        why = why_not_scheduled(flight.scheduled_departure.timestamp(), now_s)
        _refuse("scheduled_departure", scheduled_departure, why)
        return flight, notes

    def _check_actual(self, text: str | None, flight: Flight | None, clock: Clock, now_s: float) -> None:
        if text is not None:
            actual, _ = _actual(text, clock, now_s)
            if flight is not None:
                _check_span(text, utc_minutes(actual) - flight.scheduled_utc_minutes)


def _actual(text: str, clock: Clock, now_s: float) -> tuple[datetime, str | None]:
    moment, note = clock.read(text, "actual_departure")
    _refuse("actual_departure", text, why_not_left(moment.timestamp(), now_s))
    return moment, note


def _check_span(text: str, delay_minutes: int) -> None:
    _refuse("actual_departure", text, why_not_delayed(delay_minutes))


def _check_cancelled(cancelled: bool, actual_departure: str | None) -> None:
    if cancelled and actual_departure is not None:
        raise FieldError("cancelled", "is true although actual_departure says when the flight left: send one of them")


def _reported(text: str, clock: Clock, now_s: float) -> tuple[datetime, str | None]:
    moment, note = clock.read(text, "reported_at")
    _refuse("reported_at", text, why_not_found_out(moment.timestamp(), now_s))
    return moment, note


def _refuse(field: str, text: str, why: str | None) -> None:
    if why is not None:
        raise FieldError(field, f"{text!r} {why}")
