"""How the services of the benchmark are started, and what their packages take."""

from __future__ import annotations

import sys
from pathlib import Path

from atraso.identity.keys import Keys
from atraso.ledger.desk import Desk
from benchmarks.contenders import CONTENDERS, NGINX, OURS
from benchmarks.environment import SOURCE, look_into
from benchmarks.machine import TOLD
from benchmarks.services import ENVIRONMENT_OF, launch


def test_atraso_is_measured_with_everything_on(tmp_path: Path) -> None:
    """Keys are asked for, answers are kept, and the header holds a key that counts."""
    how = launch(OURS, 5001, tmp_path)
    keys = Keys(Desk(Path(how.variables["ATRASO_DATA"])).list_keys())

    assert how.variables["ATRASO_AUTH"] == "keys"
    assert how.variables["ATRASO_LEDGER"] == "spool"
    known = keys.facts_of(how.headers["Authorization"].removeprefix("Bearer "))
    assert known is not None and known.roles == ("predict",)


def test_each_rival_has_pins_and_told_versions() -> None:
    """Every service but ours and nginx has a file of pinned packages and a list of versions that are told."""
    services = {contender.service for contender in CONTENDERS}

    assert set(ENVIRONMENT_OF) == services - {NGINX, OURS}
    assert set(TOLD) == services - {NGINX}
    pins = SOURCE.parents[1] / "benchmarks" / "peers"
    assert {path.stem for path in pins.glob("*.txt")} == set(ENVIRONMENT_OF.values())


def test_a_base_installation_is_smaller_than_what_the_tests_need() -> None:
    """Ours is sized by what it needs itself, not by the environment it is measured in."""
    ours = look_into(sys.executable, ("numpy", "no-such-package"), only_needed_by="atraso")
    everything = look_into(sys.executable, ())

    assert ours["versions"].keys() == {"numpy"}
    assert 10 < ours["installed_mb"] < everything["installed_mb"]
