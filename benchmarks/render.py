"""From the records of the benchmark to its page, `results/README.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.contenders import BY_NAME, FASTAPI, FLASK_SCORER, FLASK_THREADS, NGINX, OURS
from benchmarks.promises import speed
from benchmarks.tables import ratio, table, verdict

RESULTS = Path(__file__).with_name("results")
PAGE = RESULTS / "README.md"
ABOUT_COLUMNS = """\
Memory per worker is the larger of the two biggest processes, in brackets with shared pages divided; that of all \
processes divides them too. Start is from the command to the first answer with status 200, once. Installed is the \
room that the packages of the service's environment take, Atraso's own among them and Python not; Atraso's line counts \
what its base installation has, nginx's its Debian package alone. Times Flask is times the fastest line of Flask."""

Record = dict[str, Any]


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
            " Rivals are bare: no token, no ledger, no metrics but those they have by themselves. Flask's plain "
            "workers close each connection, which its first two lines pay for. Model servers run in their own turns "
            "only, started anew for each."
        )
    challenge = f" (`/predict`: the {how['challenge_bodies']} there are)" if "challenge_bodies" in how else ""
    if "new_bodies" in how:
        challenge += f"; {how['new_bodies']:,} in the line of new ones, more than a worker remembers the answers of"
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
        f"{ratio(old, OURS, NGINX, '.0%')} | {ratio(old, OURS, FASTAPI, '.2f')} |"
    )


def rendered(folder: Path = RESULTS) -> str:
    """Return the page of the records in *folder*; their names sort by time."""
    records = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    newest = max(records)
    return page(records.pop(newest), records)


if __name__ == "__main__":
    PAGE.write_text(rendered())
