"""A record of the benchmark as tables: every line beside the others, and which promises hold."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.contenders import BY_NAME, FASTAPI, FLASK, FLASK_SCORER, FLASK_THREADS, NGINX, OPTIONAL
from benchmarks.promises import judged, speed

HEAD = """\
| service | requests/s (least - most) | of nginx | times FastAPI | times Flask | p50 ms | p99 ms \
| server CPU s per 1,000 | memory per worker, MB | of all processes, MB | start s | installed MB | errors |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""
Record = dict[str, Any]


def table(record: Record) -> str:
    """Return the comparison of one record as a Markdown table."""
    return "\n".join([HEAD, *(_row(record, name) for name in BY_NAME if name in record["contenders"])])


def _row(record: Record, name: str) -> str:
    found = record["contenders"][name]
    rounds, memory = found["rounds"], found["memory"]
    rates = [r["requests_per_s"] * BY_NAME[name].flights for r in rounds]
    cells = [
        BY_NAME[name].what,
        f"**{median(rates):,.0f}** ({min(rates):,.0f} - {max(rates):,.0f})",
        ratio(record, name, NGINX, ".0%"),
        ratio(record, name, FASTAPI, ".2f"),
        ratio(record, name, fastest_flask(record), ".2f"),
        f"{median(r['p50_ms'] for r in rounds):.2f}",
        f"{median(r['p99_ms'] for r in rounds):.2f}",
        f"{median(r['cpu_s_per_1000'] for r in rounds):.4f}",
        f"{max(m['rss_mb'] for m in memory):.0f} ({max(m['pss_mb'] for m in memory):.0f})",
        _number(found.get("memory_all_mb"), ".0f"),
        _number(found.get("start_s"), ".2f"),
        _number(found.get("installed_mb"), ".0f"),
        f"{sum(r['errors'] for r in rounds) + found['warm_up']['wrong']:,}",
    ]
    return f"| {' | '.join(cells)} |"


def fastest_flask(record: Record) -> str:
    """Return the name of the fastest line of Flask in *record*, or of one where there is none."""
    there = [name for name in (FLASK, FLASK_SCORER, FLASK_THREADS) if name in record["contenders"]]
    return max(there, key=lambda name: speed(record, name), default=FLASK)


def _number(value: float | None, form: str) -> str:
    # records from before this was measured do not have it
    return "" if value is None else format(value, form)


def ratio(record: Record, name: str, other: str, form: str) -> str:
    """Return how many times as fast as *other* a contender is, in *form*; empty where *other* was not measured."""
    if other not in record["contenders"] or BY_NAME[name].flights != BY_NAME[other].flights:
        return ""
    return format(speed(record, name) / speed(record, other), form)


def verdict(record: Record) -> str:
    """Return which promises hold, as a table, and who was not measured; empty where there is nothing to say."""
    parts = []
    promises = judged(record)
    if promises:
        holding = sum(promise.holds for promise in promises)
        rows = [
            f"| {BY_NAME[p.ours].what} | {BY_NAME[p.rival].what} | {p.at_least:g} | {p.times:.2f} "
            f"| {'yes' if p.holds else '**no**'} |"
            if p.rival
            else f"| {BY_NAME[p.ours].what} | | {p.at_least:,} | {p.times:,.0f} | {'yes' if p.holds else '**no**'} |"
            for p in promises
        ]
        parts.append(
            f"{holding} of {len(promises)} promises hold:\n\n"
            "| this line | is so many times as fast as | promised at least | measured | holds |\n"
            "| --- | --- | ---: | ---: | --- |\n" + "\n".join(rows)
        )
    if "left_out" in record:
        missing = [name for name in OPTIONAL if name not in record["contenders"]]
        told = (
            f"{BY_NAME[name].what.split(',')[0]} ({record['left_out'].get(name, 'not asked for')})" for name in missing
        )
        if missing:
            parts.append(f"Not in this run: {'; '.join(told)}.")
    return "\n\n".join(parts)
