"""The open loop tells the truth about a server that stands still, and about itself.

Where others use the processors the server freezes longer and the loop is late, so this is a drill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from atraso.stress.pace import offering, paced
from tests.stress.conftest import Known
from tests.stress.test_pacer import plan

FOR_S = 10.0  # twice the server's five seconds
TRIES, CALM_MS = 4, 10.0  # where the pacer itself was late, the machine was not ours and the server froze longer


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
