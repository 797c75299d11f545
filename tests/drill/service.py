"""`atraso serve` as a user starts it, and what to ask it."""

from __future__ import annotations

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.stress.questions import PREDICTIONS, body_of, questions
from benchmarks.processes import Service, free_port, running

ATRASO = Path(sys.executable).with_name("atraso")
WORKERS = 2


@functools.cache
def flights() -> tuple[dict[str, str], ...]:
    """Return 2,000 made-up flights of the bundled model."""
    return tuple(questions(read_manifest(BUNDLED)))


@contextlib.contextmanager
def serving() -> Iterator[Service]:
    """Run `atraso serve` with its two workers on a free port; both accept when it is yielded."""
    port = free_port()
    command = [str(ATRASO), "serve", "--port", str(port), "--workers", str(WORKERS)]
    with running(command, port, PREDICTIONS, body_of(flights()[0])) as service:
        until(lambda: len(service.worker_pids(WORKERS)) == WORKERS, 5.0)
        yield service


def until(condition: Callable[[], bool], within_s: float) -> float:
    """Wait for *condition* and return the seconds that took; it must come true in time."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, f"not within {within_s:g} s"
        time.sleep(0.005)
    return time.monotonic() - began


def head(length: int, *, keep_alive: bool = True) -> bytes:
    """Return the head of a prediction request whose body has *length* bytes."""
    connection = "keep-alive" if keep_alive else "close"
    return (
        f"POST {PREDICTIONS} HTTP/1.1\r\nHost: drill\r\nContent-Type: application/json\r\n"
        f"Connection: {connection}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
