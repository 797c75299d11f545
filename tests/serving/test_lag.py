"""What a worker does with more requests than it can answer at once: some are answered, the rest told to come back."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from atraso.serving import lag
from atraso.telemetry.names import OUTCOMES, REQUESTS, ROUTES
from tests.serving.raw import Client, Echo, Running, request, serving

ASK = request("/v1/predictions", b"quick", "POST")
STALL = request("/v1/predictions", b"stall", "POST")
CLIENTS = 60


class Slow(Echo):
    """Answers at once, each time after a while in which the loop stands still."""

    answer_headers = ((b"content-type", b"application/json"),)

    def once(self, scope: dict[str, Any]) -> Callable[[bytes], bytes | None]:
        """Answer whatever is asked, except what is to take the ordinary way."""

        def answer(body: bytes) -> bytes | None:
            if scope["path"] != "/v1/predictions":
                return None
            time.sleep(0.3 if body == b"stall" else 0.002)
            return body

        return answer


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "MIN_ANSWERED", 8)


def ask_together(server: Running, clients: list[Client], text: bytes = ASK) -> None:
    """Let all *clients* ask while the worker is busy with another, so that it finds them all ready at once."""
    with Client(server.port) as first:
        first.send(STALL)
        time.sleep(0.1)
        for client in clients:
            client.send(text)
        assert first.answer().status == 200


def connected(stack: contextlib.ExitStack, server: Running) -> list[Client]:
    clients = [stack.enter_context(Client(server.port)) for _ in range(CLIENTS)]
    for client in clients:
        assert client.send(request("/", b"")).answer().status == 200
    return clients


@pytest.mark.parametrize("head_known", [True, False])
def test_too_many_at_once_are_refused_and_their_connections_stay(head_known: bool) -> None:
    """Some are answered, the rest get a 503 with Retry-After; on the same connections all are answered afterwards."""
    with serving(Slow()) as server, contextlib.ExitStack() as stack:
        clients = connected(stack, server)
        if head_known:
            assert clients[0].send(ASK).answer().status == 200
        assert bool(server.gate.heads) is head_known
        ask_together(server, clients)
        answers = [client.answer() for client in clients]
        refused = [answer for answer in answers if answer.status != 200]
        assert 8 <= CLIENTS - len(refused) < CLIENTS
        for answer in refused:
            assert (answer.status, 1 <= int(answer.headers["retry-after"]) <= 5) == (503, True)
            assert "connection" not in answer.headers
            assert answer.detail
        time.sleep(lag.REFUSING_FOR_S)
        for client in clients:
            assert client.send(ASK).answer().status == 200
        counted = REQUESTS.series.index((ROUTES[0], OUTCOMES[3]))
        assert server.gate.recorder._cells[counted] == len(refused)
        assert server.gate.buffered_bytes == 0


def test_what_is_not_answered_at_once_is_not_refused_for_it() -> None:
    """Health and metrics are asked by those who decide whether the worker lives; it is alive."""
    with serving(Slow()) as server, contextlib.ExitStack() as stack:
        clients = connected(stack, server)
        ask_together(server, clients[1:])
        assert clients[0].send(request("/health", b"")).answer().status == 200
        assert {client.answer().status for client in clients[1:]} == {200, 503}


def test_turns_are_short_until_there_was_nothing_to_refuse_for_a_while() -> None:
    """A long turn begins it; then each turn answers a few and some of the rest, until a while after a refusal."""
    measured, now = lag.Lag(), 100.0

    def refused() -> bool:
        refused = now > measured.look_at and measured.too_many(now)
        measured.begin_turn(now)
        measured.sent += 1
        return refused

    assert not any(refused() for _ in range(100))
    now += lag.MAX_TURN_S / 2
    assert not any(refused() for _ in range(100))
    now += lag.MAX_TURN_S
    assert all(refused() for _ in range(100))
    measured.end_turn()
    now += 0.001
    assert not refused()
    now += 0.001
    beyond = [refused() for _ in range(lag.ALWAYS_ANSWERED - 1 + 300)]
    assert not any(beyond[: lag.ALWAYS_ANSWERED - 1])
    assert sum(beyond) == 150
    measured.end_turn()
    now += lag.REFUSING_FOR_S + 0.001
    assert not any(refused() for _ in range(200))


def test_a_process_that_stood_still_refuses_nobody() -> None:
    """It is late, but it has answered only a few in its turn."""
    measured = lag.Lag()
    measured.begin_turn(1.0)
    measured.sent = 3
    assert measured.look_at < 99.0
    assert not measured.too_many(99.0)


def test_what_takes_the_ordinary_way_begins_no_turn() -> None:
    """A few hundred requests that are no work at once, with a pause between them, refuse nobody afterwards."""
    with serving(Slow()) as server, Client(server.port) as client:
        for n in range(4 * lag.MIN_ANSWERED):
            assert client.send(request("/elsewhere", b"x")).answer().status == 200
            if n % lag.MIN_ANSWERED == 0:
                time.sleep(lag.MAX_TURN_S)
        assert client.send(ASK).answer().status == 200


def test_a_refusal_is_a_problem_document_with_the_date_of_now() -> None:
    """It is made once a second at most, and tells different clients different times to come back."""
    with serving(Slow()) as server:
        headers = server.server.server_state.default_headers
        refusals = [server.gate.busy(headers) for _ in range(5)]
        assert len(set(refusals)) == 5
        for text in refusals:
            assert json.loads(text.partition(b"\r\n\r\n")[2])["status"] == 503
        assert server.gate.busy([(b"date", b"later")]).count(b"later") == 1
