"""Write the tables of docs/stress.md again from the runs in docs/records; the words around them are written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from atraso.stress.profiles import PROFILES
from atraso.stress.record import Record, read_record
from atraso.stress.report import LOAD_HEADINGS, load_cells
from atraso.stress.runs import Run

PAGE = Path("docs/stress.md")
RECORDS = Path("docs/records")


def render() -> str:
    """Return the page as it is, with its tables made anew."""
    text = PAGE.read_text(encoding="utf-8")
    for name, make in BLOCKS.items():
        block = re.compile(rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        assert len(block.findall(text)) == 1, f"{PAGE} has one place for the block {name!r}"
        content = make()
        text = block.sub(lambda found, content=content: f"{found[1]}\n{content}\n{found[2]}", text)  # type: ignore[misc]
    return text


def record_of(profile: str) -> Record:
    """Return the run of *profile* that was chosen for the page."""
    return read_record(RECORDS / f"stress-{profile}.json")


def _table(profile: str) -> str:
    record = record_of(profile)
    lines = [f"| step | {' | '.join(LOAD_HEADINGS)} |", "| --- |" + " ---: |" * len(LOAD_HEADINGS)]
    lines += [f"| {run.name} | {' | '.join(load_cells(run))} |" for run in record.runs]
    here, versions = record.machine, record.versions
    told = ", ".join(f"{name} {versions[name]}" for name in ("python", "uvicorn", "uvloop", "wrk") if name in versions)
    lines += [
        "",
        f"`{record.command}`, {record.date[:10]}, commit {(record.commit or 'unknown')[:12]}: {here.processor}, "
        f"{here.cores} cores, {here.memory_gb:g} GB, {here.system}; load before {here.load:g}; {told}.",
        f"Verdict: **{record.verdict}**.",
    ]
    found = [f"- {run.name}: {note}." for run in record.runs for note in run.notes]
    found += [f"- Void: {run.name}: {run.void}." for run in record.runs if run.void]
    found += [f"- Fell short: {sentence}." for sentence in record.shortfalls]
    found += [f"- Void: {record.top_void}."] if record.top_void else []
    found += [f"- How the top rate was found: {record.search}."] if record.search else []
    if record.top_rate:
        found.append(f"- The top rate that held the service's promise: {record.top_rate:,.0f} requests a second.")
    return "\n".join([*lines, *([""] if found else []), *found]) + "\n"


def _batch() -> str:
    lines = ["| flights a request | flights/s | requests/s | p50 ms | p99 ms |", "| ---: | ---: | ---: | ---: | ---: |"]
    for run in record_of("batch").runs:
        assert run.latency is not None
        lines.append(
            f"| {run.asked['flights']:,} | {run.flights_per_s:,.0f} | {run.rate:,.0f} | {run.latency.p50_ms:,.1f} | "
            f"{run.latency.p99_ms:,.1f} |"
        )
    return "\n".join(lines) + "\n\n" + _table("batch").split("\n\n", 1)[1]


def _threads() -> str:
    """Say what threads change, in the challenge's own figures."""
    runs = record_of("challenge").runs
    base = runs[0]
    sentences = []
    for run in runs:
        assert run.server is not None
        assert run.client is not None
        cost = run.server.cpu_s / run.good * 1e6
        sentences.append(
            f"- {run.name}: {run.rate:,.0f} answers a second, {_beside(run, base)}the service uses "
            f"{run.server.cpu_share:.0%} of the processors and wrk {run.client.cpu_share:.0%}; an answer costs the "
            f"service {cost:.1f} µs of processor time."
        )
    return "\n".join(sentences) + "\n"


def _beside(run: Run, base: Run) -> str:
    return "" if run is base else f"{round(run.rate / base.rate - 1, 2) + 0.0:+.0%} beside {base.name}; "


def _profiles() -> str:
    lines = ["| profile | what it does | seconds a step |", "| --- | --- | ---: |"]
    lines += [f"| `{profile.name}` | {profile.says} | {profile.seconds} |" for profile in PROFILES.values()]
    return "\n".join([*lines, "| `auth` | what each way to come in costs: [security](security.md) | 6 |"]) + "\n"


def _of(profile: str, make: Callable[[], str] | None = None) -> Callable[[], str]:
    """Return what writes the block of a profile, or says that none of its runs was chosen yet."""

    def block() -> str:
        if not (RECORDS / f"stress-{profile}.json").exists():
            return f"No run was chosen for this page yet: `atraso stress --profile {profile}` makes one.\n"
        return make() if make else _table(profile)

    return block


BLOCKS: dict[str, Callable[[], str]] = {
    "profiles": _profiles,
    "challenge": _of("challenge"),
    "threads": _of("challenge", _threads),
    "millions": _of("millions"),
    "latency": _of("latency"),
    "ramp": _of("ramp"),
    "soak": _of("soak"),
    "batch": _of("batch", _batch),
    "connections": _of("connections"),
    "fault": _of("fault"),
    "spike": _of("spike"),
}
