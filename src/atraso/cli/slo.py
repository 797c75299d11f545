"""`atraso slo`: what is promised as rules, alerts and dashboard, and how much of each budget is spent."""

from __future__ import annotations

import sys
from pathlib import Path

import click

RENDER_EXAMPLE = """\b
Example:
  atraso slo render --check
"""


@click.group()
def slo() -> None:
    """What is promised: rules and alerts made from it, and how well it is kept."""


@slo.command(epilog=RENDER_EXAMPLE)
@click.option("--check", is_flag=True, help="Write nothing; say what differs, and exit with 1 if anything does.")
@click.option(
    "--slo", "source", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="OpenSLO file.  [default: the one of the package]",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="FOLDER",
    help="Where deploy/monitoring and docs/slo.md are.  [default: the current folder]",
)  # fmt: skip
def render(check: bool, source: Path | None, out: Path) -> None:
    """Write what follows from the promise, or check that it stands there.

    deploy/monitoring (Prometheus's rules and configuration, Alertmanager's routes, a Grafana dashboard) and docs/slo.md
    are generated from an OpenSLO file. Needs the extra "dev".
    """
    from atraso.cli.show import say
    from atraso.core.errors import SettingsError
    from atraso.slo.loading import load_promise
    from atraso.slo.openslo import BUNDLED
    from atraso.slo.render import differences, write

    promise = load_promise(source or BUNDLED)
    if check:
        found = list(differences(promise, out))
        for path, why in found:
            click.echo(f"{path} {why}")
        if found:
            say("run `atraso slo render`")
            sys.exit(1)
        say("all is as the promise says")
        return
    try:
        changed = list(write(promise, out))
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be written: {error.strerror}") from None
    for path in changed:
        click.echo(f"wrote {path}")
    if not changed:
        say("nothing has changed")
