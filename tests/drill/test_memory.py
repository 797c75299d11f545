"""What a worker weighs, at first and after many requests."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from atraso.stress.questions import PREDICTIONS, body_of
from benchmarks.processes import Service
from tests.drill.figures import show, tell
from tests.drill.full import Full, everything_on
from tests.drill.service import WORKERS, flights, serving, until
from tests.drill.wrk import drive
from tests.drill.year import year_into

START_S = 1.0
WARM, ALL = 200_000, 1_500_000
AT_MOST_MB, WITH_A_STATE_MB = 80, 85
# The allocator's own steps; what grows with the requests would be a byte each.
GROWTH_MB = 1.3
AT_A_TIME_S = 5
BATCH = 10_000
STATE_VERSION = "atraso_state_version", ()
STATE_WITHIN_S, STATE_ROUNDS, MINUTES_AHEAD = 5.0, 4, 600
AFTER_BATCHES_MB = 150


def test_a_worker_stays_small_over_a_million_requests(tmp_path: Path) -> None:
    """Ready within 1 s; less than 80 MB a worker after 1,500,000 requests, and no growth over the last 1,300,000."""
    with everything_on(tmp_path) as full:
        show("from the command to ready, with keys and spool", full.ready_s, "s", at_most=START_S)
        asked = _ask(full, 0, WARM)
        before = _memory(full.service)
        asked = _ask(full, asked, ALL)
        after = _memory(full.service)
        assert full.answered() >= ALL
        grown = max(after[pid] - before[pid] for pid in before)
        tell(f"memory of a worker after {WARM:,} requests", max(before.values()), "MB")
        show(f"memory of a worker after {asked:,} requests", max(after.values()), "MB", at_most=AT_MOST_MB)
        show(f"growth over the last {asked - WARM:,} of them", grown, "MB", at_most=GROWTH_MB)


def test_a_worker_stays_small_with_a_state(tmp_path: Path) -> None:
    """Less than 85 MB a worker where a year of departures is known and the flights of the next hours are asked for."""
    year_into(tmp_path)
    with everything_on(tmp_path) as full:
        until(lambda: full.metrics().get(STATE_VERSION, 0) > 0, START_S + STATE_WITHIN_S)
        now = datetime.now(ZoneInfo("America/Santiago"))
        soon = [
            flight | {"scheduled_departure": (now + timedelta(minutes=row % MINUTES_AHEAD)).strftime("%Y-%m-%dT%H:%M")}
            for row, flight in enumerate(flights())
        ]
        for _ in range(STATE_ROUNDS):
            drive(full, AT_A_TIME_S, soon)
        tell("requests about flights with a state", full.answered(), "requests")
        live = full.stored("basis").count(("live",))
        assert live > full.answered() // 2
        heaviest = max(_memory(full.service).values())
        show("memory of a worker with a state", heaviest, "MB", at_most=WITH_A_STATE_MB)


def test_a_worker_stays_small_after_large_batches() -> None:
    """A worker holds less than 150 MB after batches of 10,000 flights with reasons."""
    with serving() as service:
        many = body_of(*(flights()[row % len(flights())] for row in range(BATCH)), explain=True)
        for _ in range(3 * WORKERS):
            status, answer = service.post(PREDICTIONS, many, timeout_s=60)
            assert status == 200
            assert len(json.loads(answer)["predictions"]) == BATCH
        heaviest = max(_memory(service).values())
        show(f"memory of a worker after batches of {BATCH:,} flights", heaviest, "MB", at_most=AFTER_BATCHES_MB)


def _ask(full: Full, asked: int, until: int) -> int:
    """Ask until the service has answered *until* requests; return how many it has."""
    while asked < until:
        asked += drive(full, AT_A_TIME_S)[0]
        asked = full.answered()  # wrk does not count what came after its time
    return asked


def _memory(service: Service) -> dict[int, float]:
    """Return the memory of each worker by its process, in MB."""
    pids = service.worker_pids(WORKERS)
    assert len(pids) == WORKERS
    return dict(zip(pids, (memory["rss_mb"] for memory in service.memory(WORKERS)), strict=True))
