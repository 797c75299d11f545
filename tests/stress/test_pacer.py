"""The open loop tells what it met, whatever the server does (how it measures: tests/drill/test_pacer.py)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from atraso.stress.pace import Plan, offering, paced
from tests.stress.conftest import Known
from tests.stress.frozen import ENOUGH

REQUEST = [b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"]


def plan(port: int, seconds: float, rate: float) -> Plan:
    return Plan(port, REQUEST, 64, seconds, ((seconds, rate),))


def test_a_server_that_dies_leaves_requests_without_a_connection(known: Callable[[str], Known]) -> None:
    """What was due after its death is counted as failed by its kind, and none is lost."""
    asked = replace(plan(known("dying").port, 4.0, 100.0), drain_s=0.5)
    with offering(asked) as offered:
        met = paced(asked, offered.met())
    assert met.latency is not None
    assert met.latency.count <= ENOUGH
    assert met.latency.count + met.failed == met.planned == 400
    assert met.errors["no connection"] > 50
    assert sum(met.bad_by_s) == met.failed


@pytest.mark.parametrize(("kind", "error"), [("failing", "status 500"), ("wrong", "not a prediction")])
def test_what_is_no_prediction_is_no_good_answer(known: Callable[[str], Known], kind: str, error: str) -> None:
    """A 500 is counted by its status, and a 200 that holds something else as such."""
    asked = plan(known(kind).port, 0.5, 100.0)
    with offering(asked) as offered:
        met = paced(asked, offered.met())
    assert met.errors == {error: 50}
    assert met.latency is None


def test_a_pacer_that_is_stopped_tells_what_it_met(known: Callable[[str], Known]) -> None:
    """Its figures are those of the part that was, and it says that it was stopped."""
    server = known("quick")
    asked = plan(server.port, 60.0, 100.0)
    with offering(asked) as offered:
        server.wait_for_enough()
        offered.stop()
        met = paced(asked, offered.met())
    assert met.stopped
    assert met.latency is not None
    assert ENOUGH - 64 <= met.latency.count < 6000


def test_a_pacer_that_was_late_says_that_its_run_is_void(known: Callable[[str], Known]) -> None:
    """Stopped for a while it asks late what was due meanwhile: what it then measures is its own lateness."""
    asked = plan(known("quick").port, 2.0, 500.0)
    with offering(asked) as offered:
        (process,) = offered._processes
        time.sleep(1.0)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        process.send_signal(signal.SIGCONT)
        met = paced(asked, offered.met())
    assert met.lateness is not None
    assert met.lateness.p99_ms > 5
    assert "late itself" in met.void
