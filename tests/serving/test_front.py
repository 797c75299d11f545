"""The front: methods, content types, bodies, faults."""

from __future__ import annotations

import asyncio
import json
import logging
import re

import pytest

from atraso.serving.app import Worker, create_app
from atraso.serving.predictions import Limits
from tests.serving.asgi import Answer, call, get, post
from tests.serving.fakes import flight, scorer

JSON = {"content-type": "application/json"}
BODY = json.dumps({"flights": [flight()]}).encode()
PATHS = ("/v1/predictions", "/predict")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "multipart/form-data", "application/json; charset=latin-1", "application/jsonx"],
)
def test_415(path: str, content_type: str) -> None:
    """A body that is not announced as JSON in UTF-8 is refused with 415."""
    headers = {"content-type": content_type} if content_type else {}
    answer = call(create_app(scorer()), "POST", path, headers, [BODY])
    assert answer.status == 415
    assert "content type" in answer.places[""]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_content_types_of_json(content_type: str) -> None:
    """JSON may be announced in capitals, and with its charset."""
    assert call(create_app(scorer()), "POST", "/v1/predictions", {"content-type": content_type}, [BODY]).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "NONSENSE"])
@pytest.mark.parametrize(
    ("path", "allow"), [("/v1/predictions", "GET, HEAD, POST"), ("/predict", "GET, HEAD, POST"), ("/", "GET, HEAD")]
)
def test_405(method: str, path: str, allow: str) -> None:
    """A method that a path does not take is refused with 405 and the list of those it takes."""
    answer = call(create_app(scorer()), method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allow)
    assert answer.json["status"] == 405


@pytest.mark.parametrize(
    "path", ["/nope", "/v1", "/v1/predictions/", "/predict/", "/docs/", "/static/", "/static/../app.py", "/V1/model"]
)
def test_404(path: str) -> None:
    """A path that is not served is refused with 404, also one that differs by a slash."""
    answer = get(create_app(scorer()), path, host="elsewhere.example")
    assert answer.status == 404
    assert answer.json["title"] == "Not Found"
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
def test_413_announced(path: str) -> None:
    """A body announced as too large is refused with 413 before any of it is read, and the connection closed."""
    app = create_app(scorer(), Worker(limits=Limits(max_body_bytes=100)))

    async def never() -> dict[str, object]:
        raise AssertionError("the body was read")

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", b"101")]
    asyncio.run(app({"type": "http", "method": "POST", "path": path, "headers": headers}, never, send))
    assert sent[0]["status"] == 413
    assert ("connection", "close") in {(n.decode(), v.decode()) for n, v in sent[0]["headers"]}


def test_413_counted() -> None:
    """A body without an announced length is refused with 413 once it grows too large, and accepted at the limit."""
    chunks = [BODY[:10], BODY[10:]]
    at_limit = create_app(scorer(), Worker(limits=Limits(max_body_bytes=len(BODY))))
    below = create_app(scorer(), Worker(limits=Limits(max_body_bytes=len(BODY) - 1)))
    assert call(at_limit, "POST", "/v1/predictions", JSON, chunks).status == 200
    assert call(below, "POST", "/v1/predictions", JSON, chunks).status == 413


@pytest.mark.parametrize("path", PATHS)
def test_cut_body_is_not_answered(path: str) -> None:
    """A client that leaves before its body is complete gets no answer, though what came is a whole request."""
    headers = {**JSON, "content-length": str(len(BODY) + 50)}
    assert call(create_app(scorer()), "POST", path, headers, [BODY], cut=True).status is None


def test_body_of_another_length() -> None:
    """A body that ends before or after its announced length is refused, though it is whole JSON."""
    for difference in (1, -1):
        headers = {**JSON, "content-length": str(len(BODY) + difference)}
        assert call(create_app(scorer()), "POST", "/v1/predictions", headers, [BODY]).status == 400


def test_chunks_are_one_body() -> None:
    """A body gives the same answer in one piece and byte by byte."""
    app = create_app(scorer(), Worker(now=lambda: 1_500_000_000.0))
    whole = call(app, "POST", "/v1/predictions", JSON, [BODY]).json
    pieces = call(app, "POST", "/v1/predictions", JSON, [BODY[i : i + 1] for i in range(len(BODY))]).json
    del whole["predictions"][0]["id"], pieces["predictions"][0]["id"]
    assert whole == pieces


@pytest.mark.parametrize(
    "ask",
    [
        lambda app: post(app, "/v1/predictions", {"flights": [flight()]}),
        lambda app: post(app, "/v1/predictions", {"flights": [flight()] * 20}),
        lambda app: get(
            app, "/v1/predictions", "airline=LAN&flight_number=1&destination=LIM&scheduled_departure=2017-01-01T08:00"
        ),
        lambda app: post(app, "/predict", {"flights": [{"OPERA": "Grupo LATAM", "TIPOVUELO": "N", "MES": 3}]}),
        lambda app: get(app, "/", "airline=LAN&flight_number=1&destination=LIM&date=2017-01-01&time=08:00"),
    ],
    ids=["one", "many", "query", "challenge", "page"],
)
def test_500_tells_nothing(ask: object, caplog: pytest.LogCaptureFixture) -> None:
    """An unforeseen fault is a 500 that tells nothing of itself, and one line in the log that does."""
    model = scorer()
    app = create_app(model)
    model.fault = RuntimeError("secret\nof the house")
    with caplog.at_level(logging.ERROR, "atraso.serving"):
        answer: Answer = ask(app)  # type: ignore[operator]
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert len(caplog.records) == 1
    line = caplog.records[0].getMessage()
    assert "RuntimeError" in line
    assert "fakes.py" in line
    assert "\n" not in line
    assert caplog.records[0].exc_info is None


def test_paths_cannot_forge_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """A line break in a path does not become a line of the log."""
    from atraso.serving.problems import refusal_of

    refusal_of(RuntimeError("x"), "/a\nb")
    assert "\n" not in caplog.records[0].getMessage()


def test_answers_are_not_stored() -> None:
    """Answers and refusals say that they are not to be kept, nor to be taken for another type."""
    app = create_app(scorer())
    for content in ({"flights": [flight()]}, {}):
        headers = post(app, "/v1/predictions", content).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_head() -> None:
    """HEAD has the status and length of GET and no body, on every route that takes GET."""
    app = create_app(scorer())
    query = "airline=LAN&flight_number=1&destination=LIM&scheduled_departure=2017-01-01T08:00"
    sheet = re.findall(r'href="(/static/[^"]+\.css)"', get(app, "/").body.decode())[0]
    for path in ("/v1/predictions", "/", "/docs", "/health", "/v1/model", "/openapi.json", sheet):
        asked = query if path == "/v1/predictions" else ""
        head, full = call(app, "HEAD", path, query=asked), get(app, path, asked)
        assert head.status == full.status == 200
        assert head.headers["content-length"] == full.headers["content-length"] == str(len(full.body))
    assert call(app, "HEAD", "/v1/predictions", query=query).body == b""


def test_other_calls_of_the_server() -> None:
    """The server's start and stop calls are answered."""
    app = create_app(scorer())
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive() -> dict[str, str]:
        return messages.pop(0)

    async def send(message: dict[str, str]) -> None:
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
