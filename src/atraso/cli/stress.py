"""`atraso stress`: puts a service under load, keeps what it found, and compares it with what was found before."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from atraso.cli.stress_kept import as_ctrl_c, can_keep, compare, kept_in, list_runs, show

if TYPE_CHECKING:
    from atraso.settings import Settings
    from atraso.stress.auth import Login
    from atraso.stress.load_run import Told
    from atraso.stress.record import Record

PASSWORD_VARIABLE, KEY_VARIABLE = "STRESS_PASSWORD", "ATRASO_KEY"  # names
TABLE_WIDTH = 126
AUTH, AUTH_SECONDS, AUTH_REQUESTS = "auth", 6, 2000
PROFILES = ("challenge", "millions", "latency", "ramp", "batch", AUTH, "connections", "soak", "spike", "fault")
EXIT_FELL_SHORT, EXIT_COULD_NOT, EXIT_INTERRUPTED = 1, 2, 130
EXAMPLE = """\b
Profiles:
  challenge    45 s with 1, 3 and 6 threads of wrk in turn, at least 50,000 requests each, every answer checked
  millions     45 s with everything on: a million requests
  latency      open loop at fixed rates up to the knee, then at half of the top rate
  ramp         the top rate that holds the service's promise
  batch        1 to 10,000 flights a request
  auth         what each way to come in costs the client
  connections  50,000 connections open at once, each used at least twice
  soak         30 min at 60 % of the top rate, memory and descriptors watched
  spike        three times the top rate for a while, and how soon all is well again
  fault        a worker killed, the model swapped, the directory stopped, the database locked

\b
Examples:
  atraso stress --profile challenge --seconds 5
  atraso stress list
  atraso stress compare last-1 last

\b
Exit codes: 0 what is promised was kept; 1 it was not; 2 it could not be measured, or the load generator was late
itself; 130 interrupted, what was measured by then is kept and marked as partial.
"""


class Measuring(Protocol):
    """A run of any profile."""

    @property
    def has_rows(self) -> bool:
        """Whether there is something to record."""

    def measure(self, progress: Callable[..., None]) -> None:
        """Measure, telling *progress* how far it is."""


@click.group(epilog=EXAMPLE, invoke_without_command=True, no_args_is_help=True)
@click.option("--profile", type=click.Choice(PROFILES), help="What to measure: see below.")
@click.option(
    "--url", metavar="URL", help="A service that runs, asked with the key in ATRASO_KEY.  [default: one's own]"
)
@click.option(
    "--seconds", type=click.IntRange(0, 86_400),
    help=f"For each step.  [default: the profile's; auth: {AUTH_SECONDS}, and 0 leaves wrk out]",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 64), help="Of wrk; challenge: only this many, instead of 1, 3 and 6.")
@click.option("--connections", type=click.IntRange(1, 1_000_000), help="How many are open.  [default: the profile's]")
@click.option("--rate", type=click.FloatRange(1, 1e6), help="latency: only this many requests a second.")
@click.option("--repeat", type=click.IntRange(1, 1000), default=1, help="All steps so many times, in turn.")
@click.option("--i-own-this-target", "owned", is_flag=True, help="Load a service that is not on this machine.")
@click.option("--requests", type=click.IntRange(1, 1_000_000), help=f"auth: for each way.  [default: {AUTH_REQUESTS}]")
@click.option("--way", "ways", multiple=True, metavar="NAME", help="auth: only this one and what it is compared with.")
@click.option(
    "--user", metavar="NAME",
    help="auth: who logs in where ATRASO_LDAP_URL names a directory; the password is asked for, or "
    f"${PASSWORD_VARIABLE}.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Keep a copy here.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
@click.pass_context
def stress(
    context: click.Context,
    profile: str | None,
    url: str | None,
    seconds: int | None,
    threads: int | None,
    connections: int | None,
    rate: float | None,
    repeat: int,
    owned: bool,
    requests: int | None,
    ways: tuple[str, ...],
    user: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Put a service under load on this machine, and keep the record in ATRASO_DATA/stress.

    Without --url a service is started for it, with tokens asked for, metrics on and a ledger that is thrown away. Every
    answer is checked to be a prediction. Records are compared with the last that was measured alike, and each has a
    page of its own beside it.
    """
    if context.invoked_subcommand is not None:
        return
    if profile is None:
        raise click.UsageError("Say what to measure with --profile, or one of list, show and compare.")
    from atraso.settings import load_settings

    settings = load_settings(os.environ)
    can_keep(settings.data, out)
    with as_ctrl_c() as no_more:
        if profile == AUTH:
            _refuse(
                {
                    "--url": url, "--threads": threads, "--connections": connections, "--rate": rate,
                    "--repeat": repeat > 1, "--i-own-this-target": owned,
                },
                "is not for the profile auth, which starts services of its own",
            )  # fmt: skip
            auth_seconds = AUTH_SECONDS if seconds is None else seconds
            record, interrupted = _auth(settings, requests or AUTH_REQUESTS, auth_seconds, ways, user, no_more)
        else:
            from atraso.stress.load_run import Told

            if seconds == 0:
                raise click.UsageError("--seconds 0 is for the profile auth: a load takes at least a second.")
            _refuse({"--requests": requests, "--way": ways, "--user": user}, "is for the profile auth alone")
            told = Told(seconds, threads, rate, connections, repeat)
            record, interrupted = _load(profile, told, url, no_more, owned=owned)
        _keep(record, settings.data, out, as_json=as_json)
    if interrupted:
        sys.exit(EXIT_INTERRUPTED)
    if record.shortfalls:
        sys.exit(EXIT_FELL_SHORT)
    if record.voids:
        sys.exit(EXIT_COULD_NOT)


