"""`atraso serve` as a user meets it: real processes, real signals."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from atraso.artefact.bundle import BUNDLED
from tests.serving.processes import alive, children, eventually, refused, service
from tests.serving.raw import Client, request

HASTY = (
    sys.executable,
    "-c",
    "from atraso.serving import workers; workers.SILENT_AFTER_S = 2.0; from atraso.cli.main import main; main()",
    "serve",
)


def test_it_says_when_it_is_ready_and_then_it_is() -> None:
    """One line with the address, the model and the workers, on standard output; the next request is answered."""
    with service("--workers", "2") as atraso:
        assert re.fullmatch(
            r"Atraso is ready: http://127\.0\.0\.1:\d+  \(model SCEL 2017\.1\+[0-9a-f]+, 2 workers; "
            r"stop with Ctrl-C\)\n",
            atraso.line,
        )
        assert atraso.get("/health") == {"status": "OK"}
        assert len(atraso.workers) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_whatever_its_clients_do(number: signal.Signals) -> None:
    """Exit code 0 within 2 s and not a word, with idle, half-sent and unread connections open."""
    with service() as atraso:
        with Client(atraso.port) as idle, Client(atraso.port) as head, Client(atraso.port) as body:
            assert idle.send(request("/health", method="GET")).answer().status == 200
            head.send(b"GET / HT")
            body.send(b"POST /predict HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{")
            workers = atraso.workers
            code, took_s, errors = atraso.stop(number)
        assert (code, errors) == (0, "")
        assert took_s < 2
        assert not any(alive(worker) for worker in workers)


def test_ctrl_c_reaches_all_processes_and_stops_them_once() -> None:
    """A terminal sends SIGINT to the whole group; it ends as quietly."""
    with service() as atraso:
        os.killpg(atraso.process.pid, signal.SIGINT)
        _, errors = atraso.process.communicate(timeout=10)
        assert (atraso.process.returncode, errors) == (0, "")


def test_a_killed_worker_is_replaced() -> None:
    """After kill -9 there are two workers again, the service answers, and the log says what happened."""
    with service() as atraso:
        before = atraso.workers
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(atraso.workers - {victim}) == 2)
        for _ in range(20):
            assert atraso.get("/health") == {"status": "OK"}
        code, _, errors = atraso.stop()
        assert code == 0
        assert f"Worker {victim} ended (exit code -9) and is replaced." in errors


def test_all_workers_killed_at_once_are_replaced() -> None:
    """The address stays taken, so clients wait a moment instead of being refused."""
    with service() as atraso:
        before = atraso.workers
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        assert atraso.get("/health") == {"status": "OK"}
        eventually(lambda: len(atraso.workers - before) == 2)


def test_a_silent_worker_is_replaced() -> None:
    """A stopped process sends no sign of life; after the time for that it is killed."""
    with service(command=HASTY) as atraso:
        victim = min(atraso.workers)
        os.kill(victim, signal.SIGSTOP)
        eventually(lambda: not alive(victim) and len(atraso.workers) == 2)
        assert atraso.get("/health") == {"status": "OK"}
        assert f"Worker {victim} is silent and is replaced." in atraso.stop()[2]


def test_a_silent_worker_does_not_delay_the_stop() -> None:
    """SIGTERM ends it all in time although one process cannot hear it."""
    with service(ATRASO_SHUTDOWN_TIMEOUT_S="1") as atraso:
        os.kill(min(atraso.workers), signal.SIGSTOP)
        code, took_s, _ = atraso.stop()
        assert (code, took_s < 2) == (0, True)


def test_workers_end_when_their_supervisor_is_killed() -> None:
    """Nobody keeps the port when the parent is gone."""
    with service() as atraso:
        workers = atraso.workers
        atraso.process.kill()
        eventually(lambda: not any(alive(worker) for worker in workers))


def test_one_worker_serves_too() -> None:
    """`--workers 1` is the same service with one process to answer."""
    with service("--workers", "1") as atraso:
        assert "1 worker;" in atraso.line
        assert (len(atraso.workers), atraso.get("/health")) == (1, {"status": "OK"})
        assert atraso.stop()[0] == 0


def test_a_port_in_use_is_named() -> None:
    """One sentence with the port and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refused("--port", str(port))
    assert sentence.startswith(f"Port {port} on 127.0.0.1 is already in use: ")
    assert "PORT=" in sentence


def test_it_does_not_listen_beyond_loopback_unasked() -> None:
    """Without authentication other machines are let in only when that is said in words."""
    assert "--insecure" in refused("--host", "0.0.0.0", "--port", "0")
    with service("--host", "0.0.0.0", "--insecure") as atraso:
        assert atraso.get("/health") == {"status": "OK"}
        assert "nobody is asked who they are" in atraso.stop()[2]
    with service(ATRASO_HOST="0.0.0.0", ATRASO_INSECURE="true") as atraso:
        assert atraso.get("/health") == {"status": "OK"}


def test_a_changed_artefact_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Before any worker starts, without a traceback and without trying again."""
    shutil.copytree(BUNDLED, tmp_path / "model")
    card = tmp_path / "model" / "scorecard.json"
    card.write_bytes(card.read_bytes() + b" ")
    assert "scorecard.json" in refused("--port", "0", "--model", str(tmp_path / "model"))
    shutil.copy(BUNDLED / "scorecard.json", card)
    with service("--model", str(tmp_path / "model")) as atraso:
        assert atraso.get("/health") == {"status": "OK"}


def test_a_setting_that_cannot_be_used_is_refused() -> None:
    """The sentence names where it stands and what it takes."""
    assert refused(ATRASO_WORKERS="many") == "ATRASO_WORKERS is 'many', but takes a whole number from 1 to 256."
    assert refused("--port", "x") == "--port is 'x', but takes a whole number from 0 to 65535."


@pytest.mark.parametrize(("limit", "status"), [("2048", 413), ("4096", 400)])
def test_settings_reach_the_workers(limit: str, status: int) -> None:
    """A smaller limit on bodies refuses what a larger one lets pass to the application."""
    with service(ATRASO_MAX_BODY_BYTES=limit) as atraso, Client(atraso.port) as client:
        body = b"[" * 3000
        answer = client.send(request("/v1/predictions", body, "POST", "Content-Type: application/json")).answer()
        assert (answer.status, "server" in answer.headers) == (status, False)


def test_no_process_is_left_behind() -> None:
    """After a stop the process has no children and its port is free."""
    with service() as atraso:
        pid, port = atraso.process.pid, atraso.port
        atraso.stop()
        assert children(pid) == set()
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))


def test_a_request_under_way_to_an_idle_connection_is_answered_while_stopping() -> None:
    """A client that keeps its connection and asks just after the signal gets its answer, marked as the last."""
    with service() as running:
        client = HTTPConnection("127.0.0.1", running.port, timeout=5)
        client.request("GET", "/health")
        client.getresponse().read()
        running.process.send_signal(signal.SIGTERM)
        marks = []
        while "close" not in marks and len(marks) < 500:
            client.request("GET", "/health")
            answer = client.getresponse()
            answer.read()
            assert answer.status == 200
            marks.append(answer.getheader("connection"))
            time.sleep(0.01)

        assert marks[-1] == "close"
        assert running.process.wait(timeout=5) == 0
        client.close()
