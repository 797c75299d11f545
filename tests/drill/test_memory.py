"""What a worker weighs."""

from __future__ import annotations

import json

from benchmarks.processes import Service
from benchmarks.questions import PREDICTIONS, body_of
from tests.drill.client import asking
from tests.drill.figures import show, tell
from tests.drill.service import WORKERS, flights, serving, until

AT_MOST_MB = 150
SINGLE = 2000
BATCH = 10_000


def test_a_worker_stays_small() -> None:
    """A worker holds less than 150 MB after 2,000 predictions, and after batches of 10,000 flights with reasons."""
    with serving() as service:
        with asking(service, 8) as clients:
            until(lambda: sum(len(client.took_s) for client in clients) >= SINGLE, 60.0)
        assert sum(client.broken + client.refused for client in clients) == 0
        _show(service, f"after {SINGLE:,} predictions")

        many = body_of(*(flights()[row % len(flights())] for row in range(BATCH)), explain=True)
        for _ in range(3 * WORKERS):
            status, answer = service.post(PREDICTIONS, many, timeout_s=60)
            assert status == 200
            assert len(json.loads(answer)["predictions"]) == BATCH
        _show(service, f"after batches of {BATCH:,} flights")


def _show(service: Service, when: str) -> None:
    memory = service.memory(WORKERS)
    assert len(memory) == WORKERS
    tell(f"memory of a worker {when}, shared pages divided", max(m["pss_mb"] for m in memory), "MB")
    show(f"memory of a worker {when}", max(m["rss_mb"] for m in memory), "MB", at_most=AT_MOST_MB)
