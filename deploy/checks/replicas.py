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
    """Two replicas are replaced in turn, drained first, at 500 requests/s for 60 s: 0 failed, rows equal answers."""
    if why := no_balancer() or no_postgres():
        raise NotRun(why)
    command = (sys.executable, "-m", "pytest", "-s", "--timeout", "300", DRILL)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    figures = re.findall(r"^DRILL (.*)$", done.stdout, re.MULTILINE)
    if done.returncode or not re.search(r"^1 passed", done.stdout, re.MULTILINE):
        raise CommandFailed(command, done.returncode, done.stdout + done.stderr)
    return "\n".join(figures)
