"""`atraso replay` is a proof: it holds for this service, and it fails for one that says something else."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.cli.replay import replay
from atraso.core.errors import AtrasoError
from tests.flights_at_hand import generated_scl_file

FROM, TO = "2017-01-12", "2017-01-13"


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the first days of January of the generated year."""
    file = tmp_path_factory.mktemp("replay") / "january.csv"
    with gzip.open(generated_scl_file(), "rt", encoding="utf-8") as year:
        header, *rows = year.read().splitlines()
    file.write_text("\n".join([header, *(row for row in rows if "2017-01-01" <= row[:10] < TO)]) + "\n")
    return file


def run(january: Path, *arguments: str, first: str = FROM, end: str = TO) -> Result:
    return CliRunner().invoke(replay, ["--data", str(january), "--from", first, "--to", end, *arguments])


def test_the_service_says_what_evaluate_says(january: Path) -> None:
    """A day through a service of one's own: every answer equal, scores as the ledger sees them, exit code 0."""
    result = run(january, "--json", "--speed", "max")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["max_abs_difference"] < 1e-9
    assert said["equal"] is True
    assert said["fell_back"] == 0
    assert said["scores_from"] == "ledger"
    assert said["predictions"] == 6 * said["n"] > 100
    assert set(said["basis"]) == {"live", "schedule"}
    assert [scores["n"] for scores in said["leads"].values()] == [said["n"]] * 6


class _Wrong(BaseHTTPRequestHandler):
    """A service whose probabilities are made up."""

    def do_GET(self) -> None:
        self._answer({"version": read_manifest(BUNDLED).version})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer({"predictions": [{"delay_probability": 0.5, "basis": "live"} for _ in asked.get("flights", ())]})

    def _answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def service_that_is_wrong() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Wrong) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_service_that_says_something_else_is_told(january: Path) -> None:
    """Exit code 1, and how large the difference is."""
    with service_that_is_wrong() as url:
        result = run(january, "--url", url)
    assert result.exit_code == 1
    assert "THE SERVICE DIFFERS FROM EVALUATE" in result.output


@pytest.mark.parametrize(
    ("first", "end", "more", "told"),
    [
        ("2017-01-12", "2017-01-12", (), "--to is the day after the last one"),
        ("2017-01-05", "2017-01-06", (), "9 days are needed before"),
        ("2018-01-12", "2018-01-13", (), "no departure between --from and --to"),
        (FROM, TO, ("--speed", "fast"), "neither max nor how many times"),
        (FROM, TO, ("--url", "http://127.0.0.1:9"), "does not answer"),
        (FROM, TO, ("--url", "nowhere"), "not the address of a service"),
    ],
)
def test_what_cannot_be_replayed_is_said(january: Path, first: str, end: str, more: tuple[str, ...], told: str) -> None:
    """Days without flights or without days before them, and addresses where nobody is."""
    result = run(january, *more, first=first, end=end)
    assert isinstance(result.exception, AtrasoError)
    assert told in str(result.exception)
