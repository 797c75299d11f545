"""`atraso probe`: ask known flights again and again, and say whether they are answered as they must be."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from atraso.artefact.manifest import Manifest
    from atraso.cli.probing import Probe
    from atraso.telemetry.probes import ProbeCounts

EXAMPLE = """\b
Example:
  atraso serve --port 5000 &
  atraso probe --url http://127.0.0.1:5000 --once

\b
A service that asks who calls is given the key in ATRASO_KEY, which needs the role predict.
Exit codes: 0 equal (or stopped); 1 with --once: different, no answer, or a model that is not at hand; 2 something to
correct.
"""


@click.command(epilog=EXAMPLE)
@click.option("--url", default="http://127.0.0.1:5000", show_default=True, metavar="URL", help="The service.")
@click.option(
    "--every", type=click.FloatRange(0.1, 86_400), default=30.0, show_default=True, metavar="S",
    help="Seconds from one probe to the next.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="Probe once and end.")
@click.option("--json", "as_json", is_flag=True, help="Print each probe as a line of JSON.")
@click.option(
    "--model", "models", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER",
    help="An artefact whose golden answers count, besides the bundled one and those in the data folder; repeatable.",
)  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]")
@click.option(
    "--ca", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
    help="Authorities (PEM) that the service's certificate needs.  [default: the machine's]",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(0.1, 60), default=5.0, show_default=True, metavar="S",
    help="Seconds for each answer.",
)  # fmt: skip
@click.option(
    "--patience", type=click.FloatRange(0, 3600), default=0.0, show_default=True, metavar="S",
    help="Seconds in which a service that never answered yet is waited for, and nothing is counted.",
)  # fmt: skip
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), metavar="PORT", help="Serve /metrics here; 0: a free port."
)
@click.option("--metrics-host", default="127.0.0.1", show_default=True, metavar="HOST", help="Address of that port.")
def probe(
    url: str,
    every: float,
    once: bool,
    as_json: bool,
    models: tuple[Path, ...],
    data: Path | None,
    ca: Path | None,
    timeout: float,
    patience: float,
    metrics_port: int | None,
    metrics_host: str,
) -> None:
    """Ask a running service the golden flights of its model by the schedule, and compare the answers.

    Every artefact holds made-up flights with the exact answers of its model. A probe asks them, all together and one of
    them alone, and compares with the artefact of the model that answered; where that is not at hand here, with what
    the service itself says. Probes are marked: they are not recorded and stay out of quality, drift and quotas.
    """
    from atraso.cli.probing import PAUSE_S, Door
    from atraso.cli.probing import probe as probe_once
    from atraso.telemetry.probes import ProbeCounts

    door = Door(url, os.environ.get("ATRASO_KEY"), ca, timeout)
    at_hand = _at_hand(data, models)
    counts = ProbeCounts()
    if metrics_port is not None and not once:
        address = counts.serve(metrics_host, metrics_port)
        click.echo(f"atraso probe: metrics on {address}", err=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT) * (not once):
        signal.signal(number, lambda *_: stop.set())
    turn, due, patient_until = 0, time.monotonic(), time.monotonic() + patience
    while not stop.wait(max(0.0, due - time.monotonic())):
        found = probe_once(door, at_hand, turn)
        if found.result == "failed" and time.monotonic() < patient_until:
            click.echo(f"atraso probe: waiting for the service ({found.detail})", err=True)
            due = time.monotonic() + min(every, PAUSE_S)
            continue
        if once:
            click.echo(_told(found, as_json))
            raise SystemExit(0 if found.result == "equal" else 1)
        patient_until = 0.0
        counts.count(found.result, found.at)
        click.echo(_told(found, as_json))
        turn += 1
        # From one to the next; where one took longer than that, the next begins at once and none is made up for.
        due = max(due + every, time.monotonic())
    _say_total(counts, turn, as_json)


def _at_hand(data: Path | None, models: tuple[Path, ...]) -> Mapping[str, Manifest]:
    """Return the manifests that are at hand here, by checksum."""
    from atraso.artefact.bundle import read_manifest
    from atraso.artefact.store import Store
    from atraso.settings import load_settings

    settings = load_settings(os.environ, flags={} if data is None else {"data": data})
    found = [manifest for _, manifest in Store(settings.data / "models").manifests()]
    found += [read_manifest(folder) for folder in (*models, *([settings.model] if settings.model else []))]
    return {manifest.checksum: manifest for manifest in found}


def _told(found: Probe, as_json: bool) -> str:
    import msgspec

    if as_json:
        return msgspec.json.encode(found).decode()
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.at))
    what = f"{found.flights} golden flights of model {found.model}" if found.flights else found.model or "no model"
    source = "; its artefact is not at hand here, so compared with the service's own word" * (found.golden == "service")
    detail = f": {found.detail}" if found.detail else ""
    return f"{moment} {found.result}{detail} ({what}{source}; {found.seconds * 1000:.1f} ms)"


def _say_total(counts: ProbeCounts, probes: int, as_json: bool) -> None:
    if not as_json:
        told = ", ".join(f"{count} {result}" for result, count in counts.results.items() if count)
        click.echo(f"atraso probe: {probes} probes{f': {told}' if told else ''}", err=True)
