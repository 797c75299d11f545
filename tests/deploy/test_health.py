"""The image's health check, asked of a real service."""

import subprocess
import sys

from deploy.checks import ROOT
from tests.serving.processes import clean_environment, service

HEALTH = ROOT / "deploy" / "container" / "health.py"


def checked(port: int) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-IS", HEALTH],
        env=clean_environment(ATRASO_PORT=str(port)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_service_is_healthy_while_it_is_ready() -> None:
    """Exit code 0 and its own words while it answers, 1 and a reason when it is gone."""
    with service("--workers", "1") as running:
        code, said = checked(running.port)
        assert (code, said.startswith('{"status": "ready"')) == (0, True), said

    code, said = checked(running.port)
    assert (code, said.startswith("no answer: ")) == (1, True), said
