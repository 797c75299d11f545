"""wrk against a service that asks for keys: its top rate, and many requests in a short time."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from atraso.stress.questions import PREDICTIONS, body_of, write_bodies
from benchmarks.processes import HOST
from benchmarks.wrk import CONNECTIONS, SCRIPT, THREADS, Burst
from tests.drill.full import Full
from tests.drill.service import flights

WARM_UP_S = 2
FOR_S = 8


def top_rate(full: Full) -> float:
    """Return the most answers a second that wrk gets, after a warm-up; none may be refused."""
    drive(full, WARM_UP_S)
    requests, took_s = drive(full, FOR_S)
    return requests / took_s


def drive(full: Full, seconds: int, asked: Sequence[Mapping[str, str]] = ()) -> tuple[int, float]:
    """Ask as fast as the service answers for some *seconds*; return how many answers came and how long it took.

    The flights are those *asked*, or else the drill's.
    """
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed (apt-get install wrk)")
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        write_bodies(bodies, [body_of(flight) for flight in asked or flights()])
        burst = _drive(full, bodies, seconds)
    assert burst["refused"] + burst["socket_errors"] == 0
    return burst["requests"], burst["duration_s"]


def _drive(full: Full, bodies: Path, seconds: int) -> Burst:
    command = [
        "wrk", "-t", str(THREADS), "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", str(SCRIPT),
        "-H", f"Authorization: Bearer {full.key}", f"http://{HOST}:{full.port}{PREDICTIONS}", "--", str(bodies),
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    burst: Burst = json.loads(said.strip().splitlines()[-1])
    return burst
