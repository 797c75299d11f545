"""Spans as a collector gets them."""

from __future__ import annotations

import time

import pytest

from atraso.telemetry.spans import Spans
from atraso.telemetry.traces import new_trace, trace_of
from tests.telemetry.collector import collecting

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry is not installed (the extra `otel`)")

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_span_has_its_place_its_time_and_its_facts() -> None:
    """Trace, parent and state are the caller's; the rest is what was told, and a failure is one."""
    trace = trace_of(f"00-{TRACE}-{PARENT}-01".encode(), b"vendor=1")
    assert trace is not None
    ended = time.time_ns()
    with collecting() as collector:
        spans = Spans(collector.endpoint)
        facts = {"http.route": "/predict", "enduser.id": None}
        spans.tell(trace, "POST /predict", facts, ended_ns=ended, seconds=0.25, failed=True)
        spans.tell(new_trace(), "GET page", {}, ended_ns=ended, seconds=0.001, failed=False)
        spans._processor.force_flush()
        spans.close()
        (first, second) = collector.spans
    assert (first.trace_id.hex(), first.parent_span_id.hex(), first.span_id.hex()) == (TRACE, PARENT, trace.span_id)
    assert first.trace_state == "vendor=1"
    assert (first.end_time_unix_nano, first.start_time_unix_nano) == (ended, ended - 250_000_000)
    assert {a.key: a.value.string_value for a in first.attributes} == {"http.route": "/predict"}
    assert (first.kind, first.status.code, second.status.code) == (2, 2, 0)  # a server's; an error, and none
    assert second.parent_span_id == b""
    assert collector.resources[0]["service.name"] == "atraso"


def test_a_collector_that_is_gone_holds_nobody() -> None:
    """Telling does not wait for it, and ending waits for a moment only."""
    spans = Spans("http://127.0.0.1:9/v1/traces")
    began = time.monotonic()
    for _ in range(100):
        spans.tell(new_trace(), "GET page", {}, ended_ns=time.time_ns(), seconds=0.001, failed=False)
    spans.close()
    assert time.monotonic() - began < 2.0
