"""`atraso stress list`, `show` and `compare`: the runs that were kept."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from atraso.stress.beside import Pair
    from atraso.stress.compare import Comparison
    from atraso.stress.record import Record
    from atraso.stress.store import Kept

TABLE_WIDTH = 126
EXIT_SLOWER, EXIT_UNTOLD, EXIT_INTERRUPTED = 1, 2, 130
LISTED_ON_PAGE = 15
STOPPING_S = 15.0
_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@click.command("list", epilog="Example: atraso stress list --profile challenge")
@click.option("--profile", metavar="NAME", help="Only of this profile.")
@_json
def list_runs(profile: str | None, as_json: bool) -> None:
    """List the runs that were kept, the newest first."""
    from dataclasses import asdict

    import msgspec
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from atraso.settings import load_settings
    from atraso.stress.store import Kept

    entries = Kept(load_settings(os.environ).data).entries(profile)
    if as_json:
        click.echo(msgspec.json.encode([asdict(entry) for entry in entries]))
        return
    if not entries:
        what = f"No run of the profile {profile} was kept yet" if profile else "No run was kept yet"
        click.echo(f"{what}: `atraso stress --profile {profile or 'challenge'}` makes one.")
        return
    table = Table("run", "verdict", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("steps", "answers", "failed", "best rate", "worst p99"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("target", no_wrap=True)
    table.add_column("commit", no_wrap=True)
    for entry in entries:
        table.add_row(
            entry.id, entry.verdict, str(entry.steps), f"{entry.answers:,}", f"{entry.failed:,}",
            "-" if entry.rate is None else f"{entry.rate:,.0f}/s",
            "-" if entry.p99_ms is None else f"{entry.p99_ms:.2f} ms", entry.target, (entry.commit_id or "-")[:12],
        )  # fmt: skip
    Console(width=max(Console().width, TABLE_WIDTH)).print(table)


@click.command(epilog="Example: atraso stress show last --html challenge.html")
@click.argument("run")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write its page here.")
@_json
def show(run: str, html: Path | None, as_json: bool) -> None:
    """Show one RUN: its figures, errors and promises.

    A run is the beginning of its name, a file, `last`, or `last-1` for the one before, and so on.
    """
    from rich.console import Console

    from atraso.cli.show import say
    from atraso.settings import load_settings
    from atraso.stress.page import page
    from atraso.stress.record import encoded
    from atraso.stress.report import about, kept_promises, notes, table
    from atraso.stress.store import Kept

    kept = Kept(load_settings(os.environ).data)
    name, record = kept.read(run)
    if as_json:
        click.echo(encoded(record), nl=False)
    else:
        click.echo(f"{name}: {record.verdict}")
        Console(width=max(Console().width, TABLE_WIDTH)).print(table(record))
        for note in notes(record):
            click.echo(note)
        for sentence in kept_promises(record):
            click.echo(sentence)
        for what, value in about(record):
            click.echo(f"{what}: {value}")
    if html is not None:
        _write(html, page(record, kept.entries(record.profile, LISTED_ON_PAGE)))
        say(f"page: {html}")


@click.command(
    epilog="""\b
Examples:
  atraso stress compare last-1 last
  atraso stress compare http://127.0.0.1:5000 http://127.0.0.1:5001
  atraso stress compare ../before/.venv/bin/atraso .venv/bin/atraso

