"""What is promised, and how much of the budget is left."""

from __future__ import annotations

import pytest

from atraso.serving.app import Worker, create_app
from atraso.serving.promise import OBJECTIVES, PREDICTIONS, objectives_answer
from atraso.telemetry.cells import Board
from atraso.telemetry.names import LATENCY_BOUNDS, ROUTES, Outcome
from tests.serving.asgi import get
from tests.serving.fakes import scorer

ROUTE = ROUTES.index(PREDICTIONS)


def test_before_the_first_request_nothing_is_measured() -> None:
    """Each objective is told with its target; what was kept and what is left are not known yet."""
    told = get(create_app(scorer()), "/v1/objectives").json
    assert [one["name"] for one in told["objectives"]] == [objective.name for objective in OBJECTIVES]
    assert (
        {one["measured"] for one in told["objectives"]} == {one["budget_left"] for one in told["objectives"]} == {None}
    )


def test_objectives_count_what_all_workers_have_counted() -> None:
    """Shed and failed answers spend the budget, a client's own mistakes do not; times are by the histogram."""
    board = Board(2)
    for slot, outcome, seconds, times in (
        (0, Outcome.OK, 0.001, 9000),
        (1, Outcome.OK, 0.06, 997),
        (1, Outcome.SHED_503, 0.001, 2),
        (0, Outcome.SERVER_ERROR, 0.001, 1),
        (0, Outcome.CLIENT_ERROR, 0.001, 500),
        (0, Outcome.QUOTA_429, 0.001, 500),
    ):
        for _ in range(times):
            board.slot(slot).answered(ROUTE, outcome, seconds)
    board.slot(0).answered(ROUTES.index("/health"), Outcome.SERVER_ERROR, 9.0)
    board.slot(0).kept(999)
    board.slot(1).shed(1)
    told = {
        one["name"]: one for one in get(create_app(scorer(), Worker(board=board)), "/v1/objectives").json["objectives"]
    }

    availability = told["availability"]
    assert (availability["good"], availability["total"]) == (9997, 10_000)
    assert availability["budget_left"] == pytest.approx(1 - 0.0003 / 0.0005)
    assert (told["latency-50ms"]["good"], told["latency-50ms"]["total"]) == (10_003, 11_000)
    assert told["latency-50ms"]["budget_left"] < 0
    assert told["latency-250ms"]["budget_left"] == 1
    assert (told["durability"]["good"], told["durability"]["total"]) == (999, 1000)


def test_every_latency_is_a_bound_of_the_histogram() -> None:
    """A share within a time can only be told where a bucket ends."""
    bounds = {objective.within_s for objective in OBJECTIVES if objective.kind == "latency"}
    assert bounds
    assert bounds <= set(LATENCY_BOUNDS)
    assert len(objectives_answer(Board().totals()).objectives) == len(OBJECTIVES)
