"""Answers that need no task of their own: the same bytes as by the ordinary way, in order, and fair to others."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from atraso.serving.app import create_app
from atraso.serving.connection import AT_ONCE_IN_A_ROW
from tests.serving.asgi import post
from tests.serving.fakes import flight, scorer
from tests.serving.raw import Client, Running, serving

PREDICTIONS, CHALLENGE = "/v1/predictions", "/predict"
FACTS = {"OPERA": "Grupo LATAM", "TIPOVUELO": "N", "MES": 7}


class Watched:
    """The service, with a count of the requests that took the ordinary way."""

    def __init__(self) -> None:
        self.front = create_app(scorer())
        self.answer_headers = self.front.answer_headers
        self.ordinary = 0

    def once(self, scope: Any) -> Callable[[bytes], bytes | None] | None:
        """Answer as the service does."""
        return self.front.once(scope)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Count, and answer as the service does."""
        self.ordinary += 1
        await self.front(scope, receive, send)


@pytest.fixture
def served() -> Iterator[tuple[Watched, Running]]:
    """Return the service and where it listens."""
    app = Watched()
    with serving(app) as running:
        yield app, running


def asked(path: str, content: Any, *headers: str) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: t", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def without_ids(body: bytes) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(body)
    for prediction in content.get("predictions", ()):
        del prediction["id"]
    content.pop("as_of", None)
    return content


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (PREDICTIONS, {"flights": [flight()]}),
        (PREDICTIONS, {"flights": [flight(), flight(airline="SKU")], "explain": True}),
        (CHALLENGE, {"flights": [FACTS, {**FACTS, "MES": 3}]}),
    ],
)
def test_the_answer_is_that_of_the_ordinary_way(served: tuple[Watched, Running], path: str, content: Any) -> None:
    """Status, headers and content are the same, and no task was needed."""
    app, running = served
    ordinary = post(app.front, path, content)
    with Client(running.port) as client:
        answer = client.send(asked(path, content)).answer()

    assert app.ordinary == 0
    assert answer.status == ordinary.status == 200
    assert {k: v for k, v in answer.headers.items() if k not in ("date", "content-length")} == {
        k: v for k, v in ordinary.headers.items() if k != "content-length"
    }
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert without_ids(answer.body) == without_ids(ordinary.body)


ORDINARY: dict[str, tuple[bytes, int]] = {
    "many flights": (asked(PREDICTIONS, {"flights": [flight()] * 50}), 200),
    "an unknown field": (asked(PREDICTIONS, {"flights": [flight(gate="A1")]}), 422),
    "an unknown airport": (asked(PREDICTIONS, {"flights": [flight(destination="?")]}), 422),
    "no flights": (asked(PREDICTIONS, {"flights": []}), 422),
    "broken JSON": (asked(PREDICTIONS, b'{"flights": ['), 400),
    "not UTF-8": (asked(PREDICTIONS, b'{"flights": "\xff"}'), 400),
    "deep": (asked(PREDICTIONS, b"[" * 3000 + b"]" * 3000), 400),
    "a challenge nobody set": (asked(CHALLENGE, {"flights": [{**FACTS, "MES": 13}]}), 400),
    "the last on its connection": (asked(PREDICTIONS, {"flights": [flight()]}, "Connection: close"), 200),
}


@pytest.mark.parametrize("case", ORDINARY)
def test_what_takes_longer_or_is_refused_goes_the_ordinary_way(served: tuple[Watched, Running], case: str) -> None:
    """It is answered there, with what it deserves."""
    app, running = served
    request, status = ORDINARY[case]
    with Client(running.port) as client:
        assert client.send(request).answer().status == status
    assert app.ordinary == 1


def test_a_type_of_content_given_twice_is_refused(served: tuple[Watched, Running]) -> None:
    """Which of the two counts cannot be known."""
    _, running = served
    with Client(running.port) as client:
        answer = client.send(asked(PREDICTIONS, {"flights": [flight()]}, "Content-Type: text/plain")).answer()
    assert (answer.status, "content-type" in answer.detail) == (400, True)


def test_requests_that_come_together_are_answered_in_order_and_let_others_have_their_turn(
    served: tuple[Watched, Running],
) -> None:
    """A hundred in one segment, of both kinds: every answer in its place; not all of them in one go."""
    app, running = served
    months = [1 + i % 12 for i in range(100)]
    stream = b"".join(asked(CHALLENGE, {"flights": [{**FACTS, "MES": month}]}) for month in months)
    with Client(running.port) as client:
        client.send(stream)
        classes = [json.loads(client.answer().body)["predict"] for _ in months]

    alone = {
        month: post(app.front, CHALLENGE, {"flights": [{**FACTS, "MES": month}]}).json["predict"] for month in months
    }
    assert classes == [alone[month] for month in months]
    assert len({tuple(c) for c in classes}) == 2
    assert 1 <= app.ordinary <= len(months) // AT_ONCE_IN_A_ROW + 1


def test_a_fault_of_the_service_is_answered_and_told(
    served: tuple[Watched, Running], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gets a 500 and the log one line; the connection goes on."""
    app, running = served
    model = scorer()

    def fails(*_: object, **__: object) -> object:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(type(model), "predict", fails)
    with Client(running.port) as client, caplog.at_level(logging.ERROR):
        assert client.send(asked(PREDICTIONS, {"flights": [flight()]})).answer().status == 500
        monkeypatch.undo()
        assert client.send(asked(PREDICTIONS, {"flights": [flight()]})).answer().status == 200
    assert app.ordinary == 0
    assert sum("a bug" in record.message for record in caplog.records) == 1
