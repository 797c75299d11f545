"""Where and with what a number was measured."""

from __future__ import annotations

import os
import platform
import re
import ssl
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

PACKAGES = (
    "atraso", "uvicorn", "uvloop", "httptools", "msgspec", "numpy", "pyjwt", "cryptography", "python-ldap",
)  # fmt: skip
SERVERS = "/usr/sbin:/sbin"


class Machine(msgspec.Struct, frozen=True):
    """A machine at a moment; *load* is what ran on it in the minute before, in processors."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    kernel: str
    load: float


def this_machine() -> Machine:
    """Return what this machine is."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        _processor(),
        len(os.sched_getaffinity(0)),
        round(memory_bytes / 1e9, 1),
        platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        platform.release(),
        round(os.getloadavg()[0], 2),
    )


def versions() -> dict[str, str]:
    """Return what is installed of all that takes part."""
    found = {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION.split()[1]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    said = {
        "slapd": _said(["slapd", "-VV"], r"OpenLDAP: slapd (\S+)"),  # with one V it starts a server
        "wrk": _said(["wrk", "-v"], r"wrk \D*([\d.]+)"),
    }
    return found | {name: told for name, told in said.items() if told}


def commit() -> str | None:
    """Return the commit of the code where it runs from a clone, and whether it was changed since."""
    here = Path(__file__).parents[1]
    head = _said(["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"], r"(\w{12})")
    changed = _said(["git", "-C", str(here), "status", "--porcelain", "--untracked-files=no", "--", "."], r"(\S)")
    return f"{head} and changes not committed" if head and changed else head


def now() -> str:
    """Return the date and time, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _said(command: list[str], pattern: str) -> str | None:
    path = f"{os.environ.get('PATH', '')}:{SERVERS}"
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
    except OSError:
        return None
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else None
