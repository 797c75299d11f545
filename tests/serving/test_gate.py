"""The limits that the connections of one worker share; over real sockets."""

from __future__ import annotations

import contextlib

from atraso.serving.gate import ServerLimits
from tests.serving.processes import eventually
from tests.serving.raw import BODY_HEAD, GET, Client, Echo, Held, request, serving


def test_a_client_too_many_is_turned_away_at_once() -> None:
    """503 with Retry-After before it says a word; when another leaves there is room again."""
    with serving(Echo(), max_connections=2) as server:
        with Client(server.port) as first, Client(server.port) as second:
            assert [c.send(GET).answer().status for c in (first, second)] == [200, 200]
            with Client(server.port) as third:
                answer = third.answer()
                assert (answer.status, 1 <= int(answer.headers["retry-after"]) <= 5) == (503, True)
                assert answer.detail
                third.closed_after()
            with Client(server.port) as fourth:
                assert fourth.send(GET).answer().status == 503
            assert first.send(GET).answer().status == 200
        eventually(lambda: not server.connections)
        with Client(server.port) as fifth:
            assert fifth.send(GET).answer().status == 200


def test_work_beyond_the_limit_is_refused_and_the_connection_stays() -> None:
    """503 with Retry-After while the worker is full; the same connection is served when it is not."""
    held = Held()
    with serving(Echo(hold=held), max_concurrency=2) as server, contextlib.ExitStack() as clients:
        first, second, third = (clients.enter_context(Client(server.port)) for _ in range(3))
        for client in (first, second):
            client.send(GET)
            held.begun.acquire(timeout=5)
        answer = third.send(GET).answer()
        assert (answer.status, 1 <= int(answer.headers["retry-after"]) <= 5) == (503, True)
        assert answer.detail
        assert third.send(request("/", b"", "HEAD")).answer(head_only=True).status == 503
        held.let_go()
        assert [client.answer().status for client in (first, second)] == [200, 200]
        assert third.send(GET).answer().status == 200


def test_work_for_a_client_that_is_gone_counts_until_it_ends() -> None:
    """Leaving early does not make room for more work than the worker may have."""
    held = Held()
    with serving(Echo(hold=held), max_concurrency=1) as server:
        with Client(server.port) as gone:
            gone.send(GET)
            held.begun.acquire(timeout=5)
            gone.reset()
        eventually(lambda: not server.connections)
        with Client(server.port) as client:
            assert client.send(GET).answer().status == 503
            held.let_go()
            eventually(lambda: server.gate.working == 0)
            assert client.send(GET).answer().status == 200


def test_clients_that_are_still_sending_are_no_work() -> None:
    """Slow bodies take nothing from those who are ready."""
    with serving(Echo(), max_concurrency=1) as server, contextlib.ExitStack() as clients:
        slow = [clients.enter_context(Client(server.port)).send(BODY_HEAD % 10 + b"x") for _ in range(50)]
        with Client(server.port) as client:
            assert client.send(GET).answer().status == 200
        for client in slow:
            assert client.send(b"x" * 9).answer().status == 200


def test_the_bodies_of_all_clients_together_have_a_limit() -> None:
    """Many large bodies at once cannot take the memory of the worker; what is given up is free again."""
    with serving(Echo(), max_buffered_bytes=100_000) as server:
        with Client(server.port) as first, Client(server.port) as second:
            first.send(BODY_HEAD % 70_000 + b"x" * 60_000)
            eventually(lambda: server.gate.buffered_bytes == 60_000)
            answer = second.send(BODY_HEAD % 70_000 + b"x" * 60_000).answer()
            assert (answer.status, "retry-after" in answer.headers) == (503, True)
            assert first.send(b"x" * 10_000).answer().status == 200
        with Client(server.port) as third:
            assert third.send(BODY_HEAD % 70_000 + b"x" * 70_000).answer().status == 200
        assert server.gate.buffered_bytes == 0


def test_slow_clients_do_not_stop_others() -> None:
    """Hundreds stuck in head, in body and in reading: a plain client is served as ever."""
    with serving(Echo()) as server, contextlib.ExitStack() as stuck:
        for _ in range(150):
            stuck.enter_context(Client(server.port)).send(GET[:20])
            stuck.enter_context(Client(server.port)).send(BODY_HEAD % 10 + b"x")
        with Client(server.port) as client:
            for _ in range(50):
                assert client.send(request("/", b"abc")).answer().status == 200


def test_deadlines_are_looked_at_often_enough() -> None:
    """Well within the shortest of them, and never more rarely than four times a second."""
    assert ServerLimits().sweep_interval_s == 0.25
    for name in ("head_timeout_s", "body_timeout_s", "keep_alive_timeout_s", "write_timeout_s"):
        assert ServerLimits(**{name: 0.4}).sweep_interval_s == 0.1
