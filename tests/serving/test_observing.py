"""What is told of single requests: a share of those that went well, those that did not, and their trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atraso.serving.app import Worker, create_app
from atraso.serving.gate import Gate, ServerLimits
from atraso.serving.observing import FAILURES_PER_S, Observing
from tests.serving.access import Books, Guarded
from tests.serving.fakes import flight, scorer
from tests.serving.processes import eventually, service
from tests.serving.raw import Client, Running, serving
from tests.telemetry.collector import collecting
from tests.telemetry.test_events import KEY, TOKEN

PREDICTIONS = "/v1/predictions"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PASSWORD = "a-password-of-somebody"


class Told:
    """What was told of requests: events, and spans."""

    def __init__(self, share: float = 1.0, *, events: bool = True, successes: bool = True, spans: bool = False) -> None:
        self.events: list[dict[str, Any]] = []
        self.spans: list[tuple[Any, str, dict[str, Any]]] = []
        self.observing = Observing(
            event=self._event if events else None,
            span=self._span if spans else None,
            share=share,
            successes=successes,
        )

    def _event(self, event: str, level: str, facts: Any) -> None:
        self.events.append({"event": event, "level": level, **facts})

    def _span(self, trace: Any, name: str, attributes: Any, **times: Any) -> None:
        self.spans.append((trace, name, {**attributes, **times}))


@contextmanager
def watched(told: Told | None, worker: Worker | None = None) -> Iterator[Running]:
    """Serve with *told* watching."""
    front = create_app(scorer(), worker or Worker())
    with serving(front) as running:
        running.gate.observing = told.observing if told else None
        yield running


def asked(*headers: str, flights: int = 1, path: str = PREDICTIONS) -> bytes:
    body = json.dumps({"flights": [flight() for _ in range(flights)]}).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: t", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def test_the_gate_of_a_worker_has_what_its_application_has() -> None:
    """What settings turn on reaches the connections."""
    told = Told()
    front = create_app(scorer(), Worker(observing=told.observing))
    assert front.observing is told.observing
    assert Gate(ServerLimits(), observing=front.observing).observing is told.observing


def test_an_event_tells_who_what_how_it_ended_and_how_long_it_took(tmp_path: Path) -> None:
    """Request id, principal, route, outcome, status, duration and model; of known and of new heads."""
    door, told = Guarded(tmp_path), Told()
    key = Books(tmp_path).key("desk", "predict")
    with watched(told, door.worker) as running, Client(running.port) as client:
        for _ in range(3):
            assert client.send(asked(f"Authorization: Bearer {key}", "X-Request-Id: id-1")).answer().status == 200
        assert client.send(asked()).answer().status == 401
    first, refused = told.events[0], told.events[-1]
    assert len(told.events) == 4
    assert (first["request_id"], first["principal"], first["route"]) == ("id-1", "desk", PREDICTIONS)
    assert (first["outcome"], first["status"], first["level"]) == ("ok", 200, "info")
    assert first["model"] == "2017.1+abcdef"
    assert 0 < first["duration_seconds"] < 5
    assert (refused["outcome"], refused["status"], refused["principal"]) == ("client_error", 401, None)
    assert len(refused["request_id"]) == 16


@pytest.mark.parametrize(("share", "count"), [(1.0, 100), (0.25, 25), (0.0, 0)])
def test_a_share_of_what_went_well_is_told_and_all_is_counted(share: float, count: int) -> None:
    """Of heads that are known and of batches alike; what is told is answered as everything else is."""
    told = Told(share)
    with watched(told) as running, Client(running.port) as client:
        answers = [client.send(asked()).answer() for _ in range(50)]
        answers += [client.send(asked(flights=20)).answer() for _ in range(50)]
        cells = [running.gate.recorder._cells[at] for at in range(5)]  # of the first route, by outcome
    assert len(told.events) == count
    assert cells == [100, 0, 0, 0, 0]
    heads = {tuple(name for name in answer.headers if name != "content-length") for answer in answers}
    assert len(heads) == 1


def test_only_failures_where_that_is_wanted() -> None:
    """What went well is no event, and takes the short way."""
    told = Told(1.0, successes=False)
    with watched(told) as running, Client(running.port) as client:
        for _ in range(5):
            client.send(asked()).answer()
        assert len(running.gate.heads) == 1
        client.send(asked(path="/nothing")).answer()
        client.send(b"nonsense\r\n\r\n").answer()
    assert [(event["route"], event["status"]) for event in told.events] == [("other", 404), ("other", 400)]


def test_whoever_sends_nonsense_cannot_fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many failures a second are told, and how many there were besides."""
    told, clock = Told(0.0), [7.0]
    with watched(told) as running, Client(running.port) as client:
        monkeypatch.setattr("atraso.serving.observing._monotonic", lambda: clock[0])
        for _ in range(3 * FAILURES_PER_S):
            client.send(asked(path="/nothing")).answer()
        clock[0] = 8.0
        client.send(asked(path="/nothing")).answer()
    assert len(told.events) == FAILURES_PER_S + 1
    assert told.events[-1]["not_told"] == 2 * FAILURES_PER_S


