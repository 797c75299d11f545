"""What an application's answer becomes on the wire, also when the application does it wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.serving.raw import GET, Client, serving
from tests.serving.raw import request as plain


@dataclass
class Saying:
    """A served application that sends `messages`, whatever it is asked."""

    port: int = 0
    messages: tuple[dict[str, Any], ...] = ()

    async def __call__(self, scope: object, receive: object, send: Any) -> None:
        """Send them."""
        for message in self.messages:
            await send(message)


@pytest.fixture(scope="module")
def app() -> Iterator[Saying]:
    """One server for all tests here."""
    saying = Saying()
    with serving(saying) as server:
        saying.port = server.port
        yield saying


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    """Return the beginning of an answer."""
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(content: bytes, more: bool = False) -> dict[str, Any]:
    """Return a part of an answer's body."""
    return {"type": "http.response.body", "body": content, "more_body": more}


def all_of(client: Client) -> bytes:
    """Read until the server closes."""
    got = b""
    while data := client.socket.recv(65536):
        got += data
    return got


def test_an_answer_without_a_length_comes_in_chunks(app: Saying) -> None:
    """Its parts keep their order, an empty one does not end it, and the connection stays."""
    app.messages = (
        start(),
        body(b"one", more=True),
        body(b"", more=True),
        body(b"three"),
    )
    with Client(app.port) as client:
        for _ in range(2):
            client.send(GET)
            got = b""
            while not got.endswith(b"0\r\n\r\n"):
                got += client.socket.recv(65536)
            assert got.partition(b"\r\n\r\n")[2] == b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"
            assert b"transfer-encoding: chunked" in got


def test_an_answer_to_http_1_0_without_a_length_ends_with_the_connection(app: Saying) -> None:
    """That version knows no chunks."""
    app.messages = (
        start(),
        body(b"one", more=True),
        body(b"two"),
    )
    with Client(app.port) as client:
        got = all_of(client.send(b"GET / HTTP/1.0\r\n\r\n"))
        assert got.partition(b"\r\n\r\n")[2] == b"onetwo"
        assert b"chunked" not in got


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_has_no_body_sends_none(app: Saying, method: str, status: int) -> None:
    """An answer to HEAD keeps the length of the body it does not send; the next answer follows at once."""
    app.messages = (
        start((b"content-length", b"3"), status=status),
        body(b"abc"),
    )
    with Client(app.port) as client:
        for _ in range(2):
            answer = client.send(plain("/", b"", method)).answer(head_only=True)
            assert (answer.status, answer.headers["content-length"]) == (status, "3")


WRONG = {
    "no answer": (),
    "body first": (body(b"abc"),),
    "two beginnings": (start(), start()),
    "unknown message": ({"type": "http.unheard.of"},),
    "line break in a header": (start((b"location", b"/\r\nset-cookie: a=b")), body(b"")),
    "line feed in a header": (start((b"location", b"/\nset-cookie: a=b")), body(b"")),
    "carriage return in a header": (start((b"location\r", b"/")), body(b"")),
    "body longer than its length": (start((b"content-length", b"2")), body(b"abc")),
    "body shorter than its length": (start((b"content-length", b"4")), body(b"abc")),
    "no end": (start(),),
}


@pytest.mark.parametrize("messages", WRONG.values(), ids=WRONG.keys())
def test_an_application_that_answers_wrongly_is_answered_for(app: Saying, messages: tuple[dict[str, Any], ...]) -> None:
    """As long as nothing has left, the client gets a whole 500 instead of a broken answer."""
    app.messages = messages
    with Client(app.port) as client:
        answer = client.send(GET).answer()
        assert (answer.status, answer.headers["connection"]) == (500, "close")
        assert answer.detail == "The service failed to answer this request."
        client.closed_after()


@pytest.mark.parametrize("ending", [(), (body(b"abcdef"),)])
def test_an_answer_that_breaks_off_is_cut(app: Saying, ending: tuple[dict[str, Any], ...]) -> None:
    """When a part has left, only closing tells the client that the rest is missing."""
    app.messages = (
        start((b"content-length", b"6")),
        body(b"abc", more=True),
        *ending,
    )
    with Client(app.port) as client:
        assert all_of(client.send(GET)).endswith(b"\r\n\r\nabc")


def test_an_application_can_end_the_connection(app: Saying) -> None:
    """Its `connection: close` is obeyed, and not said twice."""
    app.messages = (
        start((b"content-length", b"0"), (b"connection", b"close")),
        body(b""),
    )
    with Client(app.port) as client:
        assert all_of(client.send(GET)).count(b"close") == 1
