"""`atraso stress`: measures a service that it starts itself, and keeps what it found."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from atraso.settings import Settings
    from atraso.stress.auth import Login

PASSWORD_VARIABLE = "STRESS_PASSWORD"  # noqa: S105 - a name
TABLE_WIDTH = 126
EXIT_FELL_SHORT, EXIT_INTERRUPTED = 1, 130
EXAMPLE = """\b
Example:
  atraso stress --profile auth --requests 2000 --seconds 6

\b
Exit codes: 0 what is promised was kept; 1 it was not; 2 it could not be measured; 130 interrupted, what was measured by
then is kept and marked as partial.
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--profile", type=click.Choice(["auth"]), required=True, help="auth: what each way to come in costs the client."
)
@click.option("--requests", type=click.IntRange(1, 1_000_000), default=2000, show_default=True, help="For each way.")
@click.option(
    "--seconds", type=click.IntRange(0, 3600), default=6, show_default=True,
    help="How long wrk drives each way with 32 connections; 0 leaves it out.",
)  # fmt: skip
@click.option("--way", "ways", multiple=True, metavar="NAME", help="Only this one and what it is compared with.")
@click.option(
    "--user", metavar="NAME",
    help=f"Who logs in where ATRASO_LDAP_URL names a directory; the password is asked for, or ${PASSWORD_VARIABLE}.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Keep a copy here.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
def stress(
    profile: str,
    requests: int,
    seconds: int,
    ways: tuple[str, ...],
    user: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure services that are started for it, on this machine, and keep the record in ATRASO_DATA/stress.

    The profile auth sends the same request by way of no authentication, API keys, tokens, passwords and certificates,
    all in turn in one run. A throwaway OpenLDAP is started where slapd is installed; where ATRASO_LDAP_URL is set that
    directory is asked instead.
    """
    from rich.console import Console

    from atraso.cli.show import bar, say
    from atraso.settings import load_settings
    from atraso.stress.auth import AuthRun, why_no_directory
    from atraso.stress.record import FOLDER, encoded, keep
    from atraso.stress.report import notes, table
    from atraso.stress.ways import plan

    settings = load_settings(os.environ)
    chosen = plan(ways, why_no_directory(bool(settings.ldap_url), user))
    login = _login(settings, user, any(way.directory for way in chosen.ways))
    run = AuthRun(chosen, requests, seconds, login)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the services are stopped
    interrupted = False
    try:
        with bar("starting services") as progress:
            run.measure(progress)
    except KeyboardInterrupt:
        if not run.has_rows:
            raise
        interrupted = True
    finally:
        signal.signal(signal.SIGTERM, before)
    record = run.record(partial=interrupted)
    kept = [keep(record, folder) for folder in (settings.data / FOLDER, out) if folder is not None]
    if as_json:
        click.echo(encoded(record), nl=False)
    else:
        Console(width=max(Console().width, TABLE_WIDTH)).print(table(record))
        for note in notes(record):
            click.echo(note)
    say(f"kept: {', '.join(map(str, kept))}")
    if interrupted:
        sys.exit(EXIT_INTERRUPTED)
    if record.shortfalls:
        sys.exit(EXIT_FELL_SHORT)


def _login(settings: Settings, user: str | None, needed: bool) -> Login:
    """Return who logs in where: in the directory of the settings, or in a throwaway one."""
    import msgspec

    from atraso.settings import PREFIX, Secret
    from atraso.stress.auth import Login

    if not settings.ldap_url or user is None or not needed:
        return Login()
    variables = {}
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if field.name.startswith("ldap_") and value != field.default:
            variables[PREFIX + field.name.upper()] = value.reveal() if isinstance(value, Secret) else str(value)
    password = os.environ.get(PASSWORD_VARIABLE) or click.prompt(f"Password of {user}", hide_input=True, err=True)
    return Login(user, password, variables)
