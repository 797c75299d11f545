"""What the metrics and the spool say while workers are killed and stopped under load."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from benchmarks.processes import Service
from tests.drill.figures import show, tell
from tests.drill.full import Full, everything_on
from tests.drill.load import Load, Plan, offering
from tests.drill.service import WORKERS, until

CLIENTS = 16
FOR_S = 8.0
KILLS = 3
REPLACED_WITHIN_S = 10.0


def test_totals_outlive_a_killed_worker(tmp_path: Path) -> None:
    """Through three `kill -9` no total ever falls, and in the end they are the clients' own, but for what was cut off.

    What a client was answered is in the spool, too.
    """
    with everything_on(tmp_path) as full, Watch(full) as watch:
        with offering(Plan(full.port, full.requests(), CLIENTS * 4, FOR_S, rate=500.0)) as offered:
            slowest = 0.0
            for _ in range(KILLS):
                time.sleep(1.5)
                slowest = max(slowest, _replaced(full.service, signal.SIGKILL))
            load = offered.met()
        answered, recorded = full.answered(), full.rows()

    _show(load, answered, recorded)
    show("a killed worker is replaced", slowest, "s", at_most=REPLACED_WITHIN_S)
    assert load.broken > 0  # the kills were felt, so the figures mean something
    watch.show()


def test_a_stopped_worker_is_replaced(tmp_path: Path) -> None:
    """A worker that hangs (SIGSTOP) is replaced within 10 s, and the others' clients never notice."""
    with everything_on(tmp_path) as full, Watch(full) as watch:
        with offering(Plan(full.port, full.requests(), CLIENTS * 4, FOR_S + 4, rate=500.0)) as offered:
            time.sleep(1.0)
            took_s = _replaced(full.service, signal.SIGSTOP)
            load = offered.met()
        answered, recorded = full.answered(), full.rows()

    _show(load, answered, recorded)
    show("a stopped worker is replaced", took_s, "s", at_most=REPLACED_WITHIN_S)
    tell("slowest answer meanwhile", load.took_ms(1.0), "ms")
    watch.show()


class Watch:
    """Reads the metrics again and again while the block runs, and notes what fell."""

    def __init__(self, full: Full) -> None:
        self._full = full
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.fallen: list[str] = []
        self.looks = self.unread = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def show(self) -> None:
        """Print how often it looked, and fail where a total fell."""
        tell("readings of the metrics", self.looks, "times")
        tell("readings that met the dying worker", self.unread, "times")
        assert self.looks > 10
        show(f"totals that fell ({', '.join(self.fallen[:3])})", len(self.fallen), "samples", at_most=0)

    def _look(self) -> None:
        before: dict[object, float] = {}
        while not self._stop.wait(0.05):
            try:
                now = self._full.metrics()
            except OSError:
                self.unread += 1
                continue
            self.looks += 1
            for sample, value in now.items():
                if sample[0].endswith(("_total", "_bucket", "_count", "_sum")) and value < before.get(sample, 0.0):
                    self.fallen.append(str(sample))
            before = dict(now)


def _show(load: Load, answered: int, recorded: int) -> None:
    got = load.statuses[200]
    assert set(load.statuses) == {200}
    tell("answers that the clients got", got, "requests")
    tell("connections that broke", load.broken, "requests")
    missing = max(got - answered, got - recorded, 0)
    show("answers that metrics or spool do not know", missing, "requests", at_most=0)
    more = max(answered, recorded) - got
    show("answers that they know and no client got", more, "requests", at_most=load.broken)


def _replaced(service: Service, number: signal.Signals) -> float:
    """Kill or stop a worker and return the seconds until there are as many as before without it."""
    gone = service.worker_pids(WORKERS)[0]
    os.kill(gone, number)

    def replaced() -> bool:
        workers = service.worker_pids(WORKERS + 1)
        return len(workers) == WORKERS and gone not in workers

    return until(replaced, 20.0)
