"""Whose turn it is on a connection, what ends it, and that a slow one harms no other; over real sockets."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest

from atraso.serving.observe import OTHER
from atraso.serving.protocol import PIECE_BYTES
from atraso.telemetry.cells import BILLION, START_OF
from atraso.telemetry.names import OUTCOMES, REQUEST_SECONDS, REQUESTS
from tests.serving.processes import eventually
from tests.serving.raw import BODY_HEAD, GET, Client, Echo, Held, Running, request, serving

SECONDS_WIDTH = REQUEST_SECONDS.width

# --- turns


def test_pipelined_requests_are_answered_in_their_order() -> None:
    """A thousand requests in one segment: a thousand answers, in order, and nothing held afterwards."""
    with serving(Echo()) as server, Client(server.port) as client:
        client.send(b"".join(request(f"/{n}", b"x" * (n % 50)) for n in range(1000)))
        assert [client.answer().body for _ in range(1000)] == [b"/%d %d" % (n, n % 50) for n in range(1000)]
        assert server.gate.buffered_bytes == 0


def test_while_a_request_is_at_work_only_a_few_behind_it_are_taken_in() -> None:
    """The rest of what the client sent stays unparsed, so it costs no more than its bytes."""
    held = Held()
    with serving(Echo(hold=held)) as server, Client(server.port) as client:
        client.send(GET * 5000)
        held.begun.acquire(timeout=5)
        connection = server.connections[0]
        assert len(connection._waiting) <= PIECE_BYTES // len(GET)
        held.let_go()
        assert [client.answer().status for _ in range(5000)] == [200] * 5000


def test_a_client_cannot_pile_up_requests_one_by_one() -> None:
    """When one request waits behind another, nothing more is read, however it is cut into segments."""
    held = Held()
    with serving(Echo(hold=held)) as server, Client(server.port) as client:
        client.send(GET)
        held.begun.acquire(timeout=5)
        for _ in range(100):
            client.send(GET)
            time.sleep(0.001)
        assert len(server.connections[0]._waiting) < 20
        held.let_go()
        assert [client.answer().status for _ in range(101)] == [200] * 101


def test_requests_that_wait_count_for_the_memory_of_the_worker() -> None:
    """Small as they are, there may be many: the first is answered, and those beyond the room are refused."""
    held = Held()
    with serving(Echo(hold=held), max_buffered_bytes=100_000) as server, Client(server.port) as client:
        client.send(GET * 300)
        held.begun.acquire(timeout=5)
        held.let_go()
        statuses = [client.answer().status for _ in range(50)]
        assert statuses == [200] * 49 + [503]
        client.closed_after()
        assert server.gate.buffered_bytes == 0


def test_a_connection_serves_request_after_request() -> None:
    """Keep-alive is the default of HTTP/1.1, and `Connection: close` and HTTP/1.0 end it."""
    with serving(Echo()) as server:
        with Client(server.port) as client:
            for n in range(20):
                answer = client.send(request("/", b"x" * n)).answer()
                assert (answer.body, "connection" in answer.headers) == (b"/ %d" % n, False)
            answer = client.send(request("/", b"", "GET", "Connection: close")).answer()
            assert answer.headers["connection"] == "close"
            client.closed_after()
        with Client(server.port) as client:
            assert client.send(b"GET / HTTP/1.0\r\n\r\n").answer().headers["connection"] == "close"
            client.closed_after()


def test_a_refusal_follows_the_answers_before_it() -> None:
    """Rubbish behind two requests that are still at work does not take the place of their answers."""
    held = Held()
    with serving(Echo(hold=held)) as server, Client(server.port) as client:
        client.send(GET + request("/2") + b"rubbish\r\n\r\n")
        held.begun.acquire(timeout=5)
        held.let_go()
        assert [client.answer().status for _ in range(3)] == [200, 200, 400]
        client.closed_after()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_client_that_has_said_all_still_gets_its_answers(count: int) -> None:
    """Closing one's own half after asking is allowed, and then the connection ends."""
    held = Held()
    with serving(Echo(hold=held)) as server, Client(server.port) as client:
        client.send(request("/", b"ab") * count).end()
        held.begun.acquire(timeout=5)
        time.sleep(0.05)
        held.let_go()
        assert [client.answer().body for _ in range(count)] == [b"/ 2"] * count
        client.closed_after()


def test_a_refusal_of_a_head_request_has_no_body() -> None:
    """What answers HEAD announces a length and sends nothing."""
    with serving(Echo(), max_body_bytes=10) as server, Client(server.port) as client:
        client.send(request("/", b"", "HEAD", "Content-Length: 11"))
        assert client.answer(head_only=True).status == 413
        client.closed_after()


