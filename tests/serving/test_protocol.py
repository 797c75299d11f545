"""What may arrive on a connection: sizes, framing, upgrades; over real sockets."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator

import pytest

from atraso.serving.gate import Gate, ServerLimits
from atraso.serving.protocol import LimitedProtocol
from atraso.serving.server import LimitedServer
from tests.serving.raw import GET, Client, Echo, request, serving

HOST = b"Host: t\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

NOT_REQUESTS = {
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03",
    "no method": b"/ HTTP/1.1\r\n\r\n",
    "lower-case method": b"get / HTTP/1.1\r\n\r\n",
    "space in the URL": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "byte over 127 in the URL": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: u\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: t\n\n",
    "folded header": b"GET / HTTP/1.1\r\n" + HOST + b" more\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : t\r\n\r\n",
    "nameless header": b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: t\x00\r\n\r\n",
    "bare CR in a header": b"GET / HTTP/1.1\r\nHost: t\ru\r\n\r\n",
    "CONNECT": b"CONNECT t:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "target without a path": b"GET ?a HTTP/1.1\r\n" + HOST + b"\r\n",
    "two equal lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "length that is no number": POST + b"Content-Length: 3x\r\n\r\nabc",
    "empty length": POST + b"Content-Length: \r\n\r\nabc",
    "length past 64 bits": POST + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "unknown coding": POST + b"Transfer-Encoding: gzip\r\n\r\nabc",
    "coding before chunks": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "almost chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative chunk": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "hexadecimal prefix": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk past 64 bits": CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
    "chunk longer than it says": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "chunk with bare line feeds": CHUNKED + b"3\nabc\n0\n\n",
    "upgrade with two lengths": POST
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
}

REQUESTS = {
    "chunks": (CHUNKED + b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n", "/", b"abcde"),
    "length": (POST + b"Content-Length: 5\r\n\r\nabcde", "/", b"abcde"),
    "leading empty lines": (b"\r\n\r\n" + POST + b"\r\n", "/", b""),
    "absolute target": (b"GET http://t/x?y=1 HTTP/1.1\r\n" + HOST + b"\r\n", "/x", b""),
    "absolute target without a path": (b"GET http://t HTTP/1.1\r\n" + HOST + b"\r\n", "/", b""),
    "escaped path": (b"GET /a%20b%C3%A9 HTTP/1.1\r\n" + HOST + b"\r\n", "/a b\u00e9", b""),
    "HTTP/1.0 without Host": (b"GET / HTTP/1.0\r\n\r\n", "/", b""),
    "empty Host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", "/", b""),
}


@pytest.fixture(scope="module")
def echo() -> Iterator[tuple[Echo, int]]:
    """One server with the usual limits, for the tests that only look at what reaches its application."""
    app = Echo()
    with serving(app) as server:
        yield app, server.port


@pytest.mark.parametrize("data", NOT_REQUESTS.values(), ids=NOT_REQUESTS.keys())
def test_what_is_no_request_is_refused_and_never_reaches_the_application(echo: tuple[Echo, int], data: bytes) -> None:
    """Bytes that could be read in two ways, or in none, end the connection with a problem document."""
    app, port = echo
    app.requests.clear()
    with Client(port) as client:
        answer = client.send(data).answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert answer.detail.endswith(".")
        client.closed_after()
    assert app.requests == []


@pytest.mark.parametrize(("data", "path", "body"), REQUESTS.values(), ids=REQUESTS.keys())
def test_near_relations_of_those_are_requests(echo: tuple[Echo, int], data: bytes, path: str, body: bytes) -> None:
    """What the standard allows is served: the refusals above come from their one fault."""
    app, port = echo
    app.requests.clear()
    with Client(port) as client:
        assert client.send(data).answer().status == 200
    assert [(got[1], got[2]) for got in app.requests] == [(path, body)]


HEADS = {
    "URL": b"GET /" + b"a" * 3000,
    "header line": b"GET / HTTP/1.1\r\nHost: t\r\nA: " + b"a" * 3000,
    "header name": b"GET / HTTP/1.1\r\nHost: t\r\n" + b"a" * 3000,
    "headers": b"GET / HTTP/1.1\r\nHost: t\r\n" + b"A: b\r\n" * 500,
}
END_OF_HEAD = {
    "URL": b" HTTP/1.1\r\nHost: t\r\n\r\n",
    "header line": b"\r\n\r\n",
    "header name": b": a\r\n\r\n",
    "headers": b"\r\n",
}


@pytest.fixture(scope="module")
def strict() -> Iterator[int]:
    """The port of a server that takes heads of 2,000 bytes."""
    with serving(Echo(), max_head_bytes=2000) as server:
        yield server.port


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("complete", [True, False])
def test_a_head_past_its_limit_is_refused(strict: int, kind: str, complete: bool) -> None:
    """Whatever part of it is too long, and whether or not it ever ends: 431, and the connection closes."""
    head = HEADS[kind] + (END_OF_HEAD[kind] if complete else b"")
    with Client(strict) as client:
        for at in range(0, len(head), 500):
            client.send(head[at : at + 500])
        answer = client.answer()
        assert (answer.status, answer.detail) == (431, "A request head may hold at most 2,000 bytes.")
        client.closed_after()


@pytest.mark.parametrize("kind", HEADS)
def test_the_same_head_within_the_limit_is_served(echo: tuple[Echo, int], kind: str) -> None:
    """With a larger limit the same bytes pass."""
    with Client(echo[1]) as client:
        assert client.send(HEADS[kind] + END_OF_HEAD[kind]).answer().status == 200


def test_a_long_head_behind_another_request_is_measured_alone(strict: int) -> None:
    """A pipelined head gets its own measure: neither excused nor charged for its neighbours."""
    small = request("/" + "a" * 1500, method="GET")
    large = request("/" + "a" * 2500, method="GET")
    with Client(strict) as client:
        client.send(small * 3 + large)
        assert [client.answer().status for _ in range(4)] == [200, 200, 200, 431]


def test_empty_lines_for_ever_are_no_request(strict: int) -> None:
    """Bytes that never begin a request count as a head."""
    with Client(strict) as client:
        for _ in range(8):
            client.send(b"\r\n" * 200)
        assert client.answer().status == 431


def test_a_length_past_the_limit_is_refused_before_the_body_comes() -> None:
    """413 answers the head; nothing of the body was sent."""
    with serving(Echo(), max_body_bytes=1000) as server, Client(server.port) as client:
        answer = client.send(POST + b"Content-Length: 1001\r\n\r\n").answer()
        assert (answer.status, answer.detail) == (
            413,
            "A body may hold at most 1,000 bytes; this one announces 1,001.",
        )


@pytest.mark.parametrize("limit", [99_999, 100_000])
def test_chunks_are_counted_as_they_come(limit: int) -> None:
    """A body of unknown length is cut at the limit, and not a byte before."""
    app = Echo()
    with serving(app, max_body_bytes=limit) as server, Client(server.port) as client:
        client.send(CHUNKED)
        for _ in range(10):
            client.send(b"2710\r\n%b\r\n" % (b"x" * 10_000))
        status = client.send(b"0\r\n\r\n").answer().status
    assert (status, len(app.requests)) == ((413, 0) if limit == 99_999 else (200, 1))


def test_a_client_that_sends_its_whole_large_body_first_still_reads_the_refusal() -> None:
    """5 MB sent without looking: neither sending nor reading fails, because the rest is read for a moment."""
    body = b"x" * 5_000_000
    with serving(Echo()) as server, Client(server.port) as client:
        client.socket.sendall(request("/", body))
        assert client.answer().status == 413
    with serving(Echo(), max_body_bytes=5_000_000) as server, Client(server.port) as client:
        assert client.send(request("/", body)).answer().status == 200


def test_reading_on_after_a_refusal_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that never stops sending is cut off after the bytes that courtesy allows."""
    monkeypatch.setattr("atraso.serving.connection.LINGER_BYTES", 2_000_000)
    with serving(Echo(), max_body_bytes=10) as server, Client(server.port) as client:
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                client.socket.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 999999999\r\n\r\n" * 1000)
        assert not server.gate.lingering


