"""Well-behaved clients in threads: each asks one flight after another and remembers what went wrong."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from atraso.stress.questions import PREDICTIONS, body_of
from benchmarks.processes import HOST, Service
from tests.drill.service import flights

JSON = {"Content-Type": "application/json"}


@dataclass
class Client:
    """One client with one connection that it keeps and, when it breaks, makes anew.

    `broken` counts requests whose connection broke, `retried_in_vain` those that broke a second time at once,
    `refused` answers other than 200; `took_s` are the seconds of the answers.
    """

    port: int
    timeout_s: float = 5.0
    pause_s: float = 0.0
    took_s: list[float] = field(default_factory=list)
    broken: int = 0
    retried_in_vain: int = 0
    refused: int = 0
    last_answer_at: float = 0.0

    def ask_until(self, stop: threading.Event) -> None:
        """Ask one flight after another."""
        self._connect()
        for flight in itertools.cycle(flights()):
            if stop.is_set():
                break
            body = body_of(flight)
            if not self._ask(body):
                self.broken += 1
                self._connect()
                self.retried_in_vain += not self._ask(body)
            time.sleep(self.pause_s)
        self._connection.close()

    def _connect(self) -> None:
        self._connection = http.client.HTTPConnection(HOST, self.port, timeout=self.timeout_s)

    def _ask(self, body: bytes) -> bool:
        """Ask once; False when the connection broke or stayed silent."""
        began = time.monotonic()
        try:
            self._connection.request("POST", PREDICTIONS, body, JSON)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False
        self.last_answer_at = time.monotonic()
        self.took_s.append(self.last_answer_at - began)
        if response.status != 200 or b'"delay_probability":' not in answer:
            self.refused += 1
        return True


@contextlib.contextmanager
def asking(service: Service, count: int, *, pause_s: float = 0.0) -> Iterator[list[Client]]:
    """Let *count* clients ask while the block runs; they have ended when it is left."""
    stop = threading.Event()
    clients = [Client(service.port, pause_s=pause_s) for _ in range(count)]
    threads = [threading.Thread(target=client.ask_until, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


def percentile(values: list[float], level: float) -> float:
    """Return the value that a share of *level* of *values* does not exceed."""
    return sorted(values)[min(int(level * len(values)), len(values) - 1)]
