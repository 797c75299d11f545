"""Driving a service with wrk: as fast as it answers, on a fixed number of connections."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from benchmarks.processes import HOST, Service

THREADS = 2
CONNECTIONS = 64
SCRIPT = Path(__file__).with_name("wrk.lua")


class Burst(TypedDict):
    """What wrk saw; `refused` are answers with a status above 399, `checked` answers were looked at one by one."""

    requests: int
    duration_s: float
    bytes: int
    p50_ms: float
    p99_ms: float
    refused: int
    socket_errors: int
    checked: int
    wrong: int


class Measured(TypedDict):
    """One measurement of one service."""

    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int
    bytes_per_answer: float
    cpu_s_per_1000: float


@dataclass(frozen=True)
class Load:
    """What is sent: the lines of the file *bodies* to *path*; *sign* stands in each right answer."""

    path: str
    bodies: Path
    sign: str
    connections: int = CONNECTIONS


def drive(service: Service, load: Load, seconds: int, *, check: bool = False) -> Burst:
    """Send *load* for some *seconds* and return what came back; raises CalledProcessError where wrk fails.

    With *check* every answer is looked at.
    """
    headers = [word for name, text in service.headers.items() for word in ("-H", f"{name}: {text}")]
    command = [
        "wrk", "-t", str(THREADS), "-c", str(load.connections), "-d", f"{seconds}s", "-s", str(SCRIPT), *headers,
        f"http://{HOST}:{service.port}{load.path}", "--", str(load.bodies), *(["check", load.sign] if check else []),
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    burst: Burst = json.loads(said.strip().splitlines()[-1])
    return burst


def measure(service: Service, load: Load, seconds: int) -> Measured:
    """Drive *service* for some *seconds* and return its speed and what each 1,000 answers cost in processor time."""
    before = service.cpu_seconds()
    burst = drive(service, load, seconds)
    used = service.cpu_seconds() - before
    answers = max(burst["requests"], 1)
    return {
        "requests": burst["requests"],
        "requests_per_s": burst["requests"] / burst["duration_s"],
        "p50_ms": burst["p50_ms"],
        "p99_ms": burst["p99_ms"],
        "errors": burst["refused"] + burst["socket_errors"],
        "bytes_per_answer": burst["bytes"] / answers,
        "cpu_s_per_1000": used / answers * 1000,
    }
