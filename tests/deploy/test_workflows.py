"""What the workflows do, as far as no runner is needed to see it; the tools that read them are in deploy/checks."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.checks.linters import check_actions_are_pinned

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEXTS = {file.stem: file.read_text("utf-8") for file in FILES}
WORKFLOWS: dict[str, dict[str, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}


def steps() -> list[dict[str, Any]]:
    """Return the steps of all jobs of all workflows."""
    return [step for flow in WORKFLOWS.values() for job in flow["jobs"].values() for step in job["steps"]]


def script(name: str) -> str:
    """Return what the step *name* runs."""
    (found,) = [step["run"] for step in steps() if step.get("name") == name]
    return str(found)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_failure_on_the_left_of_a_pipe_is_seen(name: str) -> None:
    """GitHub runs a step with pipefail only where the shell is named; otherwise `terraform plan | tee` never fails."""
    flow = WORKFLOWS[name]

    assert flow["defaults"]["run"]["shell"] == "bash"
    assert not [step for job in flow["jobs"].values() for step in job["steps"] if "shell" in step]


def test_every_action_is_named_by_a_digest_that_somebody_vouches_for() -> None:
    """No tag can be moved under the pipeline, and docs/decisions says where each digest was seen."""
    assert int(check_actions_are_pinned().split()[0]) > 10


def test_every_variable_that_workflows_ask_for_is_described() -> None:
    """docs/cloud.md has each variable of the repository that a workflow reads, and no other."""
    asked = {name for text in TEXTS.values() for name in re.findall(r"\bvars\.([A-Z_]+)", text)}
    table = (
        (ROOT / "docs/cloud.md").read_text("utf-8").split("| variable of the repository |", 1)[1].split("\n\n", 1)[0]
    )
    described = set(re.findall(r"`([A-Z][A-Z_]+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:])))

    assert asked == described


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_what_terraform_is_given_it_knows(environment: str) -> None:
    """Each TF_VAR_ of the workflow is a variable of both environments, and those without a default are all given."""
    text = (ROOT / "deploy/terraform" / environment / "variables.tf").read_text("utf-8")
    known = {name: "default" in body for name, body in re.findall(r'variable "(\w+)" \{(.*?)\n\}', text, re.DOTALL)}
    given = set(re.findall(r"TF_VAR_(\w+):", TEXTS["terraform"]))

    assert given <= set(known)
    assert {name for name, has_default in known.items() if not has_default} <= given


def test_a_variable_that_nobody_set_is_no_empty_word() -> None:
    """What GitHub does not know becomes an empty word, which Terraform refuses for a bool: it has a default here."""
    env = WORKFLOWS["terraform"]["env"]

    assert env["TF_VAR_create_oidc_provider"] == "${{ vars.CREATE_OIDC_PROVIDER || 'true' }}"


def test_commands_of_the_repository_exist() -> None:
    """Each target of make, script and module that a step runs is in the repository."""
    targets = set(re.findall(r"^([\w.$()/-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    scripts = "\n".join(step["run"] for step in steps() if "run" in step)
    made = {word.replace(".venv", "$(VENV)") for word in re.findall(r"\bmake (\S+)", scripts)}

    assert made and made <= targets, made - targets
    for module in re.findall(r"python -m (scripts\.\w+)", scripts):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
    for path in re.findall(r"^\s*(scripts/\S+)", scripts, re.MULTILINE):
        assert os.access(ROOT / path, os.X_OK)


@pytest.mark.parametrize(
    ("runs", "code", "ends", "says"),
    [
        (2, 0, 0, "compared"),
        (2, 1, 0, "::warning::"),
        (2, 2, 0, "compared"),
        (2, 70, 70, "compared"),
        (1, 70, 0, "no earlier run"),
    ],
)  # fmt: skip
def test_a_slower_run_is_told_and_a_broken_comparison_fails(
    tmp_path: Path, runs: int, code: int, ends: int, says: str
) -> None:
    """The step runs as it stands: a comparison that says slower warns, one that cannot be made fails the job."""
    command = tmp_path / ".venv/bin/atraso"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\necho "compared $3 with $4"\nexit {code}\n')
    command.chmod(0o755)
    for folder in ("last", "record")[-runs:]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "run.json").touch()

    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script("What is different from the last run")],
        cwd=tmp_path, env={**os.environ, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip

    assert done.returncode == ends, done.stderr
    assert says in done.stdout
    if runs == 2:
        assert "compared last/run.json with record/run.json" in (tmp_path / "summary").read_text()
