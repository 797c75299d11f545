"""What is promised, as a route: who may tell it is somebody else's."""

from __future__ import annotations

from collections.abc import Sequence

from atraso.serving.app import Worker, create_app
from atraso.serving.promise import ObjectiveAnswer, ObjectivesAnswer
from atraso.telemetry.cells import Board
from tests.serving.asgi import get
from tests.serving.fakes import scorer


def test_a_worker_on_its_own_promises_nothing() -> None:
    """There are no objectives where nobody tells them."""
    told = get(create_app(scorer()), "/v1/objectives").json
    assert told == {"since": None, "prometheus": "off", "objectives": []}


def test_whoever_tells_is_given_what_all_workers_have_counted() -> None:
    """The sum of all slots arrives there, and what is told arrives at whoever asks, never from a cache."""
    board = Board(2)
    board.slot(0).kept(3)
    board.slot(1).kept(4)
    given: list[Sequence[int]] = []
    objective = ObjectiveAnswer("a", "A", "99 % of A", "because", 0.99, "30d", "service", 1, 2, 0.5, -49.0)

    async def promised(totals: Sequence[int]) -> ObjectivesAnswer:
        given.append(totals)
        return ObjectivesAnswer("2017-07-14T02:40:00+00:00", "silent", (objective,))

    answer = get(create_app(scorer(), Worker(board=board, promised=promised)), "/v1/objectives")
    assert given == [board.totals()]
    assert max(given[0]) == 7
    assert answer.json["objectives"][0]["budget_left"] == -49.0
    assert answer.json["prometheus"] == "silent"
    assert answer.headers["cache-control"] == "no-store"
