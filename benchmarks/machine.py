"""Where and with what a number was measured, and the tools it takes to measure one."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.contenders import FASTAPI_PYTHON
from benchmarks.processes import ROOT

OURS = ("uvicorn", "uvloop", "httptools", "starlette", "msgspec", "numpy")
THEIRS = ("fastapi", "pydantic", "starlette", "uvicorn", "uvloop", "httptools")
# Command -> Debian's package that has it.
TOOLS = {"wrk": "wrk", "nginx": "nginx-light"}


class MissingToolError(Exception):
    """Something that the benchmark drives is not installed; the message says what to do."""


def need_tools() -> None:
    """Make sure that wrk, nginx and the rival's environment are there; as root on Debian the first two are fetched."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        _fetch(missing)
        missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        names = " ".join(missing)
        raise MissingToolError(f"the benchmark needs {names}: as root, apt-get install {names}")
    if not FASTAPI_PYTHON.is_file():
        raise MissingToolError("the FastAPI service has no environment yet: run `make bench`, which makes it")


def _fetch(packages: list[str]) -> None:
    # nginx is started by hand on a port of its own; without this its package would start a service on port 80.
    policy = Path("/usr/sbin/policy-rc.d")
    guarded = not policy.exists()
    if guarded:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            subprocess.run(["apt-get", "-q", *command], stdout=subprocess.DEVNULL, check=False)
    finally:
        if guarded:
            policy.unlink()


def describe(command: list[str]) -> dict[str, Any]:
    """Return machine, date, versions, commit and the command line *command*; sizes in GB."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory_bytes / 1e9, 1),
        "system": _system(),
        "kernel": platform.release(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": os.getloadavg()[0],
        "commit": _commit(),
        "command": " ".join(command),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in OURS},
            "nginx": _said(["nginx", "-v"], r"nginx/(\S+)"),
            "wrk": _said(["wrk", "-v"], r"wrk (?:debian/)?(\S+)"),
        },
        "rival_versions": _rival_versions(),
    }


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "requirements.lock")
    return git("rev-parse", "--short=12", "HEAD") + (" and changes not committed" if changed else "")


def _said(command: list[str], pattern: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(pattern, run.stdout + run.stderr)
    return found[1] if found else "unknown"


def _rival_versions() -> dict[str, str]:
    code = (
        "import json, sys; from importlib.metadata import version\n"
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    run = subprocess.run([str(FASTAPI_PYTHON), "-c", code, *THEIRS], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(run.stdout)
    return found


def command_line() -> list[str]:
    """Return the command line of this process as a person would type it."""
    return ["python", "-m", "benchmarks.run", *sys.argv[1:]]
