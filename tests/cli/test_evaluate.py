"""`atraso evaluate` and `atraso train` as commands: reports, exit codes, JSON that is JSON."""

import csv
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from atraso.cli.evaluate import evaluate
from atraso.cli.train import train
from atraso.core.errors import SettingsError
from tests.sources.scl_files import row, scl_text


def asked(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, [str(a) for a in arguments], catch_exceptions=False)


def flights(folder: Path, *rows: str) -> Path:
    path = folder / "some.csv"
    path.write_text(scl_text(*rows), encoding="utf-8")
    return path


def test_rejected_rows_are_reported_with_row_and_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report stands in the current folder under the data's name, and standard error names it with the count."""
    monkeypatch.chdir(tmp_path)
    path = flights(tmp_path, row(), row(Vlo_I=""), row(Fecha_I="2017-02-30 10:00:00"), row(Vlo_I="8"))
    done = asked("--data", path, "--lead", "1h", "--json")
    with (tmp_path / "some.rejects.csv").open() as report:
        rejected = [reject["row"] for reject in csv.DictReader(report)]

    assert rejected == ["2", "3"]
    assert "2 rows rejected" in done.stderr
    assert "some.rejects.csv" in done.stderr
    assert json.loads(done.stdout)["n"] == 2


@pytest.mark.parametrize("named", ["--data", "--history"])
def test_the_report_of_rejects_never_takes_the_place_of_what_is_read(tmp_path: Path, named: str) -> None:
    """The file that is read cannot be named as the report; it stays as it was."""
    path = flights(tmp_path, row(), row(Vlo_I=""))
    before = path.read_bytes()
    other = tmp_path / "other.csv"
    other.write_bytes(before)
    files = {"--data": other, "--history": other} | {named: path}

    with pytest.raises(SettingsError, match="choose another"):
        asked(*(word for pair in files.items() for word in pair), "--rejects", path)
    assert path.read_bytes() == before


def test_a_score_that_cannot_be_told_is_null(tmp_path: Path) -> None:
    """One departure has no AUC: the answer is JSON all the same."""
    told = json.loads(asked("--data", flights(tmp_path, row()), "--lead", "schedule", "--json").stdout)

    assert told["auc"] is None
    assert told["n"] == 1
    assert 0 < told["log_loss"] < 3


def test_all_leads_are_told_when_none_is_named(tmp_path: Path) -> None:
    """Without --lead the JSON has one object per lead of the model."""
    path = flights(tmp_path, row(), row(Vlo_I="8"))
    told = json.loads(asked("--data", path, "--no-schedule", "--json").stdout)

    assert list(told["leads"]) == ["schedule", "24h", "12h", "3h", "1h", "30m"]
    assert told["schedule"] is False


@pytest.mark.parametrize("months", ["5", "5-12", "12:5", "1:3", "x:y"])
def test_months_that_are_none_are_refused(tmp_path: Path, months: str) -> None:
    """The sentence shows what two months look like."""
    with pytest.raises(SettingsError, match="two months such as 5:12"):
        asked("--data", flights(tmp_path, row()), "--rolling", months)


@pytest.mark.parametrize("spoil", ["a file", "a folder with something else", "an artefact and no --replace"])
def test_training_is_refused_before_it_begins_where_it_could_not_be_kept(tmp_path: Path, spoil: str) -> None:
    """The destination is looked at before the data is: nothing is read, nothing is lost."""
    out = tmp_path / "out"
    if spoil == "a file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / ("manifest.json" if "artefact" in spoil else "mine.txt")).write_text("mine")
    arguments = ["--data", str(tmp_path / "none.csv"), "--out", str(out)]
    if "artefact" not in spoil:
        arguments.append("--replace")

    with pytest.raises(SettingsError, match=r"out (is a file|exists already|is not an artefact)"):
        CliRunner().invoke(train, arguments, catch_exceptions=False)
    assert [p.read_text() for p in ([out] if out.is_file() else out.iterdir())] == ["mine"]


def test_a_signing_key_that_is_none_is_refused_before_training(tmp_path: Path) -> None:
    """So is a key that cannot be read."""
    arguments = ["--data", str(tmp_path / "none.csv"), "--out", str(tmp_path / "out"), "--sign-key", sys.executable]
    with pytest.raises(SettingsError, match="signing key"):
        CliRunner().invoke(train, arguments, catch_exceptions=False)
