"""`GET /v1/objectives`: what is promised, how it was kept since the service started, and the budget that is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.telemetry.cells import START_OF, Board
from atraso.telemetry.names import LATENCY_BOUNDS, LEDGER_ROWS, OUTCOMES, REQUEST_SECONDS, REQUESTS, ROUTES, ROW_STATES

PATH = "/v1/objectives"
PREDICTIONS = "/v1/predictions"
Kind = Literal["availability", "latency", "durability"]


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise: which share of all events is to be good. *within_s* is a bound of the histogram, for `latency`."""

    name: str
    kind: Kind
    target: float
    within_s: float | None = None


OBJECTIVES = (
    Objective("availability", "availability", 0.9995),
    Objective("latency-50ms", "latency", 0.99, 0.05),
    Objective("latency-250ms", "latency", 0.999, 0.25),
    Objective("durability", "durability", 0.9999),
)


class ObjectiveAnswer(msgspec.Struct, frozen=True):
    """One promise and how it stands."""

    name: str
    kind: str
    target: Annotated[float, Meta(description="Which share of the events is to be good.")]
    within_s: Annotated[float | None, Meta(description="Of a latency: how fast is good, in seconds.")]
    good: int
    total: int
    measured: Annotated[float | None, Meta(description="The share that was good; null before the first event.")]
    budget_left: Annotated[
        float | None,
        Meta(description="Share of the error budget that is left: 1 is all, below 0 the promise is broken."),
    ]


class ObjectivesAnswer(msgspec.Struct, frozen=True):
    """All promises, counted over one window."""

    window: Annotated[str, Meta(description="What is counted: all since the service started.")]
    objectives: tuple[ObjectiveAnswer, ...]


def objectives_route(board: Board) -> Route:
    """Return the route; *board* has what all workers have counted."""

    async def tell(request: Request) -> Response:
        content = msgspec.json.encode(objectives_answer(board.totals()))
        return Response(content, media_type="application/json", headers={"cache-control": "no-store"})

    return Route(PATH, tell, methods=["GET"])


def objectives_answer(totals: list[int]) -> ObjectivesAnswer:
    """Return how each promise stands by *totals*, the cells of `Board.totals`."""
    return ObjectivesAnswer(
        "since the service started", tuple(_told(one, *_counted(one, totals)) for one in OBJECTIVES)
    )


def _told(objective: Objective, good: int, total: int) -> ObjectiveAnswer:
    measured = good / total if total else None
    left = None if measured is None else 1 - (1 - measured) / (1 - objective.target)
    return ObjectiveAnswer(
        objective.name, objective.kind, objective.target, objective.within_s, good, total, measured, left
    )


def _counted(objective: Objective, totals: list[int]) -> tuple[int, int]:
    """Return how many events were good, and how many there were.

    What a client got wrong, or asked for too often, spends no budget; what the service had no time for does.
    """
    if objective.kind == "durability":
        rows = _cells(totals, START_OF[LEDGER_ROWS], ROW_STATES)
        return rows["kept"], rows["accepted"]
    route = ROUTES.index(PREDICTIONS)
    if objective.kind == "availability":
        found = _cells(totals, START_OF[REQUESTS] + route * len(OUTCOMES), OUTCOMES)
        return found["ok"], found["ok"] + found["shed_503"] + found["server_error"]
    assert objective.within_s is not None
    start = START_OF[REQUEST_SECONDS] + route * REQUEST_SECONDS.width
    buckets = totals[start : start + len(LATENCY_BOUNDS) + 1]
    return sum(buckets[: LATENCY_BOUNDS.index(objective.within_s) + 1]), sum(buckets)


def _cells(totals: list[int], start: int, names: tuple[str, ...]) -> Mapping[str, int]:
    return dict(zip(names, totals[start : start + len(names)], strict=True))
