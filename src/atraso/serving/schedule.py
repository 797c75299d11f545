"""`GET /v1/schedule`: the flights of one day at one airport, what became of them, and how a usual day goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.artefact.day import DayFlight, KnownDay
from atraso.artefact.scorer import Scorer
from atraso.artefact.times import FIRST_YEAR, LAST_YEAR
from atraso.core.errors import FieldError
from atraso.core.flights import moment_from_utc_minutes
from atraso.serving.airport_state import AirportState
from atraso.serving.predictions import query_of
from atraso.serving.problems import NoSuchRouteError, WrongPlacesError
from atraso.serving.wire import Place

PATH = "/v1/schedule"
NAMES = ("date", "origin")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FIRST_DAY = date(1970, 1, 1)


class FlightOfDay(msgspec.Struct, frozen=True, gc=False):
    """A flight of the day; times are local to the airport, with their offset."""

    airline: str
    flight_number: str
    destination: str
    scheduled_departure: str
    actual_departure: Annotated[str | None, Meta(description="Null until it was reported to have left.")]
    delay_minutes: int | None
    cancelled: bool
    published: Annotated[bool, Meta(description="Whether it was published before, or only reported to have left.")]


class HourAnswer(msgspec.Struct, frozen=True, gc=False):
    """What left in one hour of the airport's clock."""

    departures: float
    delayed: Annotated[float, Meta(description="Of them more than 15 minutes late.")]


class DayAnswer(msgspec.Struct, frozen=True):
    """One local day of departures."""

    airport: str
    date: str
    as_of: Annotated[str, Meta(description="The moment of this answer, local to the airport, with its offset.")]
    version: Annotated[int, Meta(description="The state's version that this is of: it rises with each report.")]
    flights: Annotated[tuple[FlightOfDay, ...], Meta(description="In the order of their schedule.")]
    left_by_hour: Annotated[tuple[HourAnswer, ...], Meta(description="What left on the day, by hours 0 to 23.")]
    usual_by_hour: Annotated[
        tuple[HourAnswer, ...], Meta(description="The means of `usual_days` days before; empty where none is known.")
    ]
    usual_days: int


def schedule_route(state: AirportState, scorer: Scorer, now: Callable[[], float]) -> Route:
    """Return the route; *state* asks whoever keeps it, *now* tells the time in seconds since 1970."""
    zones = {airport.icao: ZoneInfo(airport.zone) for airport in scorer.manifest.airports}

    async def tell(request: Request) -> Response:
        if not state.kept:
            raise NoSuchRouteError(
                "no flights are kept here: start with ATRASO_LEDGER=spool, and report them to /v1/departures"
            )
        origin, day = _asked(query_of(request.scope["query_string"]), scorer, zones, now)
        known = await state.day(origin, (day - _FIRST_DAY).days)
        content = msgspec.json.encode(_answer(known, origin, day, zones[origin], now()))
        return Response(content, media_type="application/json", headers={"cache-control": "no-store"})

    return Route(PATH, tell, methods=["GET"])


def _asked(
    query: Mapping[str, object], scorer: Scorer, zones: Mapping[str, ZoneInfo], now: Callable[[], float]
) -> tuple[str, date]:
    """Return the airport and the day that are asked for; raises WrongPlacesError."""
    places = [
        Place(f"/{name}", f"is not a field here; the fields are {', '.join(NAMES)}")
        for name in query
        if name not in NAMES
    ]
    origin, day = next(iter(zones)), None
    try:
        given = query.get("origin")
        origin = scorer.origin_of(None if given is None else str(given))
    except FieldError as error:
        places.append(Place("/origin", error.detail))
    text = str(query.get("date", datetime.fromtimestamp(now(), zones[origin]).date().isoformat()))
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        places.append(Place("/date", f"{text[:40]!r} is not a date such as 2017-07-14"))
    if places or day is None:
        raise WrongPlacesError(places)
    return origin, day


def _answer(known: KnownDay, origin: str, day: date, zone: ZoneInfo, seconds: float) -> DayAnswer:
    return DayAnswer(
        origin,
        day.isoformat(),
        datetime.fromtimestamp(int(seconds), zone).isoformat(),
        known.version,
        tuple(_flight(flight, zone) for flight in known.flights),
        tuple(HourAnswer(*hour) for hour in known.left),
        tuple(HourAnswer(*hour) for hour in known.usual),
        known.usual_days,
    )


def _flight(flight: DayFlight, zone: ZoneInfo) -> FlightOfDay:
    left = flight.actual_utc if not flight.cancelled else None
    return FlightOfDay(
        flight.airline,
        flight.flight_number,
        flight.destination,
        moment_from_utc_minutes(flight.scheduled_utc, zone).isoformat(),
        None if left is None else moment_from_utc_minutes(left, zone).isoformat(),
        None if left is None else left - flight.scheduled_utc,
        flight.cancelled,
        flight.published,
    )
