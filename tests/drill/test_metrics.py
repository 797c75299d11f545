"""Totals that are exact whatever happens to workers, and a page of metrics that stays small and quick."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import string
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from atraso.stress.proc import children_of, nice_of
from atraso.stress.questions import PREDICTIONS, body_of
from benchmarks.processes import HOST, Service, free_port, running
from tests.drill.broken_disks import small_disk
from tests.drill.client import Client, asking
from tests.drill.figures import show, tell
from tests.drill.full import everything_on
from tests.drill.load import Plan, offer
from tests.drill.machine import undisturbed
from tests.drill.service import ATRASO, WORKERS, flights, serving, until
from tests.identity.directory_server import DirectoryServer
from tests.serving.access import directory_settings

CLIENTS, REQUESTS = 8, 50_000
RESTARTS = 500
RANDOM_REQUESTS = 10_000
MOST_SERIES = 1500
SCRAPE_MS = 50.0
SCRAPES = 20
SEED = 8

Sample = tuple[str, tuple[tuple[str, str], ...]]


def scraped(port: int) -> tuple[dict[Sample, float], float]:
    """Return every series and its value, and the seconds that took."""
    began = time.monotonic()
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    took_s = time.monotonic() - began
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}, took_s


def never_falling(sample: Sample) -> bool:
    """Tell whether a series may only grow."""
    return sample[0].endswith(("_total", "_bucket", "_count", "_sum"))


def answered(series: dict[Sample, float]) -> int:
    """Return how many predictions were answered well."""
    return int(series["atraso_http_requests_total", (("outcome", "ok"), ("route", PREDICTIONS))])


class Scraper:
    """Reads the metrics again and again, and keeps what fell."""

    def __init__(self, port: int) -> None:
        self._port, self._stop = port, threading.Event()
        self.scrapes, self.fallen = 0, list[tuple[Sample, float, float]]()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Scraper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)

    def _read(self) -> None:
        before: dict[Sample, float] = {}
        while not self._stop.wait(0.02):
            with contextlib.suppress(OSError):  # the worker that was asked is the one that was killed
                now, _ = scraped(self._port)
                self.scrapes += 1
                self.fallen += [
                    (sample, value, now.get(sample, -1.0))
                    for sample, value in before.items()
                    if never_falling(sample) and now.get(sample, -1.0) < value
                ]
                before = now


def test_totals_are_exact_when_a_worker_is_killed() -> None:
    """After 50,000 requests with a `kill -9` in the middle: off by no more than was on its way, and nothing fell."""
    with serving() as service:
        before = answered(scraped(service.port)[0])
        with Scraper(service.port) as scraper, asking(service, CLIENTS) as clients:
            until(lambda: counted(clients) >= REQUESTS // 2, 300.0)
            gone = service.worker_pids(WORKERS)[0]
            os.kill(gone, signal.SIGKILL)
            until(lambda: counted(clients) >= REQUESTS, 300.0)
        server = answered(scraped(service.port)[0]) - before
    broken, mine = sum(client.broken for client in clients), counted(clients)
    tell("requests that the clients count as answered", mine, "requests")
    tell("requests that the server counts", server, "requests")
    tell("readings of the metrics meanwhile", scraper.scrapes, "readings")
    assert broken > 0  # the kill was felt
    assert scraper.scrapes > 100
    show("server's total and clients' own count differ by", abs(server - mine), "requests", at_most=broken)
    show("connections broken by the kill, each with one request on its way", broken, "requests", at_most=CLIENTS)
    show("counters that fell in any reading", len(scraper.fallen), "series", at_most=0)


def counted(clients: list[Client]) -> int:
    """Return how many answers the clients have had."""
    return sum(len(client.took_s) for client in clients)


def test_the_metrics_stay_small_and_quick(tmp_path: Path, server: DirectoryServer) -> None:
    """After 500 restarts of workers and 10,000 random paths and headers: under 50 ms, and no series more."""
    found = directory_settings(server)
    settings = {
        f"ATRASO_{name.upper()}": value.reveal() if hasattr(value, "reveal") else str(value)
        for name, value in found.items()
    }
    # As many servers as are told apart, and more.
    settings["ATRASO_LDAP_URL"] = " ".join([found["ldap_url"], *(f"ldap://127.0.0.{n}:389" for n in range(2, 7))])
    with everything_on(tmp_path, ATRASO_AUTH="keys,jwt,ldap,basic", **settings) as full:
        port = full.service.port
        full.service.post(PREDICTIONS, body_of(flights()[0]))
        # What is told of a state and of quality begins with the first of each.
        for first in ("atraso_state_timestamp_seconds", "atraso_quality_made_timestamp_seconds"):
            until(lambda name=first: (name, ()) in scraped(port)[0], 60.0)  # type: ignore[misc]
        before = set(scraped(port)[0])
        restarts = _restart(full.service)
        after_restarts = set(scraped(port)[0])
        statuses = _ask_anything(port)
        after = set(scraped(port)[0])
        with undisturbed(full.service, "reading the metrics"):
            took_ms = sorted(scraped(port)[1] * 1000 for _ in range(SCRAPES))
    tell("restarts of workers", restarts, "restarts")
    tell("requests with random paths and headers", sum(statuses.values()), f"requests {statuses}")
    assert restarts >= RESTARTS
    assert sum(statuses.values()) >= RANDOM_REQUESTS
    show("series", len(after), "series", at_most=MOST_SERIES)
    show("series that restarts added or took", len(before ^ after_restarts), "series", at_most=0)
    show("series that random paths and headers added", len(after - after_restarts), "series", at_most=0)
    tell("median time of reading the metrics", took_ms[len(took_ms) // 2], "ms")
    show(f"slowest of {SCRAPES} readings of the metrics", took_ms[-1], "ms", at_most=SCRAPE_MS)


def _restart(service: Service) -> int:
    """Kill the workers again and again, each time all of them; return how many were replaced."""
    restarts = 0
    while restarts < RESTARTS:
        workers = _workers(service)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)

        def replaced(gone: set[int] = workers) -> bool:
            time.sleep(0.02)
            now = _workers(service)
            return len(now) == WORKERS and not now & gone and _is_ready(service.port)

        until(replaced, 30.0)
        restarts += len(workers)
    return restarts


def _workers(service: Service) -> set[int]:
    """Return the processes that answer: those beside them give way to them."""
    nice = nice_of(service.process.pid)
    return {pid for pid in children_of(service.process.pid) if nice_of(pid) == nice}


def _is_ready(port: int) -> bool:
    with contextlib.suppress(OSError):
        return scraped(port)[0]["atraso_workers", ()] == WORKERS
    return False


def _ask_anything(port: int) -> dict[int, int]:
    """Send requests that nobody thought of, and return how often each status came."""
    rng = random.Random(SEED)
    statuses: dict[int, int] = {}
    while sum(statuses.values()) < RANDOM_REQUESTS:
        requests = [_anything(rng) for _ in range(2000)]
        for status, count in offer(Plan(port, requests, 16, seconds=1.0, rate=2000)).statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return statuses


def _anything(rng: random.Random) -> str:
    def word(alphabet: str = string.ascii_letters + string.digits) -> str:
        return "".join(rng.choices(alphabet, k=rng.randint(1, 20)))

    path = "/".join(rng.choice((word(), "v1", "v2", "models", "predictions", "%7Bx%7D", "infer")) for _ in range(4))
    name = rng.choice((f"X-{word(string.ascii_letters)}", "Authorization", "X-Request-Id", "Traceparent"))
    method = rng.choice(("GET", "POST", "PUT", "DELETE", "PATCH"))
    line = f"{method} /{path}?{word()}={word()} HTTP/1.1"
    return "\r\n".join([line, f"Host: {word()}", f"{name}: {word()}", "Content-Length: 0", "", ""])


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a disk without a byte left."""
    folder = tmp_path / "full"
    with small_disk(folder, 1):
        with contextlib.suppress(OSError), (folder / "filled").open("wb", buffering=0) as filled:
            while True:
                filled.write(b"\0" * 65536)
        with pytest.raises(OSError, match="No space left"):
            (folder / "more").write_bytes(b"\0" * 8192)
        yield folder


def test_a_full_disk_kills_no_worker_that_counts(full_disk: Path) -> None:
    """With the folders of temporary files and of multiprocess metrics full, the same workers count 1,000 requests."""
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(full_disk), "TMPDIR": str(full_disk)}
    body = body_of(flights()[0])
    port = free_port()
    command = [str(ATRASO), "serve", "--port", str(port), "--workers", str(WORKERS)]
    with running(command, port, PREDICTIONS, body, variables=variables) as service:
        until(lambda: len(service.worker_pids(WORKERS)) == WORKERS, 5.0)
        workers, before = set(service.worker_pids(WORKERS)), answered(scraped(port)[0])
        assert {service.post(PREDICTIONS, body)[0] for _ in range(1000)} == {200}
        show("requests not counted", 1000 - (answered(scraped(port)[0]) - before), "requests", at_most=0)
        show("workers that ended", len(workers - set(service.worker_pids(WORKERS))), "workers", at_most=0)
        assert {path.name for path in full_disk.iterdir()} <= {"filled", "more"}
