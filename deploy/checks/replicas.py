"""Two replicas behind a balancer: the drill of tests/drill/test_replicas.py, run for its figures."""

from __future__ import annotations

import re
import subprocess
import sys

from deploy.checks import ROOT, CommandFailed, NotRun
from tests.drill.balancer import missing as no_balancer
from tests.ledger.postgres_server import missing as no_postgres

DRILL = "tests/drill/test_replicas.py"


def check_replaced_under_load() -> str:
    """Two replicas are replaced in turn, drained or not, at 500 requests/s for 60 s: none fails, rows equal answers."""
    if why := no_balancer() or no_postgres():
        raise NotRun(why)
    command = (sys.executable, "-m", "pytest", "-s", "--timeout", "300", DRILL)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    figures = re.findall(r"^DRILL (.*)$", done.stdout, re.MULTILINE)
    if done.returncode or not re.search(r"^2 passed", done.stdout, re.MULTILINE):
        raise CommandFailed(command, done.returncode, done.stdout + done.stderr)
    return "\n".join(figures)
