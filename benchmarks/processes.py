"""A service in processes of its own: started, waited for, and stopped."""

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

from atraso.stress.proc import children_of, cpu_seconds_of, memory_of, nice_of

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
START_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0


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
        """Return the *count* children with most memory: servers keep small watchers beside their workers.

        One that gives way to others (Atraso's writer of the ledger) is no worker.
        """
        eager = [pid for pid in children_of(self.process.pid) if nice_of(pid) <= nice_of(self.process.pid)]
        found = sorted(eager, key=lambda pid: memory_of(pid)["rss_mb"], reverse=True)
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
            process_group=0,  # not a session of its own, see `atraso.stress.services`
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
