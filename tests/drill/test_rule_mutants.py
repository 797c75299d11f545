"""Every rule with one thing changed: the cases have to notice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.slo.expected import OBJECTIVES
from tests.slo.mutants import RuleFile, mutants
from tests.slo.promtool import CASES, RULES, promtool, write_cases

LEAST_KILLED = 0.95
FILES = [*OBJECTIVES, "service"]


@pytest.mark.parametrize("name", FILES)
def test_a_rule_with_one_thing_changed_turns_a_case_red(name: str, tmp_path: Path) -> None:
    """Of all changes of thresholds, windows, operators, matchers and labels in a file at least 95 % are found."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is missing: apt-get install prometheus")
    changed = list(mutants(yaml.safe_load((RULES / f"{name}.yml").read_text())))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(name, folder, *mutant) for folder, mutant in zip(_folders(tmp_path), changed, strict=False)]
        alive = [what for what in pool.map(_survivor, jobs) if what is not None]
    found = 1 - len(alive) / len(changed)
    say("", f"{name}: {len(changed) - len(alive)} of {len(changed)} found ({found:.1%})", *alive)

    assert found >= LEAST_KILLED


def test_rules_that_are_not_changed_turn_no_case_red(tmp_path: Path) -> None:
    """What kills the changed ones passes the true ones."""
    for name, folder in zip(FILES, _folders(tmp_path), strict=False):
        rules = yaml.safe_load((RULES / f"{name}.yml").read_text())

        assert _survivor((name, folder, name, rules)) == name


def say(*lines: str) -> None:
    """Show what was found, also where all is well."""
    print("\n  not found: ".join(lines).replace("\n  not found: ", "\n", 1))  # noqa: T201 - the drill's report


def _survivor(job: tuple[str, Path, str, RuleFile]) -> str | None:
    """Return what was changed when no case noticed, else None."""
    name, folder, what, rules = job
    cases = folder / "tests" / "slo" / "rules"
    deployed = folder / "deploy" / "monitoring" / "rules"
    deployed.mkdir(parents=True)
    shutil.copytree(CASES, cases)
    for path in RULES.glob("*.yml"):
        shutil.copy(path, deployed)
    (deployed / f"{name}.yml").write_text(yaml.safe_dump(rules, sort_keys=False, width=10_000))
    about = f"../../../deploy/monitoring/rules/{name}.yml"
    written = write_cases(name, cases, about) if name in OBJECTIVES else []
    scenarios = [path for path in sorted(CASES.glob("*.test.yml")) if f"rules/{name}.yml" in path.read_text()]
    likely_first = sorted(written, key=lambda path: not path.name.startswith(f"{name} {_about(what)}"))
    try:
        noticed = any(
            promtool("test", "rules", path.name, folder=cases).returncode != 0 for path in (*likely_first, *scenarios)
        )
    finally:
        shutil.rmtree(folder)
    return None if noticed else what


def _about(what: str) -> str:
    """Return which cases are most likely to notice."""
    rule, _, _ = what.partition(": ")
    if rule.endswith(("Burn fast", "Burn slow", "Burn day", "Burn days")):
        return f"{rule.split()[-1]}."
    if "NoData" in rule:
        return "silence"
    return "long" if rule.endswith(("1d", "3d", "30d")) or rule.startswith(("slo:obj", "slo:err")) else "windows"


def _folders(parent: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        yield parent / str(number)
