"""How fast the service starts a second time, and how it stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable

import pytest

from atraso.stress.questions import PREDICTIONS, body_of
from benchmarks.processes import HOST, ROOT, Service, clean_environment, free_port, stop, wait_until_answering
from tests.drill.figures import show
from tests.drill.service import ATRASO, flights, head, serving

START_S = 1.5
STOP_S = 2.0
IDLE = 50

COMMANDS: dict[str, Callable[[int], list[str]]] = {
    "atraso serve": lambda port: [str(ATRASO), "serve", "--port", str(port)],
    "make run": lambda port: ["make", "--no-print-directory", "run", f"PORT={port}"],
}


@pytest.mark.parametrize("words", COMMANDS)
def test_a_second_start_answers_at_once(words: str) -> None:
    """The first prediction of a second start comes within 1.5 s of the command."""
    for start in ("first", "second"):
        port = free_port()
        began = time.monotonic()
        process = subprocess.Popen(
            COMMANDS[words](port),
            cwd=ROOT,
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until_answering(Service(process, port), PREDICTIONS, body_of(flights()[0]))
            took = time.monotonic() - began
        finally:
            stop(process)
        if start == "second":
            show(f"second start of {words}", took, "s", at_most=START_S)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_stopping_does_not_wait_for_clients(name: str) -> None:
    """SIGTERM to the process and Ctrl-C to its group end it within 2 s with exit code 0, whoever is connected."""
    number = signal.Signals[name]
    with serving() as service:
        idle = [_idle(service.port) for _ in range(IDLE)]
        stuck = socket.create_connection((HOST, service.port))
        stuck.sendall(head(100) + b'{"flights": [')
        time.sleep(0.1)
        workers = service.worker_pids(2)
        began = time.monotonic()
        if number == signal.SIGINT:
            os.killpg(service.process.pid, number)
        else:
            service.process.send_signal(number)
        code = service.process.wait(20)
        took = time.monotonic() - began
        for client in [*idle, stuck]:
            client.close()

        show(f"stop on {name} with {IDLE} idle clients and a stuck one", took, "s", at_most=STOP_S)
        assert code == 0
        assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]  # noqa: PTH110 - a question of one word


def _idle(port: int) -> socket.socket:
    """Return a connection that has had one answer and is kept."""
    client = socket.create_connection((HOST, port), timeout=5)
    body = body_of(flights()[0])
    client.sendall(head(len(body)) + body)
    answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 ")
    return client