\b
Exit codes: 0 the second is not slower; 1 it is; 2 it cannot be told; 130 interrupted.
"""
)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--starts", type=click.IntRange(1, 1000), default=24, show_default=True, help="Of each of two builds.")
@click.option("--turns", type=click.IntRange(5, 10_000), default=20, show_default=True, help="A start.")
@click.option("--requests", type=click.IntRange(20, 100_000), default=200, show_default=True, help="A turn.")
@click.option("--i-own-this-target", "owned", is_flag=True, help="Load services that are not on this machine.")
@_json
def compare(first: str, second: str, starts: int, turns: int, requests: int, owned: bool, as_json: bool) -> None:
    """Say whether B is slower than A, or only looks it: two kept runs, two services that run, or two builds.

    Builds are named by their `atraso` command, started again and again, and asked turn by turn beside each other: that
    is what shows a few per cent. Services that run are asked in the same way, with the key in ATRASO_KEY; but two
    starts of one build differ by up to a fifth, so less is no difference there. Runs are compared by their repetitions
    (--repeat) where there are 5 or more of each, else by their parts. "Slower" is said when the 99 % interval of the
    ratio of speeds says so.
    """
    from atraso.cli.show import say
    from atraso.settings import load_settings
    from atraso.stress.beside import builds, services
    from atraso.stress.compare import SLOWER, UNTOLD
    from atraso.stress.compare import compare as compared
    from atraso.stress.store import Kept
    from atraso.stress.target import named

    kept = Kept(load_settings(os.environ).data)
    if "://" in first and "://" in second:
        key = os.environ.get("ATRASO_KEY")
        pair = services(named(first, key, owned=owned), named(second, key, owned=owned))
        found = _beside(kept, pair, (first, second), (1, turns * starts, requests))
    elif _is_build(first) and _is_build(second):
        found = _beside(kept, builds([first], [second]), (first, second), (starts, turns, requests))
    else:
        (name, one), (other_name, other) = kept.read(first), kept.read(second)
        say(f"{other_name} beside {name}")
        found = compared(one, other)
    if as_json:
        from dataclasses import asdict

        import msgspec

        click.echo(msgspec.json.encode(asdict(found)))
    else:
        click.echo(found.verdict)
        for difference in found.differences:
            click.echo(f"  {difference.sentence}")
        for note in found.notes:
            click.echo(f"  {note}")
    if found.verdict == UNTOLD:
        sys.exit(EXIT_UNTOLD)
    if any(difference.verdict == SLOWER for difference in found.differences):
        sys.exit(EXIT_SLOWER)


def _is_build(word: str) -> bool:
    return Path(word).is_file() and os.access(word, os.X_OK)


def _beside(kept: Kept, pair: Pair, names: tuple[str, str], sizes: tuple[int, int, int]) -> Comparison:
    """Measure a pair beside each other, keep a record of each, and return the comparison."""
    from atraso.cli.show import bar, say
    from atraso.stress.beside import Beside
    from atraso.stress.compare import compare as compared
    from atraso.stress.record import keep

    starts, turns, requests = sizes
    run = Beside(pair, names, starts=starts, turns=turns, requests=requests)
    interrupted = False
    with as_ctrl_c() as no_more:
        try:
            with bar("asking in turn") as progress:
                run.measure(progress)
        except KeyboardInterrupt:
            if not run.has_rows:
                raise
            interrupted = True
        no_more()
        records = run.records(partial=interrupted)
        for record in records:
            file = keep(record, kept.folder)
            kept.remember(record, file)
            say(f"{record.target}: {file}")
    if interrupted:
        sys.exit(EXIT_INTERRUPTED)
    return compared(*records)


@contextmanager
def as_ctrl_c() -> Iterator[Callable[[], None]]:
    """Take SIGTERM for Ctrl-C while the block runs: the services are stopped.

    What comes again while that is done would leave services and folders behind, so it is heeded only after a while; and
    not at all once the function that is given was called.
    """
    deaf_until = 0.0

    def once(*_: object) -> None:
        nonlocal deaf_until
        now = time.monotonic()
        if now >= deaf_until:
            deaf_until = now + STOPPING_S
            raise KeyboardInterrupt

    def no_more() -> None:
        nonlocal deaf_until
        deaf_until = float("inf")

    before = {number: signal.signal(number, once) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield no_more
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def can_keep(data: Path, out: Path | None) -> None:
    """Try where a record is to be kept before it is measured; raises SettingsError."""
    from tempfile import TemporaryFile

    from atraso.core.errors import SettingsError
    from atraso.stress.store import Kept

    for folder in (Kept(data).folder, *([out] if out is not None else [])):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise SettingsError(f"A run cannot be kept in {folder}: {error.strerror}.") from None


def kept_in(record: Record, data: Path, out: Path | None) -> tuple[list[Path], str, Comparison | None, str]:
    """Keep *record* in the data folder, and a copy in *out*.

    Returns the files, the name of the run before it, the comparison with that, and why there is none, or nothing.
    """
    from atraso.stress.compare import compare as compared
    from atraso.stress.page import page
    from atraso.stress.profiles import StressError
    from atraso.stress.record import keep
    from atraso.stress.store import Kept

    kept = Kept(data)
    file = keep(record, kept.folder)
    kept.remember(record, file)
    found = kept.before(record, file) if record.runs else None
    before, comparison, why_not = "", None, ""
    if found is not None and any(run.good and not run.void for run in record.runs):
        before = found[0]
        try:
            comparison = compared(found[1], record)
        except StressError as error:  # what went before is no reason to say nothing of this run
            why_not = f"not compared with {before}: {error}"
    written = page(record, kept.entries(record.profile, LISTED_ON_PAGE), before, comparison)
    files = [file, file.with_suffix(".html")]
    _write(files[1], written)
    if out is not None:
        copy = keep(record, out)
        _write(copy.with_suffix(".html"), written)
        files += [copy, copy.with_suffix(".html")]
    return files, before, comparison, why_not


def _write(file: Path, text: str) -> None:
    from atraso.core.errors import SettingsError

    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"The page cannot be written to {file}: {error.strerror}.") from None