def test_an_application_that_fails_is_answered_for(caplog: pytest.LogCaptureFixture) -> None:
    """500 as a problem document that tells nothing of the error, which is in the log."""

    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("the secret detail")

    with serving(broken) as server, Client(server.port) as client:
        answer = client.send(GET).answer()
        assert (answer.status, "secret" in answer.detail) == (500, False)
    assert "the secret detail" in caplog.text


def test_an_application_learns_that_its_client_is_gone() -> None:
    """After the body, `receive` tells of a reset instead of waiting for ever."""
    told: list[str] = []

    async def waits(scope: object, receive: Callable[[], object], send: object) -> None:
        for _ in range(2):
            told.append((await receive())["type"])  # type: ignore[misc,index]

    with serving(waits) as server:
        with Client(server.port) as client:
            client.send(GET)
            eventually(lambda: told == ["http.request"])
            client.reset()
        eventually(lambda: told == ["http.request", "http.disconnect"])


# --- deadlines


def test_a_silent_connection_is_closed() -> None:
    """Who never sends a byte is closed at the deadline of the head, without a word."""
    with serving(Echo(), head_timeout_s=0.3) as server, Client(server.port) as client:
        client.closed_after()


def test_a_head_that_drips_is_refused() -> None:
    """A byte now and then does not move the deadline."""
    with serving(Echo(), head_timeout_s=0.3) as server, Client(server.port) as client:
        answer = client.drip(GET, every_s=0.025).answer()
        assert (answer.status, answer.detail) == (408, "The request head did not arrive within 0.3 s.")
        client.closed_after()
    with serving(Echo(), head_timeout_s=5) as server, Client(server.port) as client:
        assert client.drip(GET, every_s=0.025).answer().status == 200


def test_the_deadline_of_a_head_holds_for_each_request() -> None:
    """Also on a connection that was good before, and then from the first byte, not from the last answer."""
    with serving(Echo(), head_timeout_s=0.3) as server, Client(server.port) as client:
        client.send(GET).answer()
        time.sleep(0.6)
        assert client.send(GET).answer().status == 200
        assert client.drip(GET, every_s=0.025).answer().status == 408


def test_a_body_that_drips_is_refused() -> None:
    """It never reaches the application; with more time it does."""
    app = Echo()
    data = BODY_HEAD % 20 + b"x" * 20
    cut = len(data) - 20
    with serving(app, body_timeout_s=0.3) as server, Client(server.port) as client:
        answer = client.send(data[:cut]).drip(data[cut:], every_s=0.025).answer()
        assert answer.status == 408
        assert answer.detail.startswith("The body did not arrive in time: ")
        assert " of 20 bytes in 0.3 s." in answer.detail
        client.closed_after()
        assert app.requests == []
    with serving(app, body_timeout_s=5) as server, Client(server.port) as client:
        assert client.send(data[:cut]).drip(data[cut:], every_s=0.025).answer().status == 200


def test_the_time_that_a_client_took_is_not_counted_as_ours() -> None:
    """Half a body for half a second is refused with 408: counted as a client's mistake, and as quick."""
    with serving(Echo(), body_timeout_s=0.5) as server, Client(server.port) as client:
        assert client.send(BODY_HEAD % 20 + b"x" * 10).answer().status == 408
        read = server.gate.recorder._cells
        requests, seconds = (
            START_OF[REQUESTS] + OTHER * len(OUTCOMES),
            START_OF[REQUEST_SECONDS] + OTHER * SECONDS_WIDTH,
        )

        assert list(read[requests : requests + len(OUTCOMES)]) == [0, 1, 0, 0, 0]
        assert read[seconds + SECONDS_WIDTH - 1] < 0.25 * BILLION


@pytest.mark.parametrize(("first", "status"), [(1000, 408), (512 * 1024, 200)])
def test_an_honest_large_body_has_more_time(first: int, status: int) -> None:
    """What has arrived buys time: half a MiB two seconds, a thousand bytes next to nothing."""
    size = 600 * 1024
    with serving(Echo(), body_timeout_s=0.2) as server, Client(server.port) as client:
        client.send(BODY_HEAD % size + b"x" * first)
        time.sleep(0.5)
        assert client.send(b"x" * (size - first)).answer().status == status


