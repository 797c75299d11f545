"""From a year of BTS rows to a model, its scores and its answers, by the commands a stranger would use."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from atraso.cli.main import cli
from atraso.core.errors import FieldError
from tests.sources.bts_files import a_year_of_rows, bts_text, form_text, row, zipped
from tests.training.quick import train_quickly


@pytest.fixture(scope="module")
def few_rounds() -> Iterator[None]:
    """Learn with a few of the rounds: the way is the same, and fast enough for a test."""
    with pytest.MonkeyPatch.context() as patch:
        train_quickly(patch, 25, 2)
        yield


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a year as the zip BTS offers."""
    path = tmp_path_factory.mktemp("bts") / "On_Time_2017.zip"
    path.write_bytes(zipped(bts_text(*a_year_of_rows())))
    return path


def run(*arguments: object) -> Result:
    """Run the command in this process; its own errors are raised."""
    done = CliRunner().invoke(cli, [*map(str, arguments)], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


@pytest.fixture(scope="module")
def model(year: Path, few_rounds: None) -> Path:
    """Train on the departures from Newark and return the artefact's folder."""
    folder = year.parent / "newark"
    done = run("train", "--source", "bts", "--data", year, "--origin", "EWR", "--out", folder, "--json")
    scores = json.loads(done.stdout)["scores"]
    assert scores["1h"]["brier_skill"] > scores["schedule"]["brier_skill"] > 0
    return folder


def test_the_model_is_of_the_origin_asked_for(model: Path) -> None:
    """Trained with --origin EWR it knows Newark and its five airlines, and nothing of Atlanta."""
    manifest = json.loads((model / "manifest.json").read_text())
    assert [airport["icao"] for airport in manifest["airports"]] == ["KEWR"]
    assert {airline["icao"] for airline in manifest["airlines"]} == {"UAL", "AAL", "DAL", "JBU", "EDV"}
    assert (manifest["trained_from"], manifest["trained_to"]) == ("2017-01-01", "2017-12-31")


@pytest.mark.parametrize("told", [bts_text, form_text])
def test_a_bts_file_is_answered_by_it(model: Path, tmp_path: Path, told) -> None:
    """A month to come, as BTS would write it, is answered row by row; other origins are left out and counted."""
    flights = tmp_path / "next.csv"
    asked = [row(FlightDate="2018-01-15", Origin=origin) for origin in ("EWR", "ATL", "EWR")]
    asked[2] |= {"CRSDepTime": "2400", "DepTime": "", "DepDelay": ""}
    flights.write_text(told(*asked))
    done = run("predict", flights, "-o", tmp_path / "out.csv", "--model", model, "--origin", "EWR,JFK")
    answers = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [answer["scheduled_departure"] for answer in answers] == ["2018-01-15 08:30", "2018-01-16 00:00"]
    assert [(answer["airline"], answer["origin"]) for answer in answers] == [("UA", "EWR")] * 2
    assert all(0 < float(answer["delay_probability"]) < 1 for answer in answers)
    assert "2 flights answered" in done.stderr
    assert "1 row of other origins left out, no row rejected" in done.stderr


def test_it_is_evaluated_on_the_origin_asked_for(model: Path, year: Path) -> None:
    """evaluate takes the same --source and --origin, and scores Newark's departures alone."""
    common = ("--source", "bts", "--data", year, "--model", model, "--lead", "schedule", "--json")
    newark = json.loads(run("evaluate", *common, "--origin", "KEWR").stdout)
    gone = sum(cells["Cancelled"] != "1.00" for cells in a_year_of_rows() if cells["Origin"] == "EWR")
    assert newark["n"] == gone
    assert newark["auc"] > 0.6


def test_an_origin_nobody_knows_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    """A slip of the pen in --origin costs no waiting, whatever the verb."""
    for verb in (
        ("train", "--out", tmp_path / "m", "--data", "none"),
        ("evaluate", "--data", "none"),
        ("predict", "none"),
    ):
        with pytest.raises(FieldError, match="--origin: 'ZZZ' is not the IATA code"):
            run(*verb, "--origin", "ZZZ")


def test_every_data_verb_offers_the_same_sources() -> None:
    """train and evaluate name scl, nyc and bts in their help."""
    for verb in ("train", "evaluate"):
        assert "[scl|nyc|bts]" in run(verb, "--help").stdout
