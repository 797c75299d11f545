"""Runs through the command line: tiny ones, whose figures mean nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from atraso.cli import show
from atraso.cli.stress import stress
from atraso.stress.profiles import StressError
from atraso.stress.record import FOLDER, Record, read_record
from atraso.stress.report import markdown
from atraso.stress.throwaway_directory import why_not

ENDED = (0, 1)  # whether promises were kept is not asked on a busy machine


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return what runs the profile auth with 20 requests a way, and no wrk unless told."""
    monkeypatch.setenv("ATRASO_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("ATRASO_LDAP_URL", raising=False)

    def invoke(*words: str, seconds: int = 0) -> Result:
        told = ["--profile", "auth", "--requests", "20", "--seconds", str(seconds), *words]
        return CliRunner().invoke(stress, told, catch_exceptions=False)

    return invoke


def recorded(result: Result) -> Record:
    assert result.exit_code in ENDED
    return msgspec.json.decode(result.stdout, type=Record)


def test_a_run_is_shown_kept_and_copied(run: Callable[..., Result], tmp_path: Path) -> None:
    """A key, a known token and a new one each time: all in the table, and the record where it was asked for."""
    ways = ("--way", "key", "--way", "jwt", "--way", "jwt-fresh")
    done = run(*ways, "--out", str(tmp_path / "copy"))
    assert done.exit_code in ENDED
    for label in ("no authentication", "API key", "token, known before", "token, new each request"):
        assert label in done.stdout
    assert "left out: requests/s, because --seconds 0" in done.stdout
    (kept,) = (tmp_path / "data" / FOLDER).glob("*.json")
    (copied,) = (tmp_path / "copy").glob("*.json")
    record = read_record(kept)
    assert record == read_record(copied)
    assert [row.name for row in record.rows] == ["open", "key", "jwt", "jwt-fresh"]
    assert [row.requests for row in record.rows] == [20] * 4
    assert all(row.added is not None for row in record.rows[1:])
    assert not record.partial
    assert "| API key | no authentication |" in markdown(record)
    assert str(tmp_path) not in kept.read_text()


def test_certificates_and_json(run: Callable[..., Result]) -> None:
    """TLS with a client certificate is compared with TLS alone, and the record is all there is on standard output."""
    record = recorded(run("--way", "mtls", "--json"))
    assert [(row.name, row.baseline) for row in record.rows] == [("open", None), ("tls", "open"), ("mtls", "tls")]
    assert record.machine.cores >= 1
    assert "python" in record.versions


@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_a_throwaway_directory_is_asked(run: Callable[..., Result]) -> None:
    """Log-ins, passwords that are known and passwords that are not, against a real OpenLDAP over StartTLS."""
    rows = {row.name: row for row in recorded(run("--way", "login", "--way", "basic-bind", "--json")).rows}
    assert set(rows) == {"open", "basic-bind", "login"}
    assert rows["login"].added is None
    assert rows["login"].took.p50 > rows["open"].took.p50
    assert rows["basic-bind"].took.p50 > rows["open"].took.p50


def test_a_directory_that_nobody_was_named_for_is_left_out_and_said(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ways that need a log-in are named with what to do, in the table's notes; the rest is measured."""
    monkeypatch.setenv("ATRASO_LDAP_URL", "ldap://127.0.0.1:1")
    done = run("--way", "open", "--way", "login")
    assert done.exit_code in ENDED
    assert "left out: log-in at /v1/token, because the directory of ATRASO_LDAP_URL needs somebody" in done.stdout
    assert "no authentication" in done.stdout


def test_a_run_without_anything_to_measure_says_why(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all that was asked for is left out, the sentence says for which reason."""
    monkeypatch.setenv("ATRASO_LDAP_URL", "ldap://127.0.0.1:1")
    with pytest.raises(StressError, match="--user NAME"):
        run("--way", "login")


def test_ctrl_c_keeps_what_was_measured_and_stops_the_services(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is stopped amid measuring keeps a partial record, ends with 130 and leaves no process and no file."""
    served: list[str] = []

    @contextlib.contextmanager
    def stopped_early(what: str) -> Iterator[Callable[..., None]]:
        def advance(text: str, done: int, total: int) -> None:
            if text == "measuring" and done == 3:
                served.extend(_services_below(tmp_path))
                raise KeyboardInterrupt

        yield advance

    monkeypatch.setattr(show, "bar", stopped_early)
    done = run("--way", "key")
    assert done.exit_code == 130
    assert "Stopped before its end" in done.stdout
    (kept,) = (tmp_path / "data" / FOLDER).glob("*.json")
    record = read_record(kept)
    assert record.partial
    assert [row.requests for row in record.rows] == [3, 3]
    assert served
    assert not _services_below(tmp_path)
    assert not list(tmp_path.glob("atraso-stress-*"))
    assert len(os.sched_getaffinity(0)) == record.machine.cores


def _services_below(folder: Path) -> list[str]:
    """Return the numbers of the living processes whose ATRASO_DATA is below *folder*'s throwaway ones."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (place / "environ").read_bytes()
            if f"ATRASO_DATA={folder}/atraso-stress-".encode() in told and (place / "cmdline").read_bytes():
                found.append(place.name)
    return found


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_drives_a_way_with_a_token_for_each_request(run: Callable[..., Result]) -> None:
    """A second of load each: requests a second with none and with a token a request, none refused."""
    record = recorded(run("--way", "jwt-fresh", "--json", seconds=1))
    driven = {row.name: row.throughput for row in record.rows}
    assert driven["open"] is not None
    assert driven["open"].share == 1.0
    assert driven["jwt-fresh"] is not None
    assert not record.not_driven


def test_only_profiles_that_there_are_can_be_asked_for() -> None:
    """Another name is refused with those there are."""
    with pytest.raises(click.BadParameter, match="auth"):
        stress.main(["--profile", "nothing"], standalone_mode=False)