@pytest.mark.parametrize("told", [None, Told(0.0), Told(1.0)], ids=["nothing told", "none picked", "all told"])
@pytest.mark.parametrize("flights", [1, 20])
def test_a_trace_is_taken_in_and_passed_on(told: Told | None, flights: int) -> None:
    """The answer names our part of the caller's trace, on every way; a head with a trace is not remembered."""
    with watched(told) as running, Client(running.port) as client:
        parent = f"Traceparent: 00-{TRACE}-{PARENT}-01"
        answers = [client.send(asked(parent, flights=flights)).answer() for _ in range(2)]
        plain = client.send(asked(flights=flights)).answer()
        twice = client.send(asked(parent, parent, flights=flights)).answer()
        remembered = flights == 1 and (told is None or told.observing.picks() is False)
        assert len(running.gate.heads) == remembered
    ours = [answer.headers["traceresponse"].split("-") for answer in answers]
    assert {(version, trace, flags) for version, trace, _, flags in ours} == {("00", TRACE, "01")}
    assert ours[0][2] != ours[1][2]
    assert "traceresponse" not in plain.headers
    assert "traceresponse" not in twice.headers
    assert {answer.status for answer in (*answers, plain, twice)} == {200}
    if told is not None and told.events:
        assert (told.events[0]["trace_id"], told.events[0]["parent_id"]) == (TRACE, PARENT)


def test_spans_are_sent_of_what_the_caller_samples_and_of_the_share() -> None:
    """A caller that says no is heeded; without one the share decides."""
    told = Told(0.5, events=False, spans=True)
    with watched(told) as running, Client(running.port) as client:
        for _ in range(10):
            client.send(asked(f"Traceparent: 00-{TRACE}-{PARENT}-00")).answer()
        assert not told.spans
        client.send(asked(f"Traceparent: 00-{TRACE}-{PARENT}-01", "X-Request-Id: id-2")).answer()
        for _ in range(10):
            client.send(asked()).answer()
    (trace, name, facts), *others = told.spans
    assert (trace.trace_id, trace.parent_id, name) == (TRACE, PARENT, f"POST {PREDICTIONS}")
    assert (facts["http.response.status_code"], facts["failed"], facts["atraso.request_id"]) == (200, False, "id-2")
    assert len(others) == 5
    assert len({trace.trace_id for trace, _, _ in others}) == 5
    assert not told.events


PLANTED = st.sampled_from([KEY, TOKEN, PASSWORD, f"Bearer {KEY}", f"{PASSWORD}:{TOKEN}"])
NAMES = st.sampled_from(
    ["Authorization", "Cookie", "X-Api-Key", "X-Request-Id", "Traceparent", "Tracestate", "Referer"]
)


@pytest.fixture
def telling(tmp_path: Path) -> Iterator[tuple[Told, Running]]:
    """Return what is told of everything that comes to a service with keys, and where it listens."""
    told = Told(1.0, spans=True)
    with watched(told, Guarded(tmp_path).worker) as running:
        yield told, running


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, PLANTED), max_size=5, unique_by=lambda each: each[0]), PLANTED, st.integers(0, 3))
def test_no_secret_is_in_an_event_wherever_it_was_planted(
    telling: tuple[Told, Running], headers: list[tuple[str, str]], planted: str, place: int
) -> None:
    """In any header, in the path, in the query or in the body: none of it is told."""
    told, running = telling
    told.events.clear()
    told.spans.clear()
    # A password that somebody sends as their request id as well is one that they show, so it is not told either.
    given_headers = dict(headers)
    if PASSWORD in given_headers.get("X-Request-Id", ""):
        given_headers["Authorization"] = f"Basic {given_headers['X-Request-Id']}"
    in_a_path = planted.replace(" ", "")
    path = [PREDICTIONS, f"/{in_a_path}", f"{PREDICTIONS}?key={in_a_path}", "/predict"][place]
    body = json.dumps({"flights": [{"OPERA": planted}]}).encode() if place == 3 else b"{}"
    lines = [f"POST {path} HTTP/1.1", "Host: t", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in given_headers.items()]
    told.observing._second = -1  # so that no failure of this one second is held back
    with Client(running.port) as client:
        assert client.send("\r\n".join([*lines, "", ""]).encode() + body).answer().status in (401, 404, 422, 400)
    eventually(lambda: bool(told.events and told.spans))
    text = json.dumps([told.events, [[str(part) for part in span] for span in told.spans]])
    assert not any(secret in text for secret in (KEY.rpartition("_")[2], TOKEN.split(".")[2], PASSWORD))


def test_the_settings_turn_it_on_in_a_service_that_runs() -> None:
    """Events on standard error, spans at a collector, before the service has ended."""
    pytest.importorskip("opentelemetry.sdk", reason="opentelemetry is not installed (the extra `otel`)")
    with (
        collecting() as collector,
        service(
            "--workers",
            "1",
            ATRASO_LOG_REQUESTS="all",
            ATRASO_REQUEST_SAMPLE="0.5",
            ATRASO_OTEL_ENDPOINT=collector.endpoint,
        ) as running,
        Client(running.port) as client,
    ):
        for number in range(10):
            client.send(asked("X-Request-Id: r-1", f"X-Turn: {number}")).answer()
        client.send(asked("X-Request-Id: r-2", path="/nothing")).answer()
        code, _, said = running.stop()
        spans = list(collector.spans)
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert code == 0
    assert [event["request_id"] for event in events] == ["r-1"] * 5 + ["r-2"]
    assert len(spans) in (5, 6)  # the failure may have been one of the share
    assert {span.trace_id.hex() for span in spans} >= {event["trace_id"] for event in events[:5]}
