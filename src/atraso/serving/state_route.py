"""`GET /v1/state`: what the airport knows now, in numbers and in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.artefact.manifest import Manifest
from atraso.core.flights import moment_from_utc_minutes
from atraso.serving.airport_state import AirportState
from atraso.serving.wire import ModelName


class LeftAnswer(msgspec.Struct, frozen=True):
    """What left in a span of time."""

    departures: int
    delayed: Annotated[int, Meta(description="Of them more than 15 minutes late.")]
    mean_delay_minutes: float | None


class OverdueAnswer(msgspec.Struct, frozen=True):
    """A published flight that is due and whose departure was not reported."""

    airline: str
    flight_number: str
    destination: str
    scheduled_departure: str
    minutes: Annotated[int, Meta(description="For how long it has been due.")]


class AirportAnswer(msgspec.Struct, frozen=True):
    """The state of one airport."""

    airport: str
    last_hour: LeftAnswer
    last_six_hours: LeftAnswer
    today: Annotated[LeftAnswer, Meta(description="Since 04:00 of the airport's own clock.")]
    last_7_days: Annotated[LeftAnswer, Meta(description="Whole days before today.")]
    last_28_days: Annotated[LeftAnswer, Meta(description="Whole days before today.")]
    overdue: Annotated[
        list[OverdueAnswer] | None, Meta(description="Longest first, 100 at most; null where no schedule is known.")
    ]
    words: list[str]


class StateAnswer(msgspec.Struct, frozen=True):
    """What is known of the airports now, and whether answers stand on it."""

    model: ModelName
    version: Annotated[
        int, Meta(description="Rises with each report; `POST /v1/departures` says from which on it is in the state.")
    ]
    as_of: Annotated[str | None, Meta(description="The whole minute of the state; null before there is one.")]
    basis: Annotated[str, Meta(description="`live` where answers use the state, `schedule` where they cannot.")]
    why: Annotated[str | None, Meta(description="Why they cannot, where one would expect it.")]
    newest_departure: Annotated[str | None, Meta(description="When the last departure that was reported left.")]
    airports: list[AirportAnswer]


def state_routes(state: AirportState, manifest: Manifest, now: Callable[[], float]) -> list[Route]:
    """Return the route, for the model of *manifest*."""
    model = ModelName(manifest.airport, manifest.version)
    zones = {airport.icao: ZoneInfo(airport.zone) for airport in manifest.airports}

    async def tell(request: Request) -> Response:
        content = msgspec.json.encode(state_answer(state, model, zones, now()))
        return Response(content, media_type="application/json", headers={"cache-control": "no-store"})

    return [Route("/v1/state", tell, methods=["GET"])]


def state_answer(state: AirportState, model: ModelName, zones: Mapping[str, ZoneInfo], seconds: float) -> StateAnswer:
    """Return what is known at *seconds* since 1970; *zones* are by airport of departure."""
    moment, head = state.now(seconds), state.head
    if head is None:
        return StateAnswer(model, 0, None, "schedule", None, None, [])
    zone = next(iter(zones.values()))

    def told(minutes: int) -> str:
        return moment_from_utc_minutes(minutes, zone).isoformat()

    return StateAnswer(
        model,
        head.version,
        told(head.at_utc),
        "live" if moment.fresh else "schedule",
        moment.why,
        None if head.newest_departure_utc is None else told(head.newest_departure_utc),
        [_airport(origin, said, head.words[origin], zones[origin]) for origin, said in head.airports.items()],
    )


def _airport(origin: str, said: Mapping[str, Any], words: Mapping[str, str], zone: ZoneInfo) -> AirportAnswer:
    overdue = said["overdue"]
    if overdue is not None:
        moments = [moment_from_utc_minutes(one["scheduled_utc"], zone).isoformat() for one in overdue]
        overdue = [one | {"scheduled_departure": at} for one, at in zip(overdue, moments, strict=True)]
    told = {**said, "airport": origin, "overdue": overdue, "words": list(words.values())}
    return msgspec.convert(told, AirportAnswer)
