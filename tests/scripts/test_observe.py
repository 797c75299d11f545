"""What `make observe` does about its surroundings: ports that are taken, and a service where systems log in."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.observe import PACKAGES, PORTS, as_observed

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not all(map(shutil.which, PACKAGES)), reason="apt-get install prometheus prometheus-alertmanager")
@pytest.mark.parametrize("name", ["prometheus-port", "webhook-port"])
def test_a_port_that_is_taken_is_told_with_what_to_type(name: str, tmp_path: Path) -> None:
    """Whichever of them it is: a sentence and no traceback, before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = dict.fromkeys(PORTS, 0) | {name: taken.getsockname()[1]}
        options = [word for option, port in chosen.items() for word in (f"--{option}", str(port))]
        command = [sys.executable, "-m", "scripts.observe", "--data", str(tmp_path / "data"), *options]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    typed = f"make observe {name.replace('-', '_').upper()}=0 takes a free one"
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"port {chosen[name]} cannot be had (Address already in use): {typed}\n"
    assert not (tmp_path / "data").exists()


def test_make_passes_each_port_on() -> None:
    """What the sentence says to type is what the Makefile takes."""
    said = subprocess.run(
        ["make", "-n", "observe", *(f"{name.replace('-', '_').upper()}=1{at}" for at, name in enumerate(PORTS))],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    for at, name in enumerate(PORTS):
        assert f"--{name} 1{at}" in said.stdout


@pytest.mark.parametrize(
    ("environ", "own_port", "probed"),
    [
        ({}, False, True),
        ({"ATRASO_AUTH": "keys"}, True, False),
        ({"ATRASO_AUTH": "keys", "ATRASO_KEY": "a key"}, True, True),
        ({"ATRASO_AUTH": "keys", "ATRASO_METRICS_OPEN": "true"}, False, False),
        ({"ATRASO_METRICS_PORT": "0"}, True, True),
    ],
)
def test_metrics_are_read_and_the_prober_let_in_where_systems_log_in(
    environ: dict[str, str], own_port: bool, probed: bool
) -> None:
    """Metrics that the main port would not show have a free port of their own; a prober without a key is none."""
    told, found = as_observed(environ)

    assert (set(told) == {"ATRASO_METRICS_PORT"}, found) == (own_port, probed)
    assert all(0 < int(port) < 65536 for port in told.values())
