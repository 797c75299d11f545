"""Answers that need no task of their own: the same bytes as by the ordinary way, in order, and fair to others."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atraso.serving.app import create_app
from atraso.serving.connection import AT_ONCE_IN_A_ROW
from atraso.serving.gate import MAX_HEADS_REMEMBERED
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


@pytest.mark.parametrize("name", ["airline", "flight_number", "destination", "scheduled_departure"])
def test_a_body_that_is_not_utf_8_is_the_clients_mistake(served: tuple[Watched, Running], name: str) -> None:
    """Wherever the byte stands, on both routes: 400, and no fault of the service."""
    _, running = served
    body = json.dumps({"flights": [flight(**{name: "?"})]}).encode().replace(b'"?"', b'"\xff"')
    facts = json.dumps({"flights": [{**FACTS, "OPERA": "?"}]}).encode().replace(b'"?"', b'"\xff"')
    with Client(running.port) as client:
        for path, content in ((PREDICTIONS, body), (CHALLENGE, facts)):
            assert "UTF-8" in client.send(asked(path, content)).answer().detail


def test_an_invitation_to_send_a_body_comes_after_the_answer_before_it(served: tuple[Watched, Running]) -> None:
    """Otherwise the client takes it for that answer."""
    _, running = served
    body = json.dumps({"flights": [FACTS]}).encode()
    head = asked(CHALLENGE, body, "Expect: 100-continue")[: -len(body)]
    with Client(running.port) as client:
        client.send(asked(CHALLENGE, body) + head)
        assert client.answer().status == 200
        assert client.answer(head_only=True).status == 100
        assert client.send(body).answer().status == 200


def test_a_head_is_learnt_once_and_then_known_by_its_bytes(served: tuple[Watched, Running]) -> None:
    """Another length, another header or another path is another head; the answers are the same."""
    _, running = served
    with Client(running.port) as client:
        first = client.send(asked(CHALLENGE, {"flights": [FACTS]})).answer()
        for _ in range(3):
            assert client.send(asked(CHALLENGE, {"flights": [FACTS]})).answer().body == first.body
        assert len(running.gate.heads) == 1
        for headers in (("X-A: 1",), ("X-A: 2",)):
            assert client.send(asked(CHALLENGE, {"flights": [FACTS]}, *headers)).answer().status == 200
        assert client.send(asked(CHALLENGE, {"flights": [FACTS, FACTS]})).answer().status == 200
        assert len(running.gate.heads) == 4


def test_a_part_of_a_head_is_never_learnt(served: tuple[Watched, Running]) -> None:
    """What came in pieces teaches nothing: the last piece alone is no request."""
    _, running = served
    whole = asked(CHALLENGE, {"flights": [FACTS]})
    for cut in (1, 4, 20, whole.index(b"\r\n\r\n"), whole.index(b"\r\n\r\n") + 4, len(whole) - 1):
        with Client(running.port) as client:
            client.send(whole[:cut])
            time.sleep(0.02)
            assert client.send(whole[cut:]).answer().status == 200
            assert client.send(whole[cut:]).answer().status == 400
    assert len(running.gate.heads) == 0


def test_only_so_many_heads_are_kept_and_no_long_ones(served: tuple[Watched, Running]) -> None:
    """A client that changes its head with every request cannot fill the memory."""
    _, running = served
    with Client(running.port) as client:
        for n in range(MAX_HEADS_REMEMBERED + 10):
            client.send(asked(CHALLENGE, {"flights": [FACTS]}, f"X-Turn: {n}")).answer()
        assert 0 < len(running.gate.heads) <= MAX_HEADS_REMEMBERED
        running.gate.heads.clear()
        client.send(asked(CHALLENGE, {"flights": [FACTS]}, f"X-Long: {'a' * 3000}")).answer()
        assert len(running.gate.heads) == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_however_a_stream_is_cut_the_answers_are_the_same(served: tuple[Watched, Running], data: st.DataObject) -> None:
    """Known heads or not, in one segment or many: each request has the answer that it has alone."""
    app, running = served
    requests = [
        asked(CHALLENGE, {"flights": [{**FACTS, "MES": 7}]}),
        asked(CHALLENGE, {"flights": [{**FACTS, "MES": 3}]}),
        asked(CHALLENGE, {"flights": [FACTS, {**FACTS, "MES": 1}]}),
        asked(CHALLENGE, {"flights": []}),
        asked(CHALLENGE, b'{"flights": [\r\n\r\n]}'),
        b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n",
    ]
    alone = [post(app.front, CHALLENGE, r.partition(b"\r\n\r\n")[2]).status for r in requests[:5]] + [200]
    order = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
    stream = b"".join(requests[n] for n in order)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
    with Client(running.port) as client:
        for start, end in pairwise([0, *cuts, len(stream)]):
            client.send(stream[start:end])
        assert [client.answer().status for _ in order] == [alone[n] for n in order]
