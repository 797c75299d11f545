"""The service with a real Prometheus and Alertmanager on this machine: `make observe`, until Ctrl-C.

All listen on loopback. Notifications come to a small listener here, which prints them. `--faster 60` divides every
duration of the rules, so that an alert of an hour can be watched in a minute.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from atraso.core.errors import AtrasoError
from atraso.settings import PREFIX, load_settings
from atraso.slo.config import alertmanager_config, prometheus_config
from atraso.slo.loading import load_promise
from atraso.slo.render import as_yaml, rule_files
from atraso.slo.windows import shorter

ATRASO = Path(sys.executable).with_name("atraso")
HOST = "127.0.0.1"
START_WITHIN_S = 60.0
METRICS_PORT = f"{PREFIX}METRICS_PORT"
# Options, and where the parts are without them.
PORTS = {"port": 5000, "prometheus-port": 9090, "alertmanager-port": 9093, "webhook-port": 9095}
PACKAGES = {"prometheus": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager"}


@dataclass(frozen=True)
class Ports:
    """Where each part listens; `metrics` is where the service tells its own, which may be its main port."""

    service: int
    metrics: int
    probe: int
    prometheus: int
    alertmanager: int
    webhook: int


class _Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # the name is the library's
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in told["alerts"]:
            labels = alert["labels"]
            burn = f" ({labels['burn']})" if "burn" in labels else ""
            say(f"{self.path[1:]}: {alert['status']} {labels['alertname']}{burn}: {alert['annotations']['summary']}")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


def say(line: str) -> None:
    """Print a line now, also into a pipe."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def main() -> None:
    """Start all parts, say where they are, and stop them when told to or when one of them ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, port in PORTS.items():
        parser.add_argument(f"--{name}", type=int, default=port, help="0 takes a free one")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--faster", type=int, default=1, help="divide the durations of rules and routes by this")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ATRASO_DATA", ".atraso")))
    chosen = vars(parser.parse_args())
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        sys.exit(f"Missing: apt-get install {' '.join(missing)} (and stop what that starts by itself)")
    at = {name: _free(name, chosen[name.replace("-", "_")]) for name in PORTS}
    try:
        told, probed = as_observed(os.environ)
    except AtrasoError as error:
        sys.exit(str(error))
    metrics = int(told.get(METRICS_PORT, at["port"]))
    ports = Ports(
        at["port"], metrics, _free("probe", 0), at["prometheus-port"], at["alertmanager-port"], at["webhook-port"]
    )
    listener = http.server.ThreadingHTTPServer((HOST, ports.webhook), _Webhook)
    faster = chosen["faster"]
    folder = chosen["data"].absolute() / ("observe" if faster == 1 else f"observe-{faster}")
    _configure(folder, ports, faster, probed=probed)
    signal.signal(signal.SIGTERM, _interrupted)
    commands = _commands(folder, ports, chosen["workers"], faster, probed=probed)
    with contextlib.suppress(KeyboardInterrupt), _running(folder, ports, commands, told) as parts:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        say(f"service       http://{HOST}:{ports.service} (process {parts['service'].pid})")
        say(f"Prometheus    http://{HOST}:{ports.prometheus}/alerts")
        say(f"Alertmanager  http://{HOST}:{ports.alertmanager}")
        if not probed:
            say(
                "no prober: the service asks who calls, so make a key (atraso keys create --name prober --role predict)"
            )
            say("           and give it in ATRASO_KEY; until then AtrasoCorrectnessNoData is told")
        say("notifications are printed here; Ctrl-C stops all")
        while all(part.poll() is None for part in parts.values()):
            time.sleep(0.2)
        ended = next(name for name, part in parts.items() if part.poll() is not None)
        sys.exit(f"{ended} has ended: {folder / f'{ended}.log'} says why")


def as_observed(environ: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """Return what the service is told so that its metrics can be read, and whether a prober is let in.

    Where systems have to log in metrics are on a port of their own. Raises SettingsError.
    """
    settings = load_settings(environ)
    logged_in = settings.auth != "none"
    told = {}
    if settings.metrics_port is not None or (logged_in and not settings.metrics_open):
        told[METRICS_PORT] = str(_free("metrics", settings.metrics_port or 0))
    return told, not logged_in or "ATRASO_KEY" in environ


def _configure(folder: Path, ports: Ports, faster: int, *, probed: bool) -> None:
    promise = load_promise()
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    for left_over in (folder / "rules").glob("*.yml"):
        left_over.unlink()
    for name, text in rule_files(promise, faster).items():
        (folder / "rules" / name).write_text(text, encoding="utf-8")
    scraped = {"atraso": [f"{HOST}:{ports.metrics}"]}
    if probed:
        scraped["atraso-probe"] = [f"{HOST}:{ports.probe}"]
    prometheus = prometheus_config(faster, scraped, [f"{HOST}:{ports.alertmanager}"], "rules/*.yml")
    (folder / "prometheus.yml").write_text(as_yaml(prometheus), encoding="utf-8")
    webhooks = {severity: f"http://{HOST}:{ports.webhook}/{severity}" for severity in promise.webhooks}
    alertmanager = alertmanager_config(promise, faster, webhooks)
    (folder / "alertmanager.yml").write_text(as_yaml(alertmanager), encoding="utf-8")


def _commands(folder: Path, ports: Ports, workers: int, faster: int, *, probed: bool) -> dict[str, list[str | Path]]:
    commands: dict[str, list[str | Path]] = {
        "service": [ATRASO, "serve", "--port", str(ports.service), "--workers", str(workers)],
        "prometheus": [
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus'}",
            "--storage.tsdb.retention.time=45d",
            f"--rules.alert.resend-delay={shorter('1m', faster)}", f"--web.listen-address={HOST}:{ports.prometheus}",
        ],
        "alertmanager": [
            "prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address={HOST}:{ports.alertmanager}",
            "--cluster.listen-address=",
        ],
    }  # fmt: skip
    if probed:
        service = f"http://{HOST}:{ports.service}"
        commands["probe"] = [ATRASO, "probe", "--url", service, "--every", "15", "--metrics-port", str(ports.probe)]
    return commands


@contextlib.contextmanager
def _running(
    folder: Path, ports: Ports, commands: Mapping[str, list[str | Path]], told: Mapping[str, str]
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    prometheus = f"http://{HOST}:{ports.prometheus}"
    ready = {
        "service": f"http://{HOST}:{ports.service}/health/ready",
        "prometheus": f"{prometheus}/-/ready",
        "alertmanager": f"http://{HOST}:{ports.alertmanager}/-/ready",
    }
    # The page and /v1/objectives tell what is left of the budgets.
    environment = {"ATRASO_PROMETHEUS_URL": prometheus} | os.environ | told
    parts: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("wb") as log:
                # Sessions of their own: Ctrl-C comes here alone, and here they are stopped in turn.
                parts[name] = subprocess.Popen(  # noqa: S603
                    command, stdout=log, stderr=log, start_new_session=True, env=environment
                )
            if name in ready:
                _wait(name, parts[name], ready[name], folder)
        # It finds them some seconds after it is ready; until then alerts would be lost.
        _wait("prometheus", parts["prometheus"], f"{prometheus}/api/v1/alertmanagers", folder, "/api/v2/alerts")
        up = urllib.parse.urlencode({"query": 'up{job="atraso"} == 1'})
        _wait("prometheus", parts["prometheus"], f"{prometheus}/api/v1/query?{up}", folder, '"job":"atraso"')
        yield parts
    finally:
        _stop(parts)


def _stop(parts: dict[str, subprocess.Popen[bytes]]) -> None:
    """End all parts, the last that was started first; whoever presses Ctrl-C again has them killed."""
    try:
        for part in reversed(parts.values()):
            part.terminate()
        for part in parts.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                part.wait(20)
    finally:
        for part in parts.values():
            if part.poll() is None:
                part.kill()


def _wait(name: str, part: subprocess.Popen[bytes], url: str, folder: Path, expected: str = "") -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and part.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            if answer.status == 200 and expected in answer.read().decode():
                return
        time.sleep(0.05)
    sys.exit(f"{name} did not start: {folder / f'{name}.log'} says why")


def _free(name: str, port: int) -> int:
    """Return *port*, or a free one for 0; nothing may listen there yet."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as error:
            made = f"make observe {name.replace('-', '_').upper()}=0 takes a free one" if name in PORTS else name
            sys.exit(f"port {port} cannot be had ({error.strerror}): {made}")
        found: int = tried.getsockname()[1]
        return found


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
