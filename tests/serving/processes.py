"""Starting the service as a user does, and looking at its processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "atraso", "serve")


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without settings of the service, and with *more*."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ATRASO_")} | more


def children(pid: int) -> set[int]:
    """Return the living child processes of *pid*."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.add(int(stat.parent.name))
    return found


def alive(pid: int) -> bool:
    """Tell whether *pid* runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(true: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait until *true* is, or fail."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@dataclass
class Service:
    """A started service; `line` is what it said when it was ready."""

    process: subprocess.Popen[str]
    line: str
    port: int

    @property
    def workers(self) -> set[int]:
        """Return the process ids of its workers."""
        return children(self.process.pid)

    def get(self, path: str) -> dict[str, object]:
        """Return the JSON at *path*."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            document: dict[str, object] = json.load(answer)
            return document

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float, str]:
        """Send a signal and return the exit code, the seconds it took, and what was said on standard error."""
        began = time.monotonic()
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, time.monotonic() - began, errors


@contextlib.contextmanager
def service(*arguments: str, command: tuple[str, ...] = COMMAND, **environment: str) -> Iterator[Service]:
    """Start the service on a free port, wait until it says that it is ready, and end it afterwards."""
    process = subprocess.Popen(
        [*command, "--port", "0", *arguments],
        env=clean_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        port = re.search(r":(\d+) ", line)
        assert port is not None, process.communicate(timeout=20)
        yield Service(process, line, int(port[1]))
    finally:
        # The whole group, so that nothing stays whatever a test has found.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)


def refused(*arguments: str, **environment: str) -> str:
    """Return the one sentence with which the command refuses to start."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("atraso: ").rstrip("\n")
