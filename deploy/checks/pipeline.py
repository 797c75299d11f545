"""The steps of the workflows that need no cloud, run as they stand there: what GitHub would type, typed here."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.checks import ROOT, NotRun, run, tool
from deploy.engine import Engine, engine
from deploy.image import source

WORKFLOW = ROOT / ".github" / "workflows" / "pipeline.yml"
# What a runner has and this machine may have by another name. Packages are those of scripts/debian_packages.py here.
SUDO = "#!/bin/sh\nexit 0\n"
PODMAN = '#!/bin/sh\n[ "$1" = info ] && exit 1\nexec podman "$@"\n'


@dataclass(frozen=True, slots=True)
class Runner:
    """A clone of this commit, and what a step finds in its environment."""

    folder: Path
    env: dict[str, str]

    def steps(self, job: str) -> list[str]:
        """Run the steps of *job* that are commands, one after the other; return their names. Raises CommandFailed."""
        ran = []
        for step in _steps(job):
            if "run" in step and "GH_TOKEN" not in step.get("env", {}):
                env = self.env | {name: self._value(str(value)) for name, value in step.get("env", {}).items()}
                shell = [tool("bash", "apt-get install bash"), "--noprofile", "--norc", "-eo", "pipefail", "-c"]
                run(*shell, step["run"], cwd=self.folder, env=env, timeout_s=1500.0)
                ran.append(step.get("name") or step.get("id") or step["run"].split("\n")[0][:60])
        return ran

    def output(self, name: str) -> str:
        """Return what a step said of itself under *name*."""
        lines = (self.folder / ".output").read_text("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)[name]

    def _value(self, said: str) -> str:
        known = {
            "${{ steps.version.outputs.version }}": "version",
            "${{ needs.build.outputs.version }}": "version",
        }
        return self.output(known[said]) if said in known else said


def check_what_is_built_is_tried() -> str:
    """The jobs `build` and `try`: wheel, image and list of contents are made once, and those very files tried."""
    with _runner() as runner:
        built = runner.steps("build")
        assert runner.output("version") == source().version
        kinds = sorted(file.name for file in (runner.folder / "built").iterdir())
        assert len(kinds) == 4 and kinds[-2:] == ["image.tar.gz", "sbom.cdx.json"], kinds
        tried = runner.steps("try")
    return f"{', '.join(built)}; {', '.join(tried)}"


def check_stress_is_compared() -> str:
    """The job `stress`: a short run, every answer checked; beside a run before it, the difference is told."""
    tool("wrk", "apt-get install wrk")
    with _runner() as runner:
        first = runner.steps("stress")
        (runner.folder / "record").rename(runner.folder / "last")
        runner.steps("stress")
        summary = (runner.folder / ".summary").read_text("utf-8")
    told = summary.partition("no earlier run to compare with.")[2].strip()
    assert told, summary
    return f"{', '.join(first)}\n{told.splitlines()[0]}"


def _steps(job: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"][job]["steps"]
    return steps


@contextlib.contextmanager
def _runner() -> Iterator[Runner]:
    """Yield a runner of this commit with the environment of this repository; raises NotRun without a history."""
    if source().revision == "unknown":
        raise NotRun("a runner checks out a commit, and this is no clone of the repository")
    at = engine()
    with tempfile.TemporaryDirectory(prefix="atraso-runner-") as made:
        folder, programs = Path(made) / "work", Path(made) / "bin"
        run("git", "clone", "--quiet", "--no-hardlinks", ROOT, folder)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        for file in ("pyproject.toml", "requirements.lock", "scripts/debian_packages.py"):
            os.utime(folder / file, (0, 0))  # what they ask for is in .venv already
        programs.mkdir()
        _put(programs, at)
        for name in (".output", ".summary"):
            (folder / name).touch()
        yield Runner(folder, {
            **at.env, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "MAKEFLAGS": "",
            "DISABLE_HC_SYSTEMD": "true",
            "GITHUB_OUTPUT": str(folder / ".output"), "GITHUB_STEP_SUMMARY": str(folder / ".summary"),
            "GITHUB_WORKSPACE": str(folder), "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main",
            "ATRASO_DATA": str(folder / ".atraso"),
        })  # fmt: skip


def _put(programs: Path, at: Engine) -> None:
    said = {"sudo": SUDO, "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'} | (
        {"docker": PODMAN} if at.runner == "podman" else {}
    )
    for name, text in said.items():
        (programs / name).write_text(text, "utf-8")
        (programs / name).chmod(0o755)
