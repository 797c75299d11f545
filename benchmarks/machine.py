"""Where and with what a number was measured, and the tools it takes to measure one."""

from __future__ import annotations

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

from benchmarks.contenders import BENTOML, FASTAPI, FLASK, FLASK_THREADS, LITSERVE, MLSERVER, NGINX, OURS, RAY
from benchmarks.environment import look_into
from benchmarks.processes import ROOT
from benchmarks.services import python_of

FLASKS = ("flask", "gunicorn", "scikit-learn", "numpy")
# The packages of each service whose versions are told.
TOLD = {
    OURS: ("uvicorn", "uvloop", "httptools", "starlette", "msgspec", "numpy"),
    FASTAPI: ("fastapi", "pydantic", "starlette", "uvicorn", "uvloop", "httptools", "numpy"),
    FLASK: FLASKS,
    FLASK_THREADS: FLASKS,
    BENTOML: ("bentoml", "pydantic", "starlette", "uvicorn", "uvloop", "httptools", "numpy"),
    MLSERVER: ("mlserver", "fastapi", "pydantic", "uvicorn", "uvloop", "httptools", "numpy"),
    LITSERVE: ("litserve", "fastapi", "pydantic", "uvicorn", "uvloop", "httptools", "numpy"),
    RAY: ("ray", "pydantic", "starlette", "uvicorn", "uvloop", "httptools", "numpy"),
}
# Command -> Debian's package that has it.
TOOLS = {"wrk": "wrk", "nginx": "nginx-light"}


class MissingToolError(Exception):
    """Something that the benchmark drives is not installed; the message says what to do."""


def need_tools(services: set[str]) -> None:
    """Make sure that wrk, nginx and the environments of *services* are there; as root on Debian the first two are
    fetched."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        _fetch(missing)
        missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        names = " ".join(missing)
        raise MissingToolError(f"the benchmark needs {names}: as root, apt-get install {names}")
    for service in services & {FASTAPI, FLASK, FLASK_THREADS}:
        if not python_of(service).is_file():
            raise MissingToolError(f"{service} has no environment yet: run `make bench`, which makes it")


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
            **{name: version(name) for name in TOLD[OURS]},
            "nginx": _said(["nginx", "-v"], r"nginx/(\S+)"),
            "wrk": _said(["wrk", "-v"], r"wrk (?:debian/)?(\S+)"),
        },
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


def installed(service: str) -> dict[str, Any]:
    """Return `versions` of a service and `installed_mb`: its packages, Atraso's own among them, without Python.

    Ours counts what a base installation has; nginx is its Debian package, without what that depends on.
    """
    if service == NGINX:
        package = _said(["dpkg", "-S", shutil.which("nginx") or "nginx"], r"^(\S+):")
        kib = _said(["dpkg-query", "-W", "-f", "${Installed-Size}", package], r"(\d+)")
        size_mb = round(int(kib) * 1024 / 1e6, 1) if kib.isdigit() else None
        return {"versions": {"nginx": _said(["nginx", "-v"], r"nginx/(\S+)")}, "installed_mb": size_mb}
    if service == OURS:
        return look_into(sys.executable, TOLD[OURS], only_needed_by="atraso")
    return look_into(python_of(service), TOLD[service])


def command_line() -> list[str]:
    """Return the command line of this process as a person would type it."""
    return ["python", "-m", "benchmarks.run", *sys.argv[1:]]
