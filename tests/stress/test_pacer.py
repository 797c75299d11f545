"""The open loop tells the truth about a server that stands still, and about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from atraso.stress.pace import Plan, offering, paced
from tests.stress.conftest import Known
from tests.stress.frozen import ENOUGH

REQUEST = [b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"]
FOR_S = 10.0  # twice the server's five seconds
TRIES, CALM_MS = 4, 10.0  # where the pacer itself was late, the machine was not ours and the server froze longer


def plan(port: int, seconds: float, rate: float) -> Plan:
    return Plan(port, REQUEST, 64, seconds, ((seconds, rate),))


def test_a_server_that_freezes_a_second_in_five_is_measured_as_it_is(known: Callable[[str], Known]) -> None:
    """The truth is a mean of 100 ms, p90 of 500 and p99 of 950: both arrivals are within 10 % of it."""
    constant = replace(plan(known("frozen").port, FOR_S, 150.0), processes=2)
    random = replace(constant, port=known("frozen").port, poisson=True, seed=1)
    for _ in range(TRIES):
        with offering(constant) as one, offering(random) as other:
            found = [paced(constant, one.met()), paced(random, other.met())]
        if all(met.lateness and met.lateness.p99_ms < CALM_MS for met in found):
            break
    for met in found:
        assert met.void == ""
        assert met.latency is not None
        assert met.failed == 0
        assert met.latency.count == met.planned
        assert met.latency.p50_ms < 50
        assert met.latency.mean_ms == pytest.approx(100, rel=0.1)
        assert met.latency.at["90"] == pytest.approx(500, rel=0.1)
        assert met.latency.p99_ms == pytest.approx(950, rel=0.1)
    assert found[0].planned == 150 * FOR_S
    assert set(found[0].good_by_s) == {150}
    assert len(set(found[1].good_by_s)) > 5  # people do not come in equal steps


def test_a_pacer_that_cannot_keep_up_says_that_its_run_is_void(known: Callable[[str], Known]) -> None:
    """Of a million requests a second most are late, by its own account, whatever the server did."""
    asked = replace(plan(known("quick").port, 0.3, 1_000_000.0), connections=1000, drain_s=0.5)
    with offering(asked) as offered:
        met = paced(asked, offered.met())
    assert met.lateness is not None
    assert met.lateness.p99_ms > 5
    assert "late itself" in met.void


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
