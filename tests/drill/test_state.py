"""The state at full size: a year of departures is read in seconds, fits in memory, and a report is soon known."""

from __future__ import annotations

import os
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bootstrap.test_state_service import keeper_of, left
from tests.drill.figures import show, tell
from tests.drill.year import year_into
from tests.ledger.test_service import told
from tests.serving.processes import Service, service

REBUILT_WITHIN_S = 5.0
KNOWN_WITHIN_S = 1.0
MEMORY_MB = 50.0
AT_A_TIME = 5000
REPORTS = 20


def _version(running: Service) -> int:
    return int(str(running.get("/v1/state")["version"]))


def _private_mb(pid: int) -> float:
    """Return the memory that a process has for itself."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _known_after_s(running: Service, version: int) -> float:
    """Return after how long every one of many questions is answered by a worker that knows *version*."""
    began = time.monotonic()
    while not all(_version(running) >= version for _ in range(12)):
        assert time.monotonic() - began < 30
    return time.monotonic() - began


def test_a_year_is_soon_read_and_a_report_soon_known(tmp_path: Path) -> None:
    """Within 5 s of the start the state is there; a report is known to both workers within 1 s; 50 MB for the year."""
    with service("--workers", "2", ATRASO_DATA=str(tmp_path / "empty"), ATRASO_LEDGER="spool") as running:
        told(running, left(1, datetime.now(UTC) - timedelta(hours=2), 0))
        time.sleep(3)
        empty_mb = _private_mb(keeper_of(running))
    count = year_into(tmp_path / "year")
    began = time.monotonic()
    with service("--workers", "2", ATRASO_DATA=str(tmp_path / "year"), ATRASO_LEDGER="spool") as running:
        ready_s = time.monotonic() - began
        while _version(running) == 0:
            assert time.monotonic() - began < 60
            time.sleep(0.01)
        tell("departures in the ledger", count, "flights")
        tell("from start to ready", ready_s, "s")
        show("from start to a state of the year", time.monotonic() - began, "s", at_most=REBUILT_WITHIN_S)
        assert running.get("/v1/state")["basis"] == "live"
        took = []
        for number in range(REPORTS):
            time.sleep(0.37)  # not in step with the keeper's looks
            scheduled = datetime.now(UTC) - timedelta(minutes=30 + number)
            took.append(_known_after_s(running, told(running, left(number, scheduled, 5))["state"]["version"]))
        tell("median from the answer to a report until all workers know it", statistics.median(took), "s")
        show("longest from the answer to a report until all workers know it", max(took), "s", at_most=KNOWN_WITHIN_S)
        year_mb = _private_mb(keeper_of(running))
        tell("memory of the keeper for itself", year_mb, "MB")
        show("memory of the state of a year", year_mb - empty_mb, "MB", at_most=MEMORY_MB)
        for pid in running.workers:
            if os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, running.process.pid):
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
                tell("memory of a worker", resident, "MB")
