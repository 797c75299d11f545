"""haproxy before several replicas: who is ready gets requests, who leaves gets no new ones."""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import HOST, free_port
from tests.drill.service import until

CONFIG = """
global
    maxconn 4000
    stats socket {folder}/admin mode 600 level admin
    hard-stop-after 5s
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 2s
    timeout http-keep-alive 30s
    # A connection that was refused carried no request: another replica is tried.
    retries 3
    retry-on conn-failure
    option redispatch 1
frontend atraso
    bind {host}:{port}
    default_backend replicas
backend replicas
    balance roundrobin
    option httpchk GET /health/ready
    http-reuse safe
{servers}
"""
SERVER = "    server {name} {host}:{port} check inter 200ms fall 2 rise 1 pool-purge-delay 1s"


@dataclass(frozen=True)
class Balancer:
    """A running haproxy that listens on `port`."""

    port: int
    folder: Path

    def tell(self, command: str) -> str:
        """Return what it answers to a command on its socket."""
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(self.folder / "admin"))
            door.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: door.recv(65536), b"")).decode()

    def facts(self, name: str) -> dict[str, str]:
        """Return what it knows of the replica *name*."""
        rows = csv.DictReader(io.StringIO(self.tell("show stat").removeprefix("# ")))
        return next(row for row in rows if row["pxname"] == "replicas" and row["svname"] == name)

    def is_up(self, name: str) -> bool:
        """Tell whether the replica *name* gets requests."""
        return self.facts(name)["status"].startswith("UP")

    def take_out(self, name: str, within_s: float = 10.0) -> None:
        """Send no new request to the replica *name*, and wait until it has answered those it has."""
        self.tell(f"set server replicas/{name} state drain")
        until(lambda: self.facts(name)["scur"] == "0", within_s)

    def take_in(self, name: str, within_s: float = 10.0) -> None:
        """Send requests to the replica *name* again as soon as it is ready."""
        self.tell(f"set server replicas/{name} state ready")
        until(lambda: self.is_up(name), within_s)


def missing() -> str:
    """Return why there can be no haproxy here, nothing where there can."""
    return "" if _program() else "haproxy is not installed: apt-get install haproxy"


def _program() -> str | None:
    return shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


@contextlib.contextmanager
def balancing(ports: Sequence[int]) -> Iterator[Balancer]:
    """Run haproxy before replicas on *ports*, which it calls `replica0`, `replica1` and so on."""
    program = _program()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="atraso-haproxy-") as made:
        folder, port = Path(made), free_port()
        servers = "\n".join(SERVER.format(name=f"replica{n}", host=HOST, port=p) for n, p in enumerate(ports))
        config = folder / "haproxy.cfg"
        config.write_text(CONFIG.format(folder=folder, host=HOST, port=port, servers=servers))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([program, "-db", "-f", config], stdout=log, stderr=log)
        balancer = Balancer(port, folder)
        try:
            deadline = time.monotonic() + 10
            while not (folder / "admin").exists():
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            until(lambda: all(balancer.is_up(f"replica{n}") for n in range(len(ports))), 10.0)
            yield balancer
        finally:
            process.terminate()
            process.wait(10)
