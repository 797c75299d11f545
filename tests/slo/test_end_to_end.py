"""The service, Prometheus and Alertmanager for real, as `make observe` starts them, with durations divided by 60."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atraso.stress.proc import children_of

ATRASO = Path(sys.executable).with_name("atraso")
ROOT = Path(__file__).parents[2]
FASTER = 60
PAGE_WITHIN_S = 20.0
START_WITHIN_S = 60.0


class Observed:
    """A running `make observe`: what it has said, and the service's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.service, self.address, self.prometheus = 0, "", ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def said(self, pattern: str) -> re.Match[str] | None:
        """Return the first match in what was said so far."""
        return next((found for line in list(self.lines) if (found := re.search(pattern, line))), None)

    def find(self) -> None:
        """Take note of where Prometheus is, and of the service's process, the parent of its workers."""
        service, prometheus = self.said(r"service +(\S+) \(process (\d+)\)"), self.said(r"Prometheus +(\S+)/alerts")
        assert service is not None
        assert prometheus is not None
        self.address, self.service, self.prometheus = service[1], int(service[2]), prometheus[1]

    def firing(self, alert: str) -> bool:
        """Return whether Prometheus knows of *alert* as pending or firing."""
        with urllib.request.urlopen(f"{self.prometheus}/api/v1/alerts", timeout=5) as answer:
            return f'"alertname":"{alert}"' in answer.read().decode()

    def objective(self, name: str) -> Any:
        """Return how the service says that an objective stands."""
        with urllib.request.urlopen(f"{self.address}/v1/objectives", timeout=5) as answer:
            return next(one for one in json.load(answer)["objectives"] if one["name"] == name)


@contextlib.contextmanager
def observed(data: Path) -> Iterator[Observed]:
    """Run `make observe`'s command on free ports, and yield it once all parts are ready."""
    command = [sys.executable, "-m", "scripts.observe", "--faster", str(FASTER), "--data", str(data)]
    for name in ("port", "prometheus-port", "alertmanager-port", "webhook-port"):
        command += [f"--{name}", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATRASO_")}
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    watched = Observed(process)
    try:
        until(lambda: watched.said("Ctrl-C stops all") is not None, START_WITHIN_S, watched)
        watched.find()
        yield watched
    finally:
        if watched.service:
            resume(watched)
        process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def until(condition: Callable[[], bool], within_s: float, watched: Observed) -> None:
    """Wait for *condition*; what was said until then is told where it does not come true."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert watched.process.poll() is None, "\n".join(watched.lines)
        assert time.monotonic() < deadline, f"not within {within_s:g} s:\n" + "\n".join(watched.lines)
        time.sleep(0.05)


def resume(watched: Observed) -> None:
    """Let the service and its workers go on."""
    for pid in (*children_of(watched.service), watched.service):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
    reason="apt-get install prometheus prometheus-alertmanager",
)
def test_a_webhook_gets_the_page_when_all_workers_stop_and_the_resolution_when_they_go_on(tmp_path: Path) -> None:
    """SIGSTOP to all workers pages by way of Prometheus and Alertmanager within 20 s; SIGCONT takes it back.

    Afterwards the report finds in the same Prometheus what the rules recorded, and so does the service.
    """
    page, over = r"page: firing AtrasoDown", r"page: resolved AtrasoDown"
    with observed(tmp_path) as watched:
        # Before the first scrape nothing was known, which is an alert too; from here on all is well.
        until(lambda: not watched.firing("AtrasoDown"), 30.0, watched)
        time.sleep(2.0)  # eight scrapes
        assert not watched.firing("AtrasoDown")
        watched.lines.clear()

        # The parent first: it would replace workers that are silent, as it does for users.
        for pid in (watched.service, *children_of(watched.service)):
            os.kill(pid, signal.SIGSTOP)
        until(lambda: watched.said(page) is not None, PAGE_WITHIN_S, watched)
        assert watched.said(over) is None

        resume(watched)
        until(lambda: watched.said(over) is not None, 60.0, watched)

        reported = subprocess.run(
            [ATRASO, "slo", "report", "--window", "1h", "--prometheus", watched.prometheus, "--json"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert reported.returncode == 0, reported.stderr
        (model,) = (one for one in json.loads(reported.stdout)["objectives"] if one["name"] == "model-freshness")
        assert (model["verdict"], model["total"], model["bad"]) == ("kept", 60, 0)

        # It could not know by itself how old its model was all the time.
        told: list[Any] = []

        def from_prometheus() -> bool:
            told.append(watched.objective("model-freshness"))
            return bool(told[-1]["source"] == "prometheus")

        until(from_prometheus, 90.0, watched)
        assert (told[-1]["measured"], told[-1]["budget_left"]) == (1, 1)