def test_an_expected_body_is_invited_only_when_it_may_come() -> None:
    """`Expect: 100-continue` is answered 100 for an acceptable length, and 413 at once for another."""
    head = b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with serving(Echo(), max_body_bytes=10) as server:
        with Client(server.port) as client:
            assert client.send(head % 10).answer().status == 100
            assert client.send(b"0123456789").answer().body == b"/ 10"
        with Client(server.port) as client:
            assert client.send(head % 11).answer().status == 413


def test_an_invitation_waits_for_the_answers_before_it() -> None:
    """Sent early, a 100 would be taken for an answer to the request before."""
    free = asyncio.Event()
    app = Echo(hold=free.wait)
    expecting = request("/2", b"", "POST", "Expect: 100-continue", "Content-Length: 2")
    with serving(app) as server, Client(server.port) as client:
        client.send(request("/1") + expecting)
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.answer()
        client.socket.settimeout(5)
        server.connections[0].loop.call_soon_threadsafe(free.set)
        assert client.answer().body == b"/1 0"
        assert client.answer().status == 100
        assert client.send(b"ab").answer().body == b"/2 2"


def test_a_trailer_never_becomes_a_header() -> None:
    """Fields after a chunked body are dropped: they cannot stand in for those that a proxy would remove."""
    app = Echo()
    with serving(app) as server, Client(server.port) as client:
        client.send(CHUNKED + b"1\r\na\r\n0\r\nAuthorization: x\r\nHost: u\r\n\r\n")
        assert client.answer().status == 200
    assert [name for name, _ in app.headers[0]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("flood", [b"1;" + b"a" * 40_000, b"0\r\nA: " + b"a" * 40_000])
def test_chunk_framing_without_content_is_refused(flood: bytes) -> None:
    """Endless extensions and trailers are bounded like a head."""
    with serving(Echo()) as server, Client(server.port) as client:
        assert client.send(CHUNKED + flood).answer().status == 400
    with serving(Echo(), max_head_bytes=65536) as server, Client(server.port) as client:
        rest = b"\r\n\r\n" if flood[0:1] == b"0" else b"\r\nx\r\n0\r\n\r\n"
        assert client.send(CHUNKED + flood + rest).answer().status == 200


def test_a_body_in_chunks_of_one_byte_is_served() -> None:
    """The bound on framing leaves room for the most wasteful honest sender."""
    with serving(Echo()) as server, Client(server.port) as client:
        answer = client.send(CHUNKED + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n").answer()
        assert answer.body == b"/ 50000"


@pytest.mark.parametrize("offer", ["websocket", "h2c"])
def test_an_offer_to_upgrade_is_ignored(offer: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its body stays its body, the next request is the next request, and nothing is logged."""
    app = Echo()
    upgrade = ["Connection: Upgrade", f"Upgrade: {offer}", "Sec-WebSocket-Key: x"]
    with caplog.at_level(logging.INFO), serving(app) as server, Client(server.port) as client:
        caplog.clear()
        client.send(request("/1", b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n", "POST", *upgrade) + GET)
        assert [client.answer().status for _ in range(2)] == [200, 200]
        client.send(request("/2", b"", "GET", *upgrade))
        client.send(request("/3", b"abc", "POST", *upgrade)[:-2])
        client.send(b"bc")
        assert [client.answer().body for _ in range(2)] == [b"/2 0", b"/3 3"]
        assert caplog.records == []
    assert [got[1] for got in app.requests] == ["/1", "/", "/2", "/3"]


def test_an_offer_to_upgrade_and_to_close_is_the_last_request() -> None:
    """What follows it is dropped, as after any `Connection: close`."""
    app = Echo()
    closing = request("/", b"ab", "POST", "Connection: upgrade, close", "Upgrade: h2c")
    with serving(app) as server, Client(server.port) as client:
        assert client.send(closing + b"rubbish").answer().body == b"/ 2"
        client.closed_after()


@pytest.mark.parametrize("ending", ["half-close", "reset"])
def test_a_request_cut_at_any_byte_never_reaches_the_application(ending: str) -> None:
    """Neither a polite nor a rude end makes a whole of a part; the whole itself does reach it."""
    app = Echo()
    whole = request("/cut", b'{"flights": []}', "POST", "Content-Type: application/json")
    chunked = b"POST /cut HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
    with serving(app) as server:
        for data in (whole, chunked):
            for cut in range(len(data)):
                with Client(server.port) as client:
                    client.send(data[:cut])
                    if ending == "half-close":
                        client.end()
                        if cut:
                            assert client.answer().status == 400
                        client.closed_after()
                    else:
                        client.reset()
        assert app.requests == []
        with Client(server.port) as client:
            assert client.send(whole).end().answer().status == 200
    assert [got[1] for got in app.requests] == ["/cut"]
    assert server.gate.buffered_bytes == 0


class FakeTransport(asyncio.Transport):
    """Collects what is written; enough of a transport for a protocol without a network."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep *data*."""
        self.written += data

    def write_eof(self) -> None:
        """Take no more."""
        self.closing = True

    def close(self) -> None:
        """Take no more."""
        self.closing = True

    def is_closing(self) -> bool:
        """Tell whether it takes no more."""
        return self.closing

    def can_write_eof(self) -> bool:
        """Say yes, like a plain socket."""
        return True

    def get_write_buffer_size(self) -> int:
        """Say that all was sent."""
        return 0

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""


def test_how_the_bytes_are_cut_into_segments_changes_nothing() -> None:
    """One stream of bytes gives the same requests and the same answers, however it arrives."""
    stream = (
        request("/1", b"a" * 50)
        + GET
        + CHUNKED
        + b"3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n\r\n"
        + request("/2", b"z" * 20_000, "POST", "Connection: upgrade", "Upgrade: h2c")
        + request("/3", b"b" * 9_000)
        + b"nonsense"
    )

    async def outcome(cuts: list[int]) -> tuple[object, bytes]:
        app = Echo()
        server = LimitedServer(app, Gate(ServerLimits()), lambda: True)
        server.config.load()
        state = server.server_state
        protocol = LimitedProtocol(server.gate, config=server.config, server_state=state, app_state={})
        transport = FakeTransport()
        protocol.connection_made(transport)
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            protocol.data_received(stream[begin:end])
            if random.random() < 0.3:
                await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        protocol.connection_lost(None)
        return app.requests, transport.written

    random.seed(20170714)
    expected = asyncio.run(outcome([]))
    assert len(expected[0]) == 5  # type: ignore[arg-type]
    assert expected[1].count(b"HTTP/1.1 200 OK") == 5
    assert expected[1].count(b"HTTP/1.1 400 Bad Request") == 1
    for _ in range(150):
        cuts = sorted(random.sample(range(1, len(stream)), random.randint(1, 12)))
        assert asyncio.run(outcome(cuts)) == expected
    every_byte_of_the_heads = list(range(1, 600))
    assert asyncio.run(outcome(every_byte_of_the_heads)) == expected
