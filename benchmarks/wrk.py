"""Driving a service with wrk: as fast as it answers, on a fixed number of connections."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TypedDict

from benchmarks.processes import HOST, Service
from benchmarks.questions import PREDICTIONS

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


def drive(service: Service, bodies: Path, seconds: int, *, check: bool = False) -> Burst:
    """Send *bodies* for some *seconds* and return what came back; raises CalledProcessError where wrk fails."""
    command = [
        "wrk", "-t", str(THREADS), "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", str(SCRIPT),
        f"http://{HOST}:{service.port}{PREDICTIONS}", "--", str(bodies), "check" if check else "count",
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    burst: Burst = json.loads(said.strip().splitlines()[-1])
    return burst


def measure(service: Service, bodies: Path, seconds: int) -> Measured:
    """Drive *service* for some *seconds* and return its speed and what each 1,000 answers cost in processor time."""
    before = service.cpu_seconds()
    burst = drive(service, bodies, seconds)
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
