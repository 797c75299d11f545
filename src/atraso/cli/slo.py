"""`atraso slo`: what is promised as rules, alerts and dashboard, and how much of each budget is spent."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

RENDER_EXAMPLE = """\b
Example:
  atraso slo render --check
"""


GROUP_EXAMPLE = """\b
Example:
  atraso slo report --window 30d
"""


@click.group(epilog=GROUP_EXAMPLE)
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


REPORT_EXAMPLE = """\b
Examples:
  atraso slo report --window 30d
  atraso slo report --window 7d --prometheus http://127.0.0.1:9090 --html slo.html --save range.json
  atraso slo report --window 7d --range range.json --json

Exit codes: 0 the promise was kept; 1 it was broken; 2 something to correct, such as a server without the rules, or
nothing was measured.
"""


@slo.command(epilog=REPORT_EXAMPLE)
@click.option("--window", default="30d", show_default=True, metavar="DURATION", help="How far back, in whole hours.")
@click.option(
    "--prometheus", "url", default="http://127.0.0.1:9090", show_default=True, metavar="URL", help="Server to ask."
)  # fmt: skip
@click.option(
    "--range", "saved", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.json",
    help="Read this instead: an answer that was saved.",
)  # fmt: skip
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.json", help="Keep the answer.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a page as well.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--slo", "source", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="OpenSLO file.  [default: the one of the package]",
)  # fmt: skip
def report(
    window: str, url: str, saved: Path | None, save: Path | None, html: Path | None, as_json: bool, source: Path | None
) -> None:
    """Tell how much of each budget is spent, which hours cost most, and whether the promise was kept.

    Reads what the rules of deploy/monitoring recorded: from a Prometheus server, or from its answer in a file. The
    window ends now, or with the last hour of the file.
    """
    import msgspec

    from atraso.cli.outputs import written_whole
    from atraso.cli.show import say
    from atraso.cli.slo_page import slo_report_page
    from atraso.cli.slo_text import lines
    from atraso.slo.history import ask, read_history, read_saved, shown
    from atraso.slo.loading import load_promise
    from atraso.slo.openslo import BUNDLED
    from atraso.slo.report import BROKEN, KEPT
    from atraso.slo.report import report as told

    promise = load_promise(source or BUNDLED)
    length_s = _whole_hours(window)
    now_s = int(time.time())
    answer = read_saved(saved) if saved else ask(url, now_s - length_s, now_s)
    history = read_history(answer, str(saved) if saved else shown(url))
    if save is not None:
        with written_whole(str(save)) as stream:
            stream.write(answer)
        say(f"the answer is in {save}")
    end_s = max((hours[-1].end_s for hours in history.values() if hours), default=now_s) if saved else now_s
    found = told(promise, history, window, end_s - length_s, end_s)
    if html is not None:
        with written_whole(str(html)) as stream:
            stream.write(slo_report_page(found).encode())
        say(f"the page is in {html}")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.Encoder(decimal_format="number").encode(found), indent=1))
    else:
        for line in lines(found):
            click.echo(line)
    sys.exit({KEPT: 0, BROKEN: 1}.get(found.verdict, 2))


def _whole_hours(window: str) -> int:
    from atraso.core.errors import SettingsError
    from atraso.slo.windows import seconds

    try:
        length_s = seconds(window)
    except ValueError as error:
        raise SettingsError(f"--window: {error}") from None
    if length_s < 3600 or length_s % 3600:
        raise SettingsError(f"--window {window} is not a number of whole hours: write it as 6h, 7d or 30d")
    return int(length_s)
