"""The service with everything on, keys and spool, and what its books say."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from atraso.bootstrap.ledger_side import KEEPER_NICENESS
from atraso.stress.proc import children_of, nice_of
from atraso.stress.questions import PREDICTIONS, body_of
from benchmarks.processes import HOST, ROOT, Service, clean_environment, free_port, stop
from tests.drill.service import ATRASO, WORKERS, flights, until

DRAINED_WITHIN_S = 300.0
LEDGER_ROWS, LEDGER_QUEUED_ROWS = "atraso_ledger_rows_total", "atraso_ledger_queued_rows"


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

    def asked(self) -> int:
        """Ask for one prediction, and return the status of the answer."""
        service = replace(self.service, headers={"Authorization": f"Bearer {self.key}"})
        return service.post(PREDICTIONS, body_of(flights()[0]))[0]

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

    def ledger_rows(self) -> dict[str, int]:
        """Return the ledger's rows by their state, and those that are `queued`, from one reading of the metrics."""
        read = self.metrics()
        found = {dict(labels)["state"]: int(value) for (name, labels), value in read.items() if name == LEDGER_ROWS}
        return found | {"queued": int(read[LEDGER_QUEUED_ROWS, ()])}

    def writer_pid(self) -> int | None:
        """Return the process of the ledger's writer: the child that gives way to all others."""
        parent = self.service.process.pid
        nice = max(((nice_of(pid), pid) for pid in children_of(parent)), default=(0, 0))
        return nice[1] if nice[0] > nice_of(parent) + KEEPER_NICENESS else None

    def rows(self) -> int:
        """Return how many answers the ledger's database holds, once its writer has taken in all that was kept."""
        return len(self.stored("id"))

    def drained(self) -> float:
        """Wait until the writer has taken in all that was kept; return the seconds that took."""

        def nothing_waits() -> bool:
            read = self.metrics()
            return not read["atraso_ledger_queued_bytes", ()] and not read[LEDGER_QUEUED_ROWS, ()]

        return until(nothing_waits, DRAINED_WITHIN_S)

    def stored(self, *columns: str) -> list[tuple[object, ...]]:
        """Return *columns* of all answers in the ledger's database, once its writer has taken in all that was kept."""
        self.drained()
        file = f"file:{self.folder / 'ledger.sqlite3'}?mode=ro"
        with contextlib.closing(sqlite3.connect(file, uri=True)) as ledger:
            return ledger.execute(f"SELECT {', '.join(columns)} FROM predictions").fetchall()


@contextlib.contextmanager
def everything_on(folder: Path, **settings: str) -> Iterator[Full]:
    """Run `atraso serve` with keys, spool and two workers on a free port, and more *settings* by their variables.

    What it says on standard error goes to `log_of(folder)`.
    """
    full = begin(folder, new_key(folder, **settings), free_port(), **settings)
    try:
        yield full
    finally:
        end(full)


def new_key(folder: Path, **settings: str) -> str:
    """Return a key for predictions and reports, made by the command."""
    roles = ["--role", "predict", "--role", "report"]
    command = [str(ATRASO), "keys", "create", "--name", "drill", *roles, "--json", "--data", str(folder)]
    made = subprocess.run(command, env=clean_environment() | settings, capture_output=True, check=True)
    key: str = json.loads(made.stdout)["key"]
    return key


def begin(folder: Path, key: str, port: int, **settings: str) -> Full:
    """Start the service on *folder* and wait until all its workers answer."""
    environment = {
        "ATRASO_AUTH": "keys",
        "ATRASO_METRICS_OPEN": "true",
        "ATRASO_LEDGER": "spool",
        "ATRASO_DATA": str(folder),
    } | settings
    began = time.monotonic()
    with log_of(folder).open("ab") as log:
        process = subprocess.Popen(
            [str(ATRASO), "serve", "--port", str(port), "--workers", str(WORKERS)],
            cwd=ROOT,
            env=clean_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=log,
            process_group=0,
        )
    service = Service(process, port)
    full = Full(service, key, folder, 0.0)
    try:
        assert process.stdout is not None
        assert b"is ready" in process.stdout.readline(), log_of(folder).read_text()
        full = replace(full, ready_s=time.monotonic() - began)
        until(lambda: len(service.worker_pids(WORKERS)) == WORKERS, 5.0)
    except BaseException:
        end(full)
        raise
    return full


def end(full: Full) -> None:
    """End the service, however it is."""
    stop(full.service.process)
    if full.service.process.stdout is not None:
        full.service.process.stdout.close()


def log_of(folder: Path) -> Path:
    """Return where the service on *folder* writes its log."""
    return folder.with_name(f"{folder.name}.log")
