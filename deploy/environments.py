"""The environments that hold the tools of the checks: one each, because their dependencies quarrel."""

from __future__ import annotations

from pathlib import Path

from deploy.checks import ROOT, tool

# Made by `make deploy-tools` from deploy/checks/requirements-NAME.txt.
FOLDER = ROOT / ".venv-deploy"
INSTALL = "run `make deploy-tools`"


def own_tool(environment: str, name: str) -> Path:
    """Return the program *name* of an environment, or the machine's own; raises NotRun where there is neither."""
    return Path(tool(name, INSTALL, beside=FOLDER / environment / "bin"))
