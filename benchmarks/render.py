"""From the records of the benchmark to its page, `results/README.md`."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contenders import BY_NAME, FASTAPI, FLASK, FLASK_SCORER, FLASK_THREADS, NGINX, OPTIONAL, OURS
from benchmarks.promises import judged, speed

RESULTS = Path(__file__).with_name("results")
PAGE = RESULTS / "README.md"
HEAD = """\
| service | requests/s (least - most) | of nginx | times FastAPI | times Flask | p50 ms | p99 ms \
| server CPU s per 1,000 | memory per worker, MB | of all processes, MB | start s | installed MB | errors |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""
ABOUT_COLUMNS = """\
Memory per worker is the larger of the two biggest processes, in brackets with shared pages divided; that of all \
processes divides them too. Start is from the command to the first answer with status 200, once. Installed is the \
room that the packages of the service's environment take, Atraso's own among them and Python not; Atraso's line counts \
what its base installation has, nginx's its Debian package alone. Times Flask is times the fastest line of Flask."""

Record = dict[str, Any]


def table(record: Record) -> str:
    """Return the comparison of one record as a Markdown table."""
    return "\n".join([HEAD, *(_row(record, name) for name in BY_NAME if name in record["contenders"])])


def _row(record: Record, name: str) -> str:
    found = record["contenders"][name]
    rounds, memory = found["rounds"], found["memory"]
    rates = [r["requests_per_s"] for r in rounds]
    cells = [
        BY_NAME[name].what,
        f"**{median(rates):,.0f}** ({min(rates):,.0f} - {max(rates):,.0f})",
        _ratio(record, name, NGINX, ".0%"),
        _ratio(record, name, FASTAPI, ".2f"),
        _ratio(record, name, fastest_flask(record), ".2f"),
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


def _ratio(record: Record, name: str, other: str, form: str) -> str:
    if other not in record["contenders"]:
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


def page(record: Record, earlier: dict[str, Record]) -> str:
    """Return the page: the newest record in full, and a line for each of the *earlier* ones by file name."""
    parts = [
        "# Throughput, side by side",
        "Written by `make bench` and `make bench-peers` from the records in this folder; do not edit.",
        table(record),
        ABOUT_COLUMNS,
        verdict(record),
        _how(record["settings"], record["machine"]["cores"]),
        _scorer_alone(record["scoring"]),
        _where(record),
    ]
    if earlier:
        rows = [_earlier(name, old) for name, old in sorted(earlier.items(), reverse=True)]
        parts += [
            "## Earlier",
            "| record | commit | everything on | Atraso, requests/s | of nginx | times FastAPI |\n"
            "| --- | --- | --- | ---: | ---: | ---: |\n" + "\n".join(rows),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _how(how: dict[str, Any], cores: int) -> str:
    # records from before this was so do not say it
    on = bare = ""
    if "ours_on" in how:
        on = f"Atraso runs with everything on: {how['ours_on']}. "
        bare = (
            " Rivals are bare: no token, no ledger, no metrics but those they have by themselves. Flask's plain workers "
            "close each connection, which its first two lines pay for. Model servers run in their own turns only, "
            "started anew for each."
        )
    challenge = f" (`/predict`: the {how['challenge_bodies']} there are)" if "challenge_bodies" in how else ""
    return (
        f"{on}One flight a `POST`, {how['bodies']:,} different flights{challenge}; {how['workers']} workers each, "
        f"wrk with {how['threads']} threads and {how['connections']} connections on the same {cores} cores; "
        f"{how['rounds']} rounds of {how['seconds']} s, the services in turn, after {how['warm_up_s']} s of warming up "
        "in which every answer was looked at. Medians of the rounds. wrk asks again only when it was answered, so its "
        f"percentiles tell how the services compare when full, not what a client sees at a given rate.{bare}"
    )


def _scorer_alone(scoring: dict[str, float]) -> str:
    # records made before these were measured do not have them
    score = f", {scoring['score_us']:.1f} µs of it the scorecard with its look-ups" if "score_us" in scoring else ""
    state = ""
    if "new_state_ms" in scoring:
        state = f"; all keys of every live scorecard for a new state in {scoring['new_state_ms']:.0f} ms"
    return (
        f"The scorer alone: {scoring['resolve_us']:.1f} µs to read the names of a flight and "
        f"{scoring['predict_us']:.1f} µs to answer it{score}; 10,000 flights at once in "
        f"{scoring['predict_many_10000_s']:.3f} s{state} (best of several)."
    )


def _where(record: Record) -> str:
    machine = record["machine"]
    theirs = {name: found["versions"] for name, found in record["contenders"].items() if "versions" in found}
    if "rival_versions" in machine:
        theirs[FASTAPI] = machine["rival_versions"]
    # several lines of one service have the same packages
    several = {FLASK_SCORER, FLASK_THREADS, NGINX} | {name for name in theirs if BY_NAME[name].service == OURS}
    rivals = "".join(
        f" {BY_NAME[name].what.split(',')[0]}: {_listed(versions)}."
        for name, versions in theirs.items()
        if name not in several
    )
    return (
        f"Measured {machine['date']} at commit {machine['commit']}, on {machine['cores']} cores of "
        f"{machine['processor']}, {machine['memory_gb']:g} GB, {machine['system']}, kernel {machine['kernel']} "
        f"(load before: {machine['load_before']:.2f}), by `{machine['command']}`. Model {record['model']}. "
        f"Versions: {_listed(machine['versions'])}.{rivals}"
    )


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _earlier(name: str, old: Record) -> str:
    on = "yes" if "ours_on" in old["settings"] else "no"
    return (
        f"| [{name}]({name}) | {old['machine']['commit']} | {on} | {speed(old, OURS):,.0f} | "
        f"{_ratio(old, OURS, NGINX, '.0%')} | {_ratio(old, OURS, FASTAPI, '.2f')} |"
    )


def rendered(folder: Path = RESULTS) -> str:
    """Return the page of the records in *folder*; their names sort by time."""
    records = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    newest = max(records)
    return page(records.pop(newest), records)


if __name__ == "__main__":
    PAGE.write_text(rendered())
