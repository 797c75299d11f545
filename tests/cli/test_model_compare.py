"""`atraso model compare` says whether to change, to people, machines and scripts."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from atraso.artefact.bundle import BUNDLED, read_artefact, read_manifest, write_artefact
from atraso.cli.model import model
from atraso.core.errors import AtrasoError, SettingsError
from atraso.ledger.shadow import Versions, unanswered
from tests.ledger.judged import keep, left, said
from tests.ledger.places import Place
from tests.ledger.test_shadow import OTHER, beside, shadowed

CHAMPION = read_manifest(BUNDLED).version


def filled(place: Place, knows: float) -> None:
    """Keep ten days of 60 flights, answered by both; the challenger is nearer to what came by *knows*."""
    start = int(time.time()) // 60 - 12 * 1440
    flights = [(number, start + number * 24, number % 4 == 0) for number in range(600)]
    keep(
        place,
        [said(number, 0.3, due=due, model_version=CHAMPION) for number, due, _ in flights],
        [left(number, 40 if late else 0, due=due) for number, due, late in flights],
    )
    came = {str(number): late for number, _, late in flights}
    asked = unanswered(place.engine, Versions(CHAMPION, OTHER), "", 10_000)
    shadowed(place, *(beside(one, 0.3 + knows * (came[one.flight_number] - 0.3)) for one in asked))


def run(place: Place, *arguments: str, **environment: str) -> Result:
    known = {"ATRASO_LEDGER_URL": place.url} | environment
    return CliRunner(env=known).invoke(
        model, ["compare", "--data", str(place.data), *arguments], catch_exceptions=False
    )


def test_people_read_a_table_and_a_sentence(tmp_path: Path) -> None:
    """And the exit code says whether to change; the other way round it is no."""
    place = Place(tmp_path, None)
    filled(place, 0.2)
    place.close()
    found = run(place, OTHER)
    assert found.exit_code == 0
    assert f"champion {CHAMPION}, challenger {OTHER}: flights due in the last 28 days" in found.stdout
    assert re.search(r"3h +600 +0\.\d{4} +0\.\d{4} +-0\.\d{4} \[-0\.\d{4} -0\.\d{4}\]", found.stdout)
    assert re.search(r"switch: 600 flights on 1[012] days .*; 0 answers stand alone", found.stdout)
    back = run(place, CHAMPION, "--champion", OTHER)
    assert (back.exit_code, "stay: 600 flights" in back.stdout) == (1, True)
    few = run(place, OTHER, "--days", "3")
    assert (few.exit_code, "too few: " in few.stdout) == (1, True)


def test_machines_read_json(postgres_place: Place) -> None:
    """Of a ledger in PostgreSQL, with the verdict in words."""
    filled(postgres_place, 0.0)
    found = run(postgres_place, OTHER, "--json")
    told = json.loads(found.stdout)
    assert (found.exit_code, told["verdict"], told["flights"]) == (1, "not decided", 600)
    assert told["overall"]["log_loss"]["difference"] == told["leads"]["3h"]["log_loss"]["high"] == 0.0


def test_the_setting_names_the_challenger(tmp_path: Path) -> None:
    """By its folder too; without it, and for the model in use itself, a sentence says what to do."""
    manifest, tables = read_artefact(BUNDLED)
    write_artefact(tmp_path / "another", msgspec.structs.replace(manifest, decision_threshold=0.5), tables)
    place = Place(tmp_path / "data", None)
    place.data.mkdir()
    keep(place, [said(1, 0.3, model_version=CHAMPION)])
    place.close()
    found = run(place, "--json", ATRASO_CHALLENGER=str(tmp_path / "another"))
    assert json.loads(found.stdout)["challenger"] == read_manifest(tmp_path / "another").version
    with pytest.raises(AtrasoError, match="name its version, or set ATRASO_CHALLENGER"):
        run(place)
    with pytest.raises(AtrasoError, match="is the model in use"):
        run(place, CHAMPION)
    with pytest.raises(AtrasoError, match="nothing has been kept yet"):
        run(Place(tmp_path / "none", None), OTHER)


@pytest.mark.parametrize("named", [("nope",), (OTHER, "--champion", "nope")])
def test_a_version_that_nobody_knows_is_told(tmp_path: Path, named: tuple[str, ...]) -> None:
    """Exit code 2, not "too few": a name that is misspelt is no answer. One in use without answers has too few."""
    place = Place(tmp_path, None)
    filled(place, 0.2)
    place.close()
    with pytest.raises(SettingsError, match="There is no model nope: it is not among those at hand"):
        run(place, *named)
    assert "too few: " in run(place, CHAMPION, "--champion", OTHER, "--days", "3").stdout
