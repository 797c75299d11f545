"""Asking a Prometheus server how the budgets stand: what it tells, and what answers instead."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from atraso.slo.loading import load_promise
from atraso.slo.standing import PrometheusError, error_ratios

OBJECTIVES = load_promise().objectives


class Answering(ThreadingHTTPServer):
    """A server on loopback that answers *content* to everybody, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, content: bytes, status: int = 200, wait: threading.Event | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.status, self.wait = content, status, wait
        self.asked: list[tuple[str, str | None]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_GET(self) -> None:  # the name is the library's
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.server.wait is not None:
            self.server.wait.wait(20)
        with suppress(OSError):  # who asked may be gone
            self.send_response(self.server.status)
            self.send_header("Content-Length", str(len(self.server.content)))
            self.end_headers()
            self.wfile.write(self.server.content)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


@contextmanager
def answering(content: bytes | object, status: int = 200, wait: threading.Event | None = None) -> Iterator[Answering]:
    whole = content if isinstance(content, bytes) else json.dumps(content).encode()
    with Answering(whole, status, wait) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            if wait is not None:
                wait.set()
            server.shutdown()


def vector(*series: tuple[str, str, str]) -> Any:
    """Return Prometheus's answer to an instant query: name, objective and value of each series."""
    result = [
        {"metric": {"__name__": name, "slo": slo, "instance": str(n)}, "value": [1.5, value]}
        for n, (name, slo, value) in enumerate(series)
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def address(server: Answering, before: str = "", path: str = "") -> str:
    return f"http://{before}127.0.0.1:{server.server_port}{path}"


def test_the_share_that_was_bad_is_read_for_each_objective() -> None:
    """One query asks for all; NaN, other windows and other names are left out, and of several the worst counts."""
    month = "slo:sli_error:ratio_rate30d"
    told = vector(
        (month, "availability", "0.0001"), (month, "availability", "0.0003"), (month, "latency-50ms", "NaN"),
        (month, "durability", "0"), ("slo:sli_error:ratio_rate1h", "tokens", "0.5"), (month, "nobody", "0.1"),
        (month, "correctness", "-1"), (month, "calibration", "+Inf"),
    )  # fmt: skip
    with answering(told) as server:
        assert error_ratios(address(server, path="/prom/"), OBJECTIVES, 5) == {
            "availability": 0.0003,
            "durability": 0.0,
        }
        ((path, authorization),) = server.asked
    assert urlsplit(path).path == "/prom/api/v1/query"
    assert parse_qs(urlsplit(path).query)["query"] == [f'{{__name__=~"{month}"}}']
    assert authorization is None


def test_a_name_and_a_password_go_with_the_question() -> None:
    """They are taken out of the address, with what is percent-encoded in them."""
    with answering(vector()) as server:
        assert error_ratios(address(server, "desk:p%40ss@"), OBJECTIVES, 5) == {}
        assert server.asked[0][1] == f"Basic {base64.b64encode(b'desk:p@ss').decode()}"


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        (b"<html>hello</html>", 200, "no Prometheus"),
        (b"", 200, "no Prometheus"),
        (b'{"status":"success"}', 200, "no Prometheus"),
        (b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}', 200, "no Prometheus"),
        (b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}}', 200, "no Prometheus"),
        (b"no", 401, "refuses: 401"),
        (b"{}", 503, "refuses: 503"),
    ],
)
def test_what_is_no_answer_is_told_as_such(content: bytes, status: int, why: str) -> None:
    """Other servers, refusals and errors raise one kind of error, which never holds a password."""
    with answering(content, status) as server, pytest.raises(PrometheusError, match=why) as raised:
        error_ratios(address(server, "desk:secret@"), OBJECTIVES, 5)
    assert "secret" not in str(raised.value)


def test_a_server_that_is_not_there_or_slow() -> None:
    """Nothing listens, or nothing comes in time."""
    with answering(vector()) as server:
        gone = address(server)
    with pytest.raises(PrometheusError, match="does not answer"):
        error_ratios(gone, OBJECTIVES, 5)
    with answering(vector(), wait=threading.Event()) as server, pytest.raises(PrometheusError, match="timed out"):
        error_ratios(address(server), OBJECTIVES, 0.1)
