"""From the records of the benchmark to its page, `results/README.md`."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import FASTAPI, NAMES, NGINX, OURS, WHAT

RESULTS = Path(__file__).with_name("results")
PAGE = RESULTS / "README.md"
AT_LEAST = 2.0  # times FastAPI

Record = dict[str, Any]


def speed(record: Record, name: str) -> float:
    """Return the median requests per second of a contender."""
    return float(median(r["requests_per_s"] for r in record["contenders"][name]["rounds"]))


def table(record: Record) -> str:
    """Return the comparison of one record as a Markdown table."""
    lines = [
        "| service | requests/s (least - most) | of nginx | times FastAPI | p50 ms | p99 ms "
        "| server CPU s per 1,000 | memory per worker, MB | errors |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in NAMES:
        if name in record["contenders"]:
            lines.append(_row(record, name))
    return "\n".join(lines)


def _row(record: Record, name: str) -> str:
    found = record["contenders"][name]
    rounds = found["rounds"]
    rates = [r["requests_per_s"] for r in rounds]
    memory = found["memory"]
    cells = [
        WHAT[name],
        f"**{median(rates):,.0f}** ({min(rates):,.0f} - {max(rates):,.0f})",
        _ratio(record, name, NGINX, ".0%"),
        _ratio(record, name, FASTAPI, ".2f"),
        f"{median(r['p50_ms'] for r in rounds):.2f}",
        f"{median(r['p99_ms'] for r in rounds):.2f}",
        f"{median(r['cpu_s_per_1000'] for r in rounds):.4f}",
        f"{max(m['rss_mb'] for m in memory):.0f} ({max(m['pss_mb'] for m in memory):.0f} shared out)",
        f"{sum(r['errors'] for r in rounds) + found['warm_up']['wrong']:,}",
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(record: Record, name: str, other: str, form: str) -> str:
    if other not in record["contenders"]:
        return ""
    return format(speed(record, name) / speed(record, other), form)


def verdict(record: Record) -> str:
    """Return the sentence about the promised ratio; empty where one of the two was not measured."""
    if not {OURS, FASTAPI} <= record["contenders"].keys():
        return ""
    times = speed(record, OURS) / speed(record, FASTAPI)
    return (
        f"Atraso answers {times:.2f} times as many requests as the FastAPI service (promised: at least {AT_LEAST:g})."
    )


def page(record: Record, earlier: dict[str, Record]) -> str:
    """Return the page: the newest record in full, and a line for each of the *earlier* ones by file name."""
    machine, how, scoring = record["machine"], record["settings"], record["scoring"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    rival = ", ".join(f"{name} {number}" for name, number in machine["rival_versions"].items())
    lines = [
        "# Throughput, side by side",
        "",
        "Written by `make bench` from the records in this folder; do not edit.",
        "",
        table(record),
        "",
        verdict(record),
        "",
        f"One flight a `POST /v1/predictions`, {how['bodies']:,} different flights; {how['workers']} workers each, "
        f"wrk with {how['threads']} threads and {how['connections']} connections on the same {machine['cores']} cores; "
        f"{how['rounds']} rounds of {how['seconds']} s, the services in turn, after {how['warm_up_s']} s of warming up "
        "in which every answer was looked at. Medians of the rounds. wrk asks again only when it was answered, so its "
        "percentiles tell how the services compare when full, not what a client sees at a given rate.",
        "",
        f"The scorer alone: {scoring['resolve_us']:.1f} µs to read the names of a flight and "
        f"{scoring['predict_us']:.1f} µs to answer it{_score(scoring)}; 10,000 flights at once in "
        f"{scoring['predict_many_10000_s']:.3f} s{_state(scoring)} (best of several).",
        "",
        f"Measured {machine['date']} at commit {machine['commit']}, on {machine['cores']} cores of "
        f"{machine['processor']}, {machine['memory_gb']:g} GB, {machine['system']}, kernel {machine['kernel']} "
        f"(load before: {machine['load_before']:.2f}), by `{machine['command']}`. Model {record['model']}. "
        f"Versions: {versions}. The FastAPI service: {rival}.",
    ]
    if earlier:
        lines += [
            "",
            "## Earlier",
            "",
            "| record | commit | Atraso, requests/s | of nginx | times FastAPI |",
            "| --- | --- | ---: | ---: | ---: |",
        ]
        for name, old in sorted(earlier.items(), reverse=True):
            lines.append(
                f"| [{name}]({name}) | {old['machine']['commit']} | {speed(old, OURS):,.0f} | "
                f"{_ratio(old, OURS, NGINX, '.0%')} | {_ratio(old, OURS, FASTAPI, '.2f')} |"
            )
    return "\n".join(lines) + "\n"


def rendered(folder: Path = RESULTS) -> str:
    """Return the page of the records in *folder*; their names sort by time."""
    records = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    newest = max(records)
    return page(records.pop(newest), records)


if __name__ == "__main__":
    PAGE.write_text(rendered())


def _state(scoring: dict[str, float]) -> str:
    # records from before the state had sums of its own do not have it
    if "new_state_ms" not in scoring:
        return ""
    return f"; all keys of every live scorecard for a new state in {scoring['new_state_ms']:.0f} ms"


def _score(scoring: dict[str, float]) -> str:
    # records made before this was measured do not have it
    return f", {scoring['score_us']:.1f} µs of it the scorecard with its look-ups" if "score_us" in scoring else ""
