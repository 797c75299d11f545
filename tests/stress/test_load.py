"""Loads through the command line, on real services: short ones, whose figures mean nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from atraso.cli.stress import EXIT_COULD_NOT, EXIT_FELL_SHORT, stress
from atraso.stress.pacer import Order
from atraso.stress.profiles import StressError
from atraso.stress.record import FOLDER, Record, read_record
from tests.stress.conftest import Known

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
MANY_ANSWERS_BYTES = 60_000
ENDED = (0, EXIT_FELL_SHORT, EXIT_COULD_NOT)  # whether a promise was kept is not asked on a busy machine


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return what runs `atraso stress` with a data folder of its own."""
    monkeypatch.setenv("ATRASO_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(stress, list(words), catch_exceptions=False)

    return invoke


def recorded(result: Result) -> Record:
    assert result.exit_code in ENDED
    return msgspec.json.decode(result.stdout, type=Record)


@needs_wrk
def test_a_second_run_is_compared_with_the_first(run: Callable[..., Result], tmp_path: Path) -> None:
    """A record, a page and a row each; all answers are checked; and list, show and compare know both."""
    asked = ("--profile", "challenge", "--seconds", "1", "--threads", "1")
    first = recorded(run(*asked, "--json"))
    (step,) = first.runs
    assert step.answers == step.good + sum(step.errors.values()) == sum(step.good_by_s) + sum(step.bad_by_s)
    assert step.good > 0
    assert set(step.statuses) == {"200"}
    assert step.latency is not None
    assert step.server is not None
    assert step.server.peak_mb > 10
    again = run(*asked, "--out", str(tmp_path / "copy"))
    assert again.exit_code in ENDED
    assert "beside" in again.stderr
    assert "1 thread: cannot be told" in again.stderr  # of a second each
    (page,) = (tmp_path / "copy").glob("*.html")
    assert "Latency by percentile" in page.read_text("utf-8")
    assert "Beside 20" in page.read_text("utf-8")
    listed = json.loads(run("list", "--json").stdout)
    assert [entry["profile"] for entry in listed] == ["challenge"] * 2
    shown = run("show", "last", "--html", str(tmp_path / "page.html"))
    assert "1 thread" in shown.stdout
    assert "commit" in shown.stdout
    assert run("compare", "last-1", "last").exit_code == EXIT_COULD_NOT
    assert str(tmp_path) not in next((tmp_path / "data" / FOLDER).glob("*.json")).read_text()


def test_a_crowd_is_established_by_the_kernel_s_word_and_answered_twice(run: Callable[..., Result]) -> None:
    """A thousand connections of several addresses at once, each used twice, and what was done to limits is told."""
    done = run("--profile", "connections", "--connections", "1000", "--json")
    (step,) = recorded(done).runs
    assert step.figures["established"] == 1000
    assert (step.errors, step.figures["answered_twice"]) == ({}, 1000)
    assert done.exit_code == 0
    assert "hard limit" in done.stderr
    assert "127.0.0.2" in done.stderr


def test_an_open_loop_keeps_its_rate_and_tells_its_lateness(run: Callable[..., Result]) -> None:
    """All that was due is accounted for, and blocks have medians to compare."""
    (step,) = recorded(run("--profile", "latency", "--rate", "50", "--seconds", "2", "--json")).runs
    assert step.good + step.failed > 50
    assert step.lateness is not None
    assert all(block.p50_ms for block in step.blocks)
    assert step.loop == "open"


def test_ctrl_c_keeps_what_was_met_and_says_that_it_is_a_part(tmp_path: Path) -> None:
    """A run of a minute that is stopped amid it ends with 130, with a record, and leaves no process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "atraso", "stress", "--profile", "latency", "--rate", "50", "--seconds", "60"],
        env={**os.environ, "ATRASO_DATA": str(tmp_path / "data"), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not _answered(tmp_path) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert "Stopped before its end" in said
    (kept,) = (tmp_path / "data" / FOLDER).glob("*.json")
    record = read_record(kept)
    assert record.verdict == "partial"
    assert record.runs[0].partial
    assert 0 < record.runs[0].good < 3000
    assert not list(tmp_path.glob("atraso-stress-*"))


def _answered(folder: Path) -> bool:
    """Return whether the service below *folder* has kept more answers than a load of 50 a second is warmed up with."""
    return any(file.stat().st_size > MANY_ANSWERS_BYTES for file in folder.glob("atraso-stress-*/data/spool/*.spool"))


@pytest.mark.parametrize(
    ("kind", "words"),
    [("failing", "status 500"), ("dying", "no good answer after second"), ("babbling", "connection broken")],
)
def test_a_service_that_fails_is_told_as_what_it_is(
    run: Callable[..., Result], known: Callable[[str], Known], kind: str, words: str
) -> None:
    """One that answers 500, one that dies midway and one that speaks no HTTP fell short, with what was met."""
    url = f"http://127.0.0.1:{known(kind).port}"
    done = run("--profile", "latency", "--url", url, "--rate", "100", "--seconds", "5")
    assert done.exit_code == EXIT_FELL_SHORT
    assert words in done.stdout
    assert "FELL SHORT" in done.stdout


@needs_wrk
def test_wrk_tells_kinds_of_failure_too(run: Callable[..., Result], known: Callable[[str], Known]) -> None:
    """A 500 is a 500."""
    url = f"http://127.0.0.1:{known('failing').port}"
    done = run("--profile", "challenge", "--threads", "1", "--url", url, "--seconds", "1", "--json")
    assert done.exit_code == EXIT_FELL_SHORT
    (step,) = recorded(done).runs
    assert step.good == 0
    assert step.errors["status 500"] == step.answers > 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "No service answers"),
        ("http://192.0.2.1:5000", "--i-own-this-target"),
        ("127.0.0.1:5000", "is not the address of a service"),
    ],
)
def test_what_cannot_be_loaded_is_refused_with_a_sentence(run: Callable[..., Result], url: str, words: str) -> None:
    """Nobody there, somebody else's machine, and no address."""
    with pytest.raises(StressError, match=words):
        run("--profile", "challenge", "--url", url)


def test_a_service_that_says_something_else_is_refused(
    run: Callable[..., Result], known: Callable[[str], Known]
) -> None:
    """A 200 without a prediction is not what a load is to be sent to."""
    with pytest.raises(StressError, match="no prediction"):
        run("--profile", "latency", "--url", f"http://127.0.0.1:{known('wrong').port}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--profile", "ramp", "--requests", "3"), "--requests is for the profile auth alone"),
        (("--profile", "ramp", "--user", "bob"), "--user is for the profile auth alone"),
        (("--profile", "auth", "--repeat", "2"), "--repeat is not for the profile auth"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    run: Callable[..., Result], options: tuple[str, ...], words: str
) -> None:
    """Not taken and forgotten."""
    done = run(*options)
    assert done.exit_code == EXIT_COULD_NOT
    assert words in done.stderr


def test_two_services_are_measured_beside_each_other(run: Callable[..., Result], known: Callable[[str], Known]) -> None:
    """The same flights in turns, and a record of each of one session."""
    urls = [f"http://127.0.0.1:{known('quick').port}" for _ in range(2)]
    done = run("compare", *urls, "--turns", "5", "--starts", "1", "--requests", "20", "--json")
    assert done.exit_code in ENDED
    (difference,) = json.loads(done.stdout)["differences"]
    assert "5 turns beside each other" in difference["how"]
    first, second = (json.loads(run("show", name, "--json").stdout) for name in ("last", "last-1"))
    assert first["session"] == second["session"]


def test_an_order_travels_whole() -> None:
    """What the parent tells a pacer is what it is told."""
    order = Order(
        "127.0.0.1", 1, (b"a", b"b"), 2, 3.0, ((3.0, 100.0),), True, True, 1, False, 0.05, 1.0, 1.0, 0.0, 1, 0, 1
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(order), type=Order) == order