def test_an_idle_connection_is_closed_after_its_time() -> None:
    """Between requests a client may rest, for so long."""
    with serving(Echo(), keep_alive_timeout_s=0.3) as server, Client(server.port) as client:
        client.send(GET).answer()
        client.closed_after()
    others = {"head_timeout_s": 0.2, "write_timeout_s": 0.2}
    with serving(Echo(), keep_alive_timeout_s=5, **others) as server, Client(server.port) as client:
        client.send(GET).answer()
        time.sleep(0.5)
        assert client.send(GET).answer().status == 200


def test_work_that_takes_long_is_no_fault_of_the_client() -> None:
    """No deadline of the client runs while the application works."""
    held = Held()
    limits = {"head_timeout_s": 0.1, "body_timeout_s": 0.1, "keep_alive_timeout_s": 0.1, "write_timeout_s": 0.1}
    with serving(Echo(hold=held), **limits) as server, Client(server.port) as client:
        client.send(request("/", b"abc"))
        held.begun.acquire(timeout=5)
        time.sleep(0.4)
        held.let_go()
        assert client.answer().status == 200


def test_a_client_that_does_not_read_its_answer_is_cut_off() -> None:
    """An answer too large for the buffers on the way is held only while it is being read."""
    app = Echo(answer=b"x" * 20_000_000)
    with serving(app, write_timeout_s=0.3) as server, Client(server.port, receive_buffer=4096) as client:
        client.send(GET)
        eventually(lambda: len(app.requests) == 1)
        assert len(server.connections) == 1
        eventually(lambda: not server.connections)


def test_a_client_that_reads_slowly_gets_its_whole_answer() -> None:
    """The deadline is for progress, not for the whole: this takes several write timeouts."""
    app = Echo(answer=b"x" * 20_000_000)
    with serving(app, write_timeout_s=0.3) as server, Client(server.port, receive_buffer=65536) as client:
        client.send(GET)
        got = 0
        while got < 20_000_000:
            time.sleep(0.002)
            got += len(client.socket.recv(65536))


def test_a_pipelining_client_that_never_reads_is_cut_off() -> None:
    """Many small answers that are not read count like a large one."""
    app = Echo(answer=b"x" * 50_000)
    with serving(app, write_timeout_s=0.3) as server, Client(server.port, receive_buffer=4096) as client:
        client.send(GET * 2000)
        eventually(lambda: not server.connections)


# --- stopping


def stopped_within(server: Running, seconds: float) -> None:
    """Stop *server*; it may take as long as it promises and no longer."""
    assert server.stop() < seconds


def test_a_stop_closes_the_idle_at_once_and_finishes_the_work() -> None:
    """The answer that was being made arrives, with the word that the connection ends."""
    held = Held()
    with serving(Echo(hold=held), shutdown_timeout_s=10) as server, contextlib.ExitStack() as clients:
        idle, busy = (clients.enter_context(Client(server.port)) for _ in range(2))
        busy.send(GET)
        held.begun.acquire(timeout=5)
        eventually(lambda: len(server.connections) == 2)
        server.server.should_exit = True
        idle.closed_after()
        held.let_go()
        answer = busy.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        busy.closed_after()


def test_a_stop_does_not_wait_for_stuck_clients(caplog: pytest.LogCaptureFixture) -> None:
    """Half a head, half a body, an answer that nobody reads: told or cut, in time and without a complaint."""
    app = Echo(answer=b"x" * 20_000_000)
    with serving(app, shutdown_timeout_s=1.0) as server, Client(server.port, receive_buffer=4096) as deaf:
        deaf.send(GET)
        eventually(lambda: len(app.requests) == 1)
        with Client(server.port) as head, Client(server.port) as body:
            head.send(GET[:20])
            body.send(BODY_HEAD % 10 + b"x")
            eventually(lambda: server.gate.buffered_bytes == 1)
            stopped_within(server, 1.5)
            for client in (head, body):
                answer = client.answer()
                assert (answer.status, "stopping" in answer.detail) == (503, True)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_stop_does_not_wait_for_a_client_that_reads_slowly(caplog: pytest.LogCaptureFixture) -> None:
    """Progress is enough while the service runs, not when it stops."""
    app = Echo(answer=b"x" * 40_000_000)
    with serving(app, shutdown_timeout_s=1.0) as server, Client(server.port, receive_buffer=65536) as slow:
        slow.send(GET)
        eventually(lambda: len(app.requests) == 1)
        server.server.should_exit = True
        with contextlib.suppress(ConnectionError):
            while slow.socket.recv(65536):
                time.sleep(0.005)
        assert not [record for record in caplog.records if record.levelname == "ERROR"]
