"""`GET /v1/objectives`: what is promised and why, how it was kept, the budget that is left, and who says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.telemetry.cells import Board

PATH = "/v1/objectives"
Source = Literal["prometheus", "service"]
Asked = Literal["off", "answered", "without_rules", "silent"]


class ObjectiveAnswer(msgspec.Struct, frozen=True):
    """One promise and how it stands; what nobody can tell is null."""

    name: str
    title: str
    promise: Annotated[str, Meta(description="What exactly is promised, as a sentence.")]
    reason: Annotated[str, Meta(description="Why that, and why so much of it.")]
    target: Annotated[float, Meta(description="Which share of the events, or of the time, is to be good.")]
    window: Annotated[str, Meta(description="Over how long a budget lasts, such as `30d`.")]
    source: Annotated[
        Source | None,
        Meta(
            description="Who tells the rest: `prometheus` over the whole window, of all replicas; `service` since it "
            "started, of its own workers; null where it is not measured here."
        ),
    ]
    good: Annotated[int | None, Meta(description="How many events were good, as the service counted.")] = None
    total: Annotated[int | None, Meta(description="How many there were, as the service counted.")] = None
    measured: Annotated[float | None, Meta(description="The share that was good; null before the first event.")] = None
    budget_left: Annotated[
        float | None,
        Meta(description="Share of the error budget that is left: 1 is all, below 0 the promise is broken."),
    ] = None


class ObjectivesAnswer(msgspec.Struct, frozen=True):
    """All promises and how they stand."""

    since: Annotated[str | None, Meta(description="From when on the service counts: its start, in UTC.")]
    prometheus: Annotated[
        Asked,
        Meta(
            description="Whether the server of `ATRASO_PROMETHEUS_URL` told its part: `off` where none is named, "
            "`answered`, `without_rules` where it has nothing recorded, `silent` where it did not answer."
        ),
    ]
    objectives: tuple[ObjectiveAnswer, ...]


# Told the cells of `Board.totals`.
Promised = Callable[[Sequence[int]], Awaitable[ObjectivesAnswer]]


async def nothing_promised(totals: Sequence[int]) -> ObjectivesAnswer:
    """Return that nothing is promised: a worker on its own has no objectives."""
    return ObjectivesAnswer(None, "off", ())


def objectives_route(board: Board, promised: Promised) -> Route:
    """Return the route; *board* has what all workers have counted."""

    async def tell(request: Request) -> Response:
        content = msgspec.json.encode(await promised(board.totals()))
        return Response(content, media_type="application/json", headers={"cache-control": "no-store"})

    return Route(PATH, tell, methods=["GET"])
