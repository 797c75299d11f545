"""One container of the service, run as production runs it: read-only, without rights, on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.checks import CommandFailed
from deploy.engine import Engine

HOST = "127.0.0.1"
LOCKED = (
    "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--memory", "512m",
    "--tmpfs", "/tmp", "--tmpfs", "/data:mode=1777",  # noqa: S108 - the container's own
)  # fmt: skip
READY_POLL_S = 0.01
# Each worker looks for new keys once a second.
KEY_KNOWN_AFTER_S = 1.5
ASK_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Container:
    """A started container; `started_at` is when its start was asked for (monotonic clock)."""

    engine: Engine
    name: str
    port: int
    started_at: float

    def exec(self, *command: str) -> str:
        """Return what a command in it prints; raises CommandFailed."""
        return self.engine.run("exec", self.name, *command)

    def logs(self) -> str:
        """Return what it said on both outputs."""
        return self.engine.run("logs", self.name)

    def stopped(self, within_s: int) -> tuple[int, float]:
        """Have it stopped by its own signal; return its exit code and the seconds that took."""
        began = time.monotonic()
        self.engine.run("stop", "-t", str(within_s), self.name, timeout_s=within_s + 30)
        took_s = time.monotonic() - began
        return int(self.engine.run("inspect", self.name, "--format", "{{.State.ExitCode}}")), took_s

    def ready_after_s(self, within_s: float) -> float:
        """Wait until it says that it is ready; return the seconds since its start. Raises AssertionError."""
        while time.monotonic() - self.started_at < within_s:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/health/ready")[0] == 200:
                    return time.monotonic() - self.started_at
            time.sleep(READY_POLL_S)
        raise AssertionError(f"not ready within {within_s:g} s; it said:\n{self.logs()}")

    def ask(
        self, method: str, path: str, content: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON of an answer."""
        return asked(self.port, method, path, content, headers)


def asked(
    port: int, method: str, path: str, content: Any = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Return status and JSON (or text) of an answer of what listens on *port* of this machine."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ASK_WITHIN_S)
    try:
        body = None if content is None else json.dumps(content)
        connection.request(method, path, body, {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(text)
        return answer.status, text
    finally:
        connection.close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def started(
    engine: Engine, image: str, *options: str, command: tuple[str, ...] = (), **environment: str
) -> Iterator[Container]:
    """Run *image* with *options* and variables on a free port, and remove it afterwards."""
    port, name = free_port(), f"atraso-check-{secrets.token_hex(4)}"
    variables = {"ATRASO_PORT": str(port), **environment}
    told = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
    began = time.monotonic()
    try:
        # Health is asked for by hand: where there is no systemd nothing else would.
        no_timer = ["--no-healthcheck"]
        engine.run(
            "run", "-d", "--name", name, "--network", "host", *no_timer, *LOCKED, *options, *told, image, *command
        )
        yield Container(engine, name, port, began)
    finally:
        with contextlib.suppress(CommandFailed):
            engine.run("rm", "-f", "-v", name)
