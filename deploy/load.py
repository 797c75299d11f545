"""Clients that ask a service again and again while it is stopped, and what became of their requests."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.containers import HOST

ANSWER_WITHIN_S = 10.0


@dataclass
class Asked:
    """What came of the requests: `statuses` of whole answers, and `broken`, those that had none, with why."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    ended: int = 0
    wrong: int = 0

    @property
    def failed(self) -> int:
        """Return how many requests had no whole and right answer with status 200."""
        return sum(self.statuses.values()) - self.statuses[200] + len(self.broken) + self.wrong


@dataclass
class Clients:
    """*count* clients, each with one connection that it keeps.

    A client that is told that its connection ends asks no more: a balancer would send it elsewhere. What it sent
    before must be answered.
    """

    port: int
    bodies: Sequence[bytes]
    headers: Mapping[str, str]
    count: int = 8
    pause_s: float = 0.002
    met: Asked = field(default_factory=Asked)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def asking(self) -> Iterator[Asked]:
        """Ask while the block runs."""
        threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(self.count)]
        for thread in threads:
            thread.start()
        try:
            yield self.met
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(2 * ANSWER_WITHIN_S)

    def answered(self, at_least: int, within_s: float = 10.0) -> None:
        """Wait until so many requests were answered."""
        end = time.monotonic() + within_s
        while sum(self.met.statuses.values()) < at_least:
            assert time.monotonic() < end, (
                f"{dict(self.met.statuses)} answers after {within_s} s: {self.met.broken[:3]}"
            )
            time.sleep(0.01)

    def _ask(self, first: int) -> None:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_WITHIN_S)
        connection.connect()
        headers = {"content-type": "application/json", **self.headers}
        for n in itertools.count(first * 7):
            if self._stop.wait(self.pause_s):
                return
            try:
                connection.request("POST", "/v1/predictions", self.bodies[n % len(self.bodies)], headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.met.broken.append(f"{type(error).__name__}: {error}")
                return
            with self._lock:
                self.met.statuses[answer.status] += 1
                self.met.wrong += answer.status == 200 and "predictions" not in json.loads(content)
                if answer.will_close:
                    self.met.ended += 1
                    return
