"""When a running service forces what it keeps to the disk, as the system sees it, and what a stalled disk does."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drill.figures import at_least, say, show, tell
from tests.drill.full import Full, everything_on, log_of
from tests.drill.load import Plan, offer
from tests.drill.service import WORKERS, until

STALL_S = 3.0
REQUESTS = 40


@contextlib.contextmanager
def traced(full: Full, log: Path, *options: str) -> Iterator[None]:
    """Trace the workers' threads with strace while the block runs."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt-get install strace")
    pids = [word for pid in full.service.worker_pids(WORKERS) for word in ("-p", str(pid))]
    command = ["strace", "-f", "-o", str(log), *options, *pids]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracing:
        assert tracing.stderr is not None
        for _ in range(WORKERS):
            line = tracing.stderr.readline()
            if "attached" not in line:
                pytest.skip(f"processes cannot be traced here: {line.strip()}")
        try:
            yield
        finally:
            tracing.send_signal(signal.SIGINT)
            tracing.wait(10)


def test_each_answer_leaves_after_its_record_is_on_the_disk(tmp_path: Path) -> None:
    """With `each`, of every worker: written to the spool, forced, and only then sent."""
    log = tmp_path / "trace"
    with everything_on(tmp_path / "data", ATRASO_LEDGER_FSYNC="each") as full:
        for _ in range(10):
            assert full.asked() == 200
        with traced(full, log, "-e", "trace=write,writev,sendto,sendmsg,fdatasync", "-s", "60"):
            for _ in range(REQUESTS):
                assert full.asked() == 200
    of_worker: dict[str, list[str]] = {}
    for line in log.read_text().splitlines():
        pid, call = line.split(maxsplit=1)
        steps = of_worker.setdefault(pid, [])
        if re.search(r'write\(\d+, .*\{\\"principal', call):
            steps.append("record")
        elif "fdatasync(" in call and call.endswith("= 0"):
            steps.append("force")
        elif "HTTP/1.1 200" in call:
            steps.append("answer")
    found = [step for steps in of_worker.values() for step in steps]
    say(f"order of each answer: {' '.join(found[:3])}")
    answers = sum(step == "answer" for step in found)
    at_least("answers that were traced", answers, "answers", REQUESTS)
    assert all(steps == ["record", "force", "answer"] * (len(steps) // 3) for steps in of_worker.values())


def test_a_disk_that_stalls_holds_up_no_answer_of_a_batch(tmp_path: Path) -> None:
    """Each fdatasync takes 3 s: answers go on as before, what waits can be seen, and the log tells it."""
    with everything_on(tmp_path / "data", ATRASO_LEDGER_FSYNC="batch") as full:
        for _ in range(10):
            assert full.asked() == 200
        workers = full.service.worker_pids(WORKERS)
        inject = f"inject=fdatasync:delay_enter={int(STALL_S * 1e6)}"
        waited = []
        with traced(full, tmp_path / "trace", "-e", "trace=fdatasync", "-e", inject):
            load = offer(Plan(full.port, full.requests(), 4, 3 * STALL_S, rate=200.0))
            until(lambda: waited.append(_unforced_s(full)) or waited[-1] > 1.0, 2 * STALL_S)  # type: ignore[func-returns-value]
        assert full.service.worker_pids(WORKERS) == workers
        until(lambda: _unforced_s(full) == 0.0, 3 * STALL_S)
        time.sleep(0.2)
    tell("slowest answer while the disk stalled", load.took_ms(1.0), "ms")
    show("errors", load.failures, "requests", at_most=0)
    show("p99 while the disk stalled", load.took_ms(0.99) / 1000, "s", at_most=STALL_S / 10)
    at_least("longest time seen that a record waited for the disk", max(waited), "s", 1.0)
    assert "a loss of power would have cost" in log_of(tmp_path / "data").read_text()


def _unforced_s(full: Full) -> float:
    return full.metrics()["atraso_ledger_unforced_seconds", ()]
