"""The rules that are checked in, asked by promtool: when they must fire, and when they must be silent."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.slo.expected import OBJECTIVES
from tests.slo.promtool import CASES, RULES, promtool, write_cases

SCENARIOS = sorted(CASES.glob("*.test.yml"))
pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)


def test_promtool_accepts_every_rule_file() -> None:
    """`promtool check rules` finds nothing wrong, and the files are those of the objectives and the service."""
    files = sorted(RULES.glob("*.yml"))
    run = promtool("check", "rules", *files)

    assert run.returncode == 0, run.stdout + run.stderr
    assert {path.stem for path in files} == {*OBJECTIVES, "service"}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name.removesuffix(".test.yml"))
def test_alerts_fire_when_they_must_and_are_silent_when_they_must(path: Path) -> None:
    """All cases of the file hold: outages, repairs, blips, slow burns, silence, uneven traffic."""
    run = promtool("test", "rules", path.name, folder=path.parent)

    assert run.returncode == 0, run.stdout + run.stderr


def test_there_are_more_than_twenty_cases_and_each_asks_something() -> None:
    """The scenarios are as many as were promised, and none is empty."""
    cases = [case for path in SCENARIOS for case in yaml.safe_load(path.read_text())["tests"]]

    assert len(cases) >= 20
    assert len({case["name"] for case in cases}) == len(cases)
    assert all(case["promql_expr_test"] for case in cases)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_each_threshold_and_each_window_of_an_objective_is_what_was_promised(name: str, tmp_path: Path) -> None:
    """Thresholds hold from both sides, windows hold what is in them, labels are exact, silence is told in time."""
    (tmp_path / "rules.yml").write_text((RULES / f"{name}.yml").read_text())
    paths = write_cases(name, tmp_path, "rules.yml")
    run = promtool("test", "rules", *(path.name for path in paths), folder=tmp_path)

    assert run.returncode == 0, run.stdout + run.stderr


def test_a_changed_threshold_turns_the_cases_red(tmp_path: Path) -> None:
    """The cases can fail: the fast burn's threshold a tenth higher is found (all changes: tests/drill)."""
    changed, times = re.subn(r"> 0\.0072\b", "> 0.00792", (RULES / "availability.yml").read_text())
    (tmp_path / "rules.yml").write_text(changed)
    paths = write_cases("availability", tmp_path, "rules.yml")

    assert times == 2
    assert promtool("test", "rules", paths[0].name, folder=tmp_path).returncode != 0
