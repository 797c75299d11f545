"""`atraso probe` against services that run: equal, different, silent, and of a model that is not at hand."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.artefact.golden import differences
from atraso.cli.probing import Door, probe
from atraso.core.addresses import bearer
from tests.serving.processes import clean_environment, eventually, service

COMMAND = (sys.executable, "-m", "atraso", "probe")
MANIFEST = read_manifest(BUNDLED)


def probed(url: str, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Probe once and return the exit code and what was printed."""
    done = subprocess.run(
        [*COMMAND, "--url", url, "--once", "--json", *arguments],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@dataclass
class Pretender:
    """A service that says of its model what it is told to, and answers what it is told to."""

    card: dict[str, Any]
    answers: dict[str, Any]
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def pretending(pretender: Pretender, port: int = 0) -> Iterator[str]:
    """Run it and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(pretender.card)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            count = len(asked["flights"])
            found = [p for p in pretender.answers["predictions"] if p["flight"] in asked["flights"]]
            self._say({**pretender.answers, "predictions": found if count == 1 else found[:count]})

        def _say(self, content: Any) -> None:
            pretender.headers.append({name.lower(): value for name, value in self.headers.items()})
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def golden_answers(version: str = MANIFEST.version, **first: Any) -> dict[str, Any]:
    """Return the manifest's golden answers as a service gives them; *first* changes those of the first flight."""
    names = ("airline", "flight_number", "origin", "destination", "scheduled_departure")
    predictions = [
        {
            "flight": {name: getattr(golden, name) for name in names},
            "delay_probability": golden.delay_probability,
            "basis": "schedule",
            "exceeds": dict(zip(("0", "15", "30", "60"), golden.exceeds, strict=True)),
        }
        for golden in MANIFEST.golden
    ]
    predictions[0] |= first
    return {"model": {"airport": "SCEL", "version": version}, "predictions": predictions}


def card(**other: Any) -> dict[str, Any]:
    return {"version": MANIFEST.version, "checksum": MANIFEST.checksum, **other}


def test_a_service_that_is_well_is_equal_and_its_books_stay_empty(tmp_path: Path) -> None:
    """Against a real one that keeps what it answers: exit code 0, all golden flights, and not one kept row."""
    with service("--workers", "1", ATRASO_LEDGER="spool", ATRASO_DATA=str(tmp_path)) as running:
        code, found = probed(f"http://127.0.0.1:{running.port}")
        with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    assert (code, found["result"], found["golden"]) == (0, "equal", "artefact")
    assert (found["model"], found["flights"]) == (MANIFEST.version, len(MANIFEST.golden))
    assert 'atraso_ledger_rows_total{state="accepted"} 0.0' in text
    assert "atraso_prediction_probability_count 0.0" in text
    assert 'atraso_http_requests_total{outcome="ok",route="/v1/predictions"} 2.0' in text


@pytest.mark.parametrize(
    "first",
    [
        {"delay_probability": MANIFEST.golden[0].delay_probability + 1e-6},
        {"delay_probability": "0.3"},
        {"basis": "live"},
        {"exceeds": {"0": 0.5, "15": 0.5, "30": 0.5}},
        {"exceeds": None},
    ],
)
def test_an_answer_that_differs_is_found(first: dict[str, Any]) -> None:
    """In a probability, by a millionth; in the basis; or where it is none."""
    with pretending(Pretender(card(), golden_answers(**first))) as url:
        found = probe(Door(url, None, None, 5.0), {MANIFEST.checksum: MANIFEST}, turn=0)
    assert found.result == "different"
    assert f"{MANIFEST.golden[0].airline} {MANIFEST.golden[0].flight_number}" in found.detail


def test_a_difference_ends_with_exit_code_1() -> None:
    """For a script that asks once."""
    with pretending(Pretender(card(), golden_answers(basis="live"))) as url:
        code, found = probed(url)
    assert (code, found["result"]) == (1, "different")


def test_probes_are_marked_and_carry_the_key() -> None:
    """Each request of a probe has the mark, and the key of the environment."""
    pretender = Pretender(card(), golden_answers())
    with pretending(pretender) as url:
        code, _ = probed(url, ATRASO_KEY="atraso_secret")
    assert code == 0
    assert len(pretender.headers) == 3
    assert all(
        headers["atraso-probe"] and headers["authorization"] == "Bearer atraso_secret" for headers in pretender.headers
    )


def test_a_model_that_is_not_at_hand_is_compared_with_its_own_card_and_that_is_said(tmp_path: Path) -> None:
    """Or, where the card tells no golden flights either, with nothing: that is no success."""
    golden = msgspec.to_builtins(MANIFEST.golden)
    elsewhere = card(version="2031.1+cafe", checksum="00" * 32)
    with pretending(Pretender({**elsewhere, "golden": golden}, golden_answers("2031.1+cafe"))) as url:
        code, found = probed(url, "--data", str(tmp_path))
        said = subprocess.run([*COMMAND, "--url", url, "--once"], capture_output=True, text=True, check=True)
    assert (code, found["result"], found["golden"]) == (0, "equal", "service")
    assert "its artefact is not at hand here" in said.stdout
    with pretending(Pretender(elsewhere, golden_answers("2031.1+cafe"))) as url:
        code, found = probed(url, "--data", str(tmp_path))
    assert (code, found["result"]) == (1, "unknown_model")
    assert "not at hand" in found["detail"]


def test_an_answer_of_another_model_than_the_card_names_is_no_success() -> None:
    """Not even where its numbers are the same."""
    with pretending(Pretender(card(), golden_answers("2031.1+cafe"))) as url:
        code, found = probed(url)
    assert (code, found["result"]) == (1, "unknown_model")
    assert "2031.1+cafe" in found["detail"]


def test_silence_and_a_missing_key_are_failures_with_a_sentence(tmp_path: Path) -> None:
    """Nobody there; and a service that asks who calls."""
    code, found = probed("http://127.0.0.1:9")
    assert (code, found["result"]) == (1, "failed")
    with service("--workers", "1", ATRASO_AUTH="keys", ATRASO_DATA=str(tmp_path)) as running:
        code, found = probed(f"http://127.0.0.1:{running.port}")
    assert (code, found["result"]) == (1, "failed")
    assert "ATRASO_KEY" in found["detail"]


def test_a_prober_counts_for_prometheus_until_it_is_stopped() -> None:
    """Every result is told from the start, the totals move, and SIGTERM is no error."""
    with pretending(Pretender(card(), golden_answers())) as url:
        prober = subprocess.Popen(
            [*COMMAND, "--url", url, "--every", "0.1", "--metrics-port", "0"],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert prober.stderr is not None
        try:
            address = re.search(r"http://\S+/metrics", prober.stderr.readline())
            assert address is not None

            def text() -> str:
                with urllib.request.urlopen(address[0], timeout=5) as answer:
                    told: str = answer.read().decode()
                    return told

            eventually(lambda: 'atraso_probe_total{result="equal"} 3.0' in text(), 20.0)
            assert 'atraso_probe_total{result="different"} 0.0' in text()
            assert "atraso_probe_last_timestamp_seconds 1" in text()
            prober.send_signal(signal.SIGTERM)
            said, total = prober.communicate(timeout=20)
        finally:
            prober.kill()
            prober.communicate()
    assert prober.returncode == 0
    assert len(said.splitlines()) >= 3
    assert "equal" in total


def test_a_service_that_comes_up_is_waited_for() -> None:
    """With --patience what fails before the first answer is told and not counted."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    over = subprocess.run(
        [*COMMAND, "--url", url, "--once", "--patience", "0.5", "--every", "0.1"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert over.returncode == 1
    assert over.stderr.count("waiting for the service (GET /v1/model: [Errno 111] Connection refused)") >= 2
    patient = [*COMMAND, "--url", url, "--once", "--patience", "60", "--every", "0.1"]
    prober = subprocess.Popen(patient, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert prober.stderr is not None
    assert "waiting" in prober.stderr.readline()
    with pretending(Pretender(card(), golden_answers()), port):
        said, _ = prober.communicate(timeout=60)
    assert (prober.returncode, "equal" in said) == (0, True)


def test_mistakes_are_told_in_a_sentence() -> None:
    """Addresses that are none, a key that is none, and a port for metrics that is in use."""
    with pretending(Pretender(card(), golden_answers())) as url:
        taken = url.rpartition(":")[2]
        for arguments, key, words in (
            (["--url", "localhost:5000", "--once"], "", "not the address of a service"),
            (["--url", "http://127.0.0.1:99999", "--once"], "", "not the address of a service"),
            (["--url", "http://exa mple", "--once"], "", "not the address of a service"),
            (["--url", url, "--once"], "a key\nof two lines", "characters in it that no key has"),
            (["--url", url, "--metrics-port", taken], "", "choose another with --metrics-port"),
        ):
            done = subprocess.run(
                [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60,
                env={**os.environ, "ATRASO_KEY": key},
            )  # fmt: skip
            assert (done.returncode, done.stdout) == (2, "")
            assert words in done.stderr
            assert "two lines" not in done.stderr


def test_a_key_from_a_file_is_taken_without_the_end_of_its_line() -> None:
    """Secrets that are mounted as files, or made with echo, end in one."""
    assert bearer("atraso_1a2b3c4d_x\n") == "Bearer atraso_1a2b3c4d_x"


def test_not_a_number_differs() -> None:
    """NaN is not equal to anything, as it must not be here."""
    answers = golden_answers(delay_probability=float("nan"))["predictions"]
    assert len(differences(MANIFEST.golden, answers)) == 1
    assert differences(MANIFEST.golden, answers[1:]) != []
    assert differences(MANIFEST.golden, None) != []
