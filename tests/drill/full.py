"""The service with everything on, keys and spool, and what its books say."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.processes import HOST, ROOT, Service, clean_environment, free_port, stop
from benchmarks.questions import PREDICTIONS, body_of
from tests.drill.service import ATRASO, WORKERS, flights, until

DRAINED_WITHIN_S = 300.0


@dataclass(frozen=True)
class Full:
    """A running service that asks for keys and keeps its answers; `ready_s` is what its start took."""

    service: Service
    key: str
    folder: Path
    ready_s: float

    @property
    def port(self) -> int:
        """Return where it listens."""
        return self.service.port

    def request(self, body: bytes) -> bytes:
        """Return the bytes of a request for predictions with the drill's key."""
        head = (
            f"POST {PREDICTIONS} HTTP/1.1\r\nHost: drill\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def requests(self, flights_each: int = 1) -> list[str]:
        """Return a request for each of the drill's flights in turn, as text for a plan."""
        asked = flights()
        bodies = (
            body_of(*(asked[(row + n) % len(asked)] for n in range(flights_each)))
            for row in range(0, len(asked), flights_each)
        )
        return [self.request(body).decode("latin-1") for body in bodies]

    def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Return every sample of /metrics by its name and labels."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def answered(self) -> int:
        """Return how many predictions' requests were answered 200, as the metrics say."""
        labels = (("outcome", "ok"), ("route", PREDICTIONS))
        return int(self.metrics()["atraso_http_requests_total", labels])

    def spool(self) -> list[Path]:
        """Return the files of the spool, oldest first."""
        return sorted((self.folder / "spool").glob("*.spool"))

    def rows(self) -> int:
        """Return how many answers the ledger's database holds, once its writer has taken in all that was kept."""
        return len(self.stored("id"))

    def stored(self, *columns: str) -> list[tuple[object, ...]]:
        """Return *columns* of all answers in the ledger's database, once its writer has taken in all that was kept."""
        until(lambda: not self.metrics()["atraso_ledger_queued_bytes", ()], DRAINED_WITHIN_S)
        file = f"file:{self.folder / 'ledger.sqlite3'}?mode=ro"
        with contextlib.closing(sqlite3.connect(file, uri=True)) as ledger:
            return ledger.execute(f"SELECT {', '.join(columns)} FROM predictions").fetchall()


@contextlib.contextmanager
def everything_on(folder: Path, **settings: str) -> Iterator[Full]:
    """Run `atraso serve` with keys, spool and two workers on a free port, and more *settings* by their variables."""
    made = subprocess.run(
        [str(ATRASO), "keys", "create", "--name", "drill", "--role", "predict", "--json", "--data", str(folder)],
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    port = free_port()
    environment = {
        "ATRASO_AUTH": "keys",
        "ATRASO_METRICS_OPEN": "true",
        "ATRASO_LEDGER": "spool",
        "ATRASO_DATA": str(folder),
    } | settings
    began = time.monotonic()
    process = subprocess.Popen(
        [str(ATRASO), "serve", "--port", str(port), "--workers", str(WORKERS)],
        cwd=ROOT,
        env=clean_environment() | environment,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert b"is ready" in process.stdout.readline()
        service = Service(process, port)
        full = Full(service, json.loads(made.stdout)["key"], folder, time.monotonic() - began)
        until(lambda: len(service.worker_pids(WORKERS)) == WORKERS, 5.0)
        yield full
    finally:
        stop(process)
        if process.stdout is not None:
            process.stdout.close()
