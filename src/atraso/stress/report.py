"""A run as a table: for a terminal, and for a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from atraso.stress.record import Record, Row
from atraso.stress.runs import Run

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("p50", "p95", "p99", "added p50", "95 %", "added p95", "added p99", "requests/s", "share")
LOAD_HEADINGS = (
    "good", "failed", "good/s", "p50 ms", "p99 ms", "p99.9 ms", "pacer late", "server CPU", "server MB", "client CPU",
)  # fmt: skip
# Above this part of its processors in use before the run, a machine is not quiet.
BUSY = 0.3


def cells(row: Row) -> tuple[str, ...]:
    """Return what stands under `HEADINGS`; what was not measured is a dash."""
    took = (f"{value:,.0f}" for value in (row.took.p50, row.took.p95, row.took.p99))
    more: tuple[str, ...] = ("-",) * 4
    if row.added is not None:
        plus = row.added
        interval = f"{plus.p50_low:+,.1f} to {plus.p50_high:+,.1f}"
        more = (f"{plus.p50:+,.1f}", interval, f"{plus.p95:+,.0f}", f"{plus.p99:+,.0f}")
    driven = ("-", "-")
    if row.throughput is not None:
        part = row.throughput.share
        driven = (f"{row.throughput.requests_per_s:,.0f}", "-" if part is None else f"{part:.1%}")
    return (*took, *more, *driven)


def load_cells(run: Run) -> tuple[str, ...]:
    """Return what stands under `LOAD_HEADINGS`; processors are parts of all that could be used."""
    took: tuple[str, ...] = ("-",) * 3
    if run.latency is not None:
        took = tuple(f"{value:,.2f}" for value in (run.latency.p50_ms, run.latency.p99_ms, run.latency.p999_ms))
    server = ("-", "-")
    if run.server is not None:
        server = (f"{run.server.cpu_share:.0%}", f"{run.server.peak_mb:,.0f}")
    return (
        f"{run.good:,}", f"{run.failed:,}", f"{run.rate:,.0f}", *took,
        "-" if run.lateness is None else f"{run.lateness.p99_ms:.2f}", server[0], server[1],
        "-" if run.client is None else f"{run.client.cpu_share:.0%}",
    )  # fmt: skip


def about(record: Record) -> list[tuple[str, str]]:
    """Return by name where, with what and how a run was measured."""
    here = record.machine
    found = [
        ("command", record.command),
        ("target", "a service of its own" if record.target == "own" else record.target),
        ("machine", f"{here.processor}, {here.cores} cores, {here.memory_gb:g} GB; load before {here.load:g}"),
        ("system", f"{here.system}, kernel {here.kernel}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
        ("commit", record.commit or "not known: not run from a clone"),
        ("settings", ", ".join(f"{name} {value}" for name, value in record.settings.items())),
    ]
    found += [("limits", told) for told in record.told]
    for run in record.runs:
        found.append((run.name, ", ".join(f"{name} {value}" for name, value in run.asked.items())))
    return found


def notes(record: Record) -> Iterable[str]:
    """Return in sentences what the table does not show."""
    if record.partial:
        yield "Stopped before its end: this is what was measured by then."
    if record.machine.load > BUSY * record.machine.cores:
        yield (
            f"the machine was busy with something else ({record.machine.load:g} processes on {record.machine.cores} "
            "cores): medians and their intervals can be used, the rest cannot"
        )
    for label, why in record.left_out.items():
        yield f"left out: {label}, because {why}"
    by_reason: dict[str, list[str]] = {}
    for label, why in record.not_driven.items():
        by_reason.setdefault(why, []).append(label)
    for why, labels in by_reason.items():
        told = "requests/s" if len(labels) == len(record.rows) else f"requests/s of {'; '.join(labels)}"
        yield f"left out: {told}, because {why}"
    yield from _of_search(record)
    for run in record.runs:
        for note in run.notes:
            yield f"{run.name}: {note}"
        if run.void:
            yield f"VOID: {run.name}: {run.void}"
        if run.errors:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in run.errors.items())
            yield f"{run.name}: {run.failed:,} requests without a good answer: {kinds}"
    for row in record.rows:
        if row.throughput is not None and row.throughput.connections != _usual(record):
            yield f"{row.label}: {row.throughput.connections} connections under load, the others {_usual(record)}"
    yield from (f"FELL SHORT: {sentence}" for sentence in record.shortfalls)


def _of_search(record: Record) -> Iterable[str]:
    if record.top_rate:
        yield f"the top rate that held the service's promise: {record.top_rate:,.0f} requests a second"
    if record.top_void:
        yield f"VOID: {record.top_void}"
    if record.search:
        yield f"how the top rate was found: {record.search}"


def kept_promises(record: Record) -> list[str]:
    """Return a sentence for each promise that was kept in a run that counts."""
    return [
        f"kept: {run.name}: {promise.sentence}"
        for run in record.runs
        for promise in run.promises
        if promise.held and not run.void
    ]


def _usual(record: Record) -> int:
    return max((row.throughput.connections for row in record.rows if row.throughput), default=0)


def table(record: Record) -> Table:
    """Return *record* as a table to print."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - pages are made without it
    from rich.table import Table  # noqa: PLC0415

    if record.runs:
        made = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        made.add_column("step", no_wrap=True)
        for heading in LOAD_HEADINGS:
            made.add_column(heading, justify="right", no_wrap=True)
        for run in record.runs:
            made.add_row(run.name, *load_cells(run))
        return made
    made = Table(
        title="microseconds a request, one connection; added: more than the row that it is compared with",
        title_justify="left", title_style="", box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
    )  # fmt: skip
    made.add_column("way in")
    for heading in HEADINGS:
        made.add_column(heading, justify="right", no_wrap=True)
    for row in record.rows:
        made.add_row(row.label, *cells(row))
    return made


def markdown(record: Record) -> str:
    """Return *record* as a table for a page, with where it comes from."""
    lines = [f"| way in | compared with | {' | '.join(HEADINGS)} |", "| --- | --- |" + " ---: |" * len(HEADINGS)]
    labels = {row.name: row.label for row in record.rows}
    for row in record.rows:
        lines.append(f"| {row.label} | {labels.get(row.baseline or '', '-')} | {' | '.join(cells(row))} |")
    here = record.machine
    versions = record.versions
    named = (
        ("python", "Python"), ("uvicorn", "uvicorn"), ("openssl", "OpenSSL"), ("python-ldap", "python-ldap"),
        ("slapd", "OpenLDAP"), ("wrk", "wrk"),
    )  # fmt: skip
    told = ", ".join(f"{name} {versions[key]}" for key, name in named if key in versions)
    lines += [
        "",
        f"`{record.command}`, {record.date[:10]}: {here.processor}, {here.cores} cores, {here.memory_gb:g} GB, "
        f"{here.system}; load before {here.load:g}; {told}. Times in microseconds.",
    ]
    sentences = [f"{note[0].upper()}{note[1:].rstrip('.')}." for note in notes(record)]
    if sentences:
        lines += ["", *(f"- {sentence}" for sentence in sentences)]
    return "\n".join(lines) + "\n"
