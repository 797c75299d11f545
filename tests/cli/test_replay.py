"""`atraso replay` is a proof: it holds for this service, and it fails for one that says something else."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner, Result

from atraso.artefact.bundle import BUNDLED, read_manifest
from atraso.bootstrap.day_replay import Replayed, _fell_back
from atraso.cli.replay import replay
from atraso.core.errors import AtrasoError
from atraso.stress.services import launched_with
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

    said: ClassVar[dict[str, object]] = {"delay_probability": 0.5, "basis": "live", "warnings": []}

    def do_GET(self) -> None:
        self._answer({"version": read_manifest(BUNDLED).version})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer({"predictions": [self.said for _ in asked.get("flights", ())]})

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


def test_answers_that_fell_back_are_counted_and_not_compared(january: Path, tmp_path: Path) -> None:
    """A service whose feed was silent says so in each answer: the others are equal, so it is no difference."""
    with launched_with(variables(tmp_path, stale_minutes=120), "of the test") as ready:
        result = run(january, "--url", f"http://127.0.0.1:{ready().port}", "--json")
    said = json.loads(result.stdout)
    assert 0 < said["fell_back"] < said["predictions"] / 2
    assert said["compared"] == said["predictions"] - said["fell_back"]
    assert said["max_abs_difference"] < 1e-9
    assert (result.exit_code, said["scores_from"]) == (0, "answers")


def variables(folder: Path, stale_minutes: int) -> dict[str, str]:
    return {
        "ATRASO_DATA": str(folder),
        "ATRASO_LEDGER": "spool",
        "ATRASO_AUTH": "none",
        "ATRASO_STATE_STALE_MINUTES": str(stale_minutes),
    }


WARNED = "no departure was reported for 9 h: the answer is that of the schedule"


def fell_back(*, basis: str, warnings: tuple[str, ...]) -> bool:
    return _fell_back({"basis": basis, "warnings": [*warnings], "delay_probability": 0.5})


def test_only_an_answer_that_says_why_fell_back() -> None:
    """One that should have been live and is the schedule's without a word is compared, and so a difference."""
    assert fell_back(basis="schedule", warnings=("airline X1 was not seen", WARNED))
    assert not fell_back(basis="schedule", warnings=("airline X1 was not seen",))
    assert not fell_back(basis="schedule", warnings=())
    assert not fell_back(basis="live", warnings=(WARNED,))


@pytest.mark.parametrize(("warnings", "told"), [((), "DIFFERS FROM EVALUATE"), ((WARNED,), "DIFFERS FROM EVALUATE")])
def test_a_service_that_never_answers_live_proves_nothing(
    january: Path, monkeypatch: pytest.MonkeyPatch, warnings: tuple[str, ...], told: str
) -> None:
    """Silently it differs; with a warning in each answer its schedule is still compared."""
    monkeypatch.setattr(_Wrong, "said", {"delay_probability": 0.5, "basis": "schedule", "warnings": [*warnings]})
    with service_that_is_wrong() as url:
        result = run(january, "--url", url)
    assert (result.exit_code, told in result.output) == (1, True)
    assert ("fell back to the schedule and are not compared" in result.output) == bool(warnings)
    assert "of the service's answers" in result.output


def test_a_lead_that_nothing_is_known_of_is_not_equal() -> None:
    """However well the others agree."""
    result = Replayed(5, by_lead={"schedule": 0.0, "3h": None})
    assert (result.equal, result.unproved) == (False, ["3h"])
    assert Replayed(5, by_lead={"schedule": 0.0, "3h": 0.0}).equal


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
