"""A service in processes of its own: started, waited for, read in /proc, and stopped."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
START_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class NotStartedError(Exception):
    """A service did not answer in time; the message holds what it said."""


@dataclass(frozen=True)
class Service:
    """A service that runs; `process` is the parent of its workers, `headers` go with each request."""

    process: subprocess.Popen[bytes]
    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    start_s: float = float("nan")

    def worker_pids(self, count: int) -> list[int]:
        """Return the *count* children with most memory: servers keep small watchers beside their workers."""
        found = sorted(children_of(self.process.pid), key=lambda pid: memory_of(pid)["rss_mb"], reverse=True)
        return found[:count]

    def cpu_seconds(self) -> float:
        """Return the processor time that all its living processes have used so far."""
        return sum(cpu_seconds_of(pid) for pid in (self.process.pid, *children_of(self.process.pid)))

    def memory(self, workers: int) -> list[dict[str, float]]:
        """Return the memory of each worker: `rss_mb`, and `pss_mb` in which shared pages are divided."""
        return [memory_of(pid) for pid in self.worker_pids(workers)]

    def memory_all_mb(self) -> float:
        """Return the memory of all its processes together, in which shared pages count once."""
        return sum(memory_of(pid)["pss_mb"] for pid in (self.process.pid, *children_of(self.process.pid)))

    def post(self, path: str, body: bytes, timeout_s: float = 10.0) -> tuple[int, bytes]:
        """Send a JSON body on a connection of its own and return status and answer."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout_s)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", **self.headers})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    path: str,
    body: bytes,
    *,
    variables: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """Run *command* and yield its service once it answers 200 to *body* at *path*; it is stopped afterwards.

    *variables* are set beside those of this process, *headers* go with each request to the service.
    """
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            env=clean_environment() | dict(variables or {}),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            service = Service(process, port, headers or {})
            try:
                wait_until_answering(service, path, body)
            except NotStartedError as error:
                said.seek(0)
                text = said.read().decode(errors="replace")[-2000:]
                raise NotStartedError(f"{' '.join(map(str, command))}: {error}\n{text}") from None
            yield replace(service, start_s=time.monotonic() - began)
        finally:
            stop(process)


def wait_until_answering(service: Service, path: str, body: bytes, every_s: float = 0.005) -> None:
    """Return when the service answers 200; raise NotStartedError when it ended or took too long."""
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        if service.process.poll() is not None:
            raise NotStartedError(f"ended with exit code {service.process.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if service.post(path, body)[0] == 200:
                return
        time.sleep(every_s)
    raise NotStartedError(f"gave no 200 within {START_WITHIN_S:.0f} s")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, its group and its descendants: asked first, then made to."""
    descendants = children_of(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_WITHIN_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # Some servers put their workers into groups of their own.
    for pid in descendants:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def clean_environment() -> dict[str, str]:
    """Return this process's environment without settings of ours and without what `make` tells its children."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("ATRASO_", "MAKE", "MFLAGS"))}


def free_port() -> int:
    """Return a port of the loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def children_of(pid: int) -> list[int]:
    """Return the living descendants of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    direct = [int(word) for word in text.split()]
    return [*direct, *(pid for child in direct for pid in children_of(child))]


def cpu_seconds_of(pid: int) -> float:
    """Return the user and system time of one process; 0 for one that is gone."""
    try:
        # The name in parentheses may hold spaces; utime and stime are the 14th and 15th fields of the whole.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def memory_of(pid: int) -> dict[str, float]:
    """Return `rss_mb` and `pss_mb` (millions of bytes) of one process; zeros for one that is gone."""
    found = {"rss_mb": 0.0, "pss_mb": 0.0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in ("Rss", "Pss"):
                found[f"{name.lower()}_mb"] = int(rest.split()[0]) * 1024 / 1e6
    return found