stress.add_command(list_runs)
stress.add_command(show)
stress.add_command(compare)


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Raise UsageError for the first of *options* that was given."""
    for name, value in options.items():
        if value:
            raise click.UsageError(f"{name} {why}.")


def _load(
    profile: str, told: Told, url: str | None, no_more: Callable[[], None], *, owned: bool
) -> tuple[Record, bool]:
    from atraso.cli.show import say
    from atraso.stress.load_run import LoadRun
    from atraso.stress.profiles import PROFILES
    from atraso.stress.target import named

    target = named(url, os.environ.get(KEY_VARIABLE), owned=owned) if url else None
    run = LoadRun(PROFILES[profile], told, target, say)
    interrupted = _measured(run, no_more)
    return run.record(partial=interrupted), interrupted


def _auth(
    settings: Settings,
    requests: int,
    seconds: int,
    ways: tuple[str, ...],
    user: str | None,
    no_more: Callable[[], None],
) -> tuple[Record, bool]:
    from atraso.stress.auth import AuthRun, why_no_directory
    from atraso.stress.ways import plan

    chosen = plan(ways, why_no_directory(bool(settings.ldap_url), user))
    run = AuthRun(chosen, requests, seconds, _login(settings, user, any(way.directory for way in chosen.ways)))
    interrupted = _measured(run, no_more)
    return run.record(partial=interrupted), interrupted


def _measured(run: Measuring, no_more: Callable[[], None]) -> bool:
    """Measure, and return whether it was interrupted; without anything measured by then it ends here.

    *no_more* is called when all is measured: what comes then is to be kept in any case.
    """
    from atraso.cli.show import bar

    try:
        with bar("starting services") as progress:
            run.measure(progress)
    except KeyboardInterrupt:
        if not run.has_rows:
            raise
        return True
    finally:
        no_more()
    return False


def _keep(record: Record, data: Path, out: Path | None, *, as_json: bool) -> None:
    """Print *record*, and keep it with a row and a page, and its comparison with the one before."""
    from rich.console import Console

    from atraso.cli.show import say
    from atraso.stress.record import encoded
    from atraso.stress.report import kept_promises, notes, table

    if as_json:  # first of all: what took minutes is not lost with a disk that is full
        click.echo(encoded(record), nl=False)
    else:
        Console(width=max(Console().width, TABLE_WIDTH)).print(table(record))
        for note in notes(record):
            click.echo(note)
        for sentence in kept_promises(record):
            click.echo(sentence)
    files, before, comparison, why_not = kept_in(record, data, out)
    if why_not:
        say(why_not)
    if comparison is not None:
        say(f"beside {before}: {comparison.verdict}")
        for difference in comparison.differences:
            say(f"  {difference.sentence}")
        for note in comparison.notes:
            say(f"  {note}")
    say(f"{record.profile}: {record.verdict}; in {', '.join(map(str, files))}")


def _login(settings: Settings, user: str | None, needed: bool) -> Login:
    """Return who logs in where: in the directory of the settings, or in a throwaway one."""
    import msgspec

    from atraso.core.secret import Secret
    from atraso.settings import PREFIX
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
