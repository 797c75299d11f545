"""`atraso serve`: the API and the page."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import click

from atraso.settings import load_settings, unknown_variables

EXAMPLE = """\b
Example:
  atraso serve --port 5000 &
  curl -s localhost:5000/v1/predictions -H 'content-type: application/json' -d '{"flights": [
    {"airline": "LAN", "flight_number": "600", "destination": "SPJC",
     "scheduled_departure": "2017-07-14T09:05:00"}]}'

\b
Options go before ATRASO_* variables, those before the file, that before the defaults.
Exit codes: 0 stopped by SIGINT or SIGTERM; 2 a setting, the port or the model cannot be used.
"""


@click.command(epilog=EXAMPLE)
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", help="Port to listen on; 0 takes a free one.  [default: 5000]")
@click.option("--workers", help="Worker processes.  [default: 2]")
@click.option("--model", metavar="PATH", help="Folder of an artefact.  [default: the active one, or the bundled]")
@click.option("--insecure", is_flag=True, default=None, help="Allow a host that other machines can reach.")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Settings as TOML (docs/settings.md).")
def serve(config: Path | None, **flags: object) -> None:
    """Serve the API and the page until stopped."""
    for stop in (signal.SIGTERM, signal.SIGINT):  # until the supervisor takes over: stopping is no error
        signal.signal(stop, lambda *_: sys.exit(0))
    settings = load_settings(os.environ, config, {name: flag for name, flag in flags.items() if flag is not None})
    for sentence in unknown_variables(os.environ):
        click.echo(f"note: {sentence}", err=True)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # No request multiplies matrices, and a library's threads in the parent would make forking unsafe.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from atraso.bootstrap import run_service

    sys.exit(run_service(settings, click.echo))
