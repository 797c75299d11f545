"""Slow clients at full size do not hold anyone else."""

from __future__ import annotations

import time

from tests.drill.client import asking, percentile
from tests.drill.figures import show, tell
from tests.drill.service import serving, until
from tests.drill.slow import crowd

SLOW = 500
FOR_S = 12.0


def test_five_hundred_slow_clients_hold_nobody() -> None:
    """With 500 clients sending a byte a second, in head or body, a well-behaved client has no failure."""
    with serving() as service, crowd(service.port, SLOW) as seen:
        until(lambda: seen.open >= SLOW * 0.95, 10.0)
        with asking(service, 1, pause_s=0.002) as (client,):
            time.sleep(FOR_S)

        asked = len(client.took_s)
        assert asked > 100
        assert seen.answered == 0
        assert seen.turned_away >= SLOW  # each at least once: the deadline of 5 s passed twice
        assert seen.unable == 0
        tell("slow clients turned away", seen.turned_away, "times")
        tell("p99 of a well-behaved client among them", percentile(client.took_s, 0.99) * 1000, "ms")
        failures = client.broken + client.refused
        show(f"failures of {asked:,} well-behaved requests among {SLOW} slow clients", failures, "requests", at_most=0)
