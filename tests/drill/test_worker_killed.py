"""A worker that is killed is replaced, and the service goes on."""

from __future__ import annotations

import os
import signal
import time

from benchmarks.processes import Service
from tests.drill.client import asking
from tests.drill.figures import show, tell
from tests.drill.service import WORKERS, serving, until

CLIENTS = 8
KILLS = 3
BACK_WITHIN_S = 3.0


def test_a_killed_worker_is_replaced_under_load() -> None:
    """After `kill -9` of a worker a new one is there within 3 s, and every broken request succeeds when sent again."""
    with serving() as service, asking(service, CLIENTS) as clients:
        slowest = 0.0
        for _ in range(KILLS):
            time.sleep(1.0)
            slowest = max(slowest, _kill_one(service))
        time.sleep(1.0)
        killed_for_good = time.monotonic()
        until(lambda: all(client.last_answer_at > killed_for_good for client in clients), 5.0)

    asked = sum(len(client.took_s) for client in clients)
    broken = sum(client.broken for client in clients)
    tell("requests answered meanwhile", asked, "requests")
    show("a killed worker is replaced", slowest, "s", at_most=BACK_WITHIN_S)
    show(f"connections broken by {KILLS} kills", broken, "requests", at_most=CLIENTS * KILLS)
    assert broken > 0  # the kills were felt, so the figures mean something
    in_vain = sum(client.retried_in_vain + client.refused for client in clients)
    show("requests that failed although sent again", in_vain, "requests", at_most=0)


def _kill_one(service: Service) -> float:
    """Kill a worker and return the seconds until there are as many as before, all of them alive."""
    gone = service.worker_pids(WORKERS)[0]
    os.kill(gone, signal.SIGKILL)

    def replaced() -> bool:
        workers = service.worker_pids(WORKERS + 1)
        return len(workers) == WORKERS and gone not in workers

    return until(replaced, 10.0)
