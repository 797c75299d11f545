"""`make bench`: single-flight POST throughput of Atraso, nginx and FastAPI, side by side in one run.

All three services stay up for the whole run and are measured in turn, round after round, so that a machine that
slows down or is disturbed treats them alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median_low
from typing import Any

from atraso.artefact.scorer import load_scorer
from benchmarks import scoring
from benchmarks.contenders import FASTAPI, NAMES, NGINX, OURS, WORKERS, command_of
from benchmarks.machine import MissingToolError, command_line, describe, need_tools
from benchmarks.processes import NotStartedError, Service, free_port, running
from benchmarks.questions import DISTINCT, PREDICTIONS, body_of, questions, write_bodies
from benchmarks.render import AT_LEAST, PAGE, RESULTS, rendered, speed, table, verdict
from benchmarks.wrk import CONNECTIONS, THREADS, drive, measure

WARM_UP_S = 2
COMPARED = 200
USER_ERROR = 2


class WrongAnswersError(Exception):
    """The services do not give the same answers, so their speeds say nothing."""


def main() -> int:
    """Run the benchmark; return 0, 1 where errors or a broken promise spoil it, 2 where something is missing."""
    asked = _arguments()
    try:
        need_tools()
        record = run(asked.seconds, asked.rounds, asked.only or list(NAMES))
    except (MissingToolError, NotStartedError, WrongAnswersError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return USER_ERROR
    if not asked.only:
        _keep(record)
    print(json.dumps(record) if asked.json else f"{table(record)}\n\n{verdict(record)}")
    return 0 if _is_good(record) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, epilog="Example: python -m benchmarks.run --seconds 4"
    )
    parser.add_argument("--seconds", type=int, default=8, help="length of each measurement (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each service (default 3)")
    parser.add_argument("--json", action="store_true", help="print the record instead of the table")
    parser.add_argument(
        "--only", action="append", choices=NAMES, help="measure this service alone (may be repeated); nothing is kept"
    )
    return parser.parse_args()


def run(seconds: int, rounds: int, names: list[str]) -> dict[str, Any]:
    """Measure the services of *names* and return the record."""
    scorer = load_scorer()
    flights = questions(scorer.manifest)
    record: dict[str, Any] = {
        "machine": describe(command_line()),
        "model": f"{scorer.manifest.airport} {scorer.manifest.version}",
        "settings": {
            "seconds": seconds,
            "rounds": rounds,
            "warm_up_s": WARM_UP_S,
            "threads": THREADS,
            "connections": CONNECTIONS,
            "workers": WORKERS,
            "bodies": DISTINCT,
        },
        "scoring": scoring.measure(scorer),
    }
    with tempfile.TemporaryDirectory(prefix="atraso-bench-") as folder:
        bodies = Path(folder) / "bodies"
        write_bodies(bodies, flights)
        with _services(names, flights, Path(folder)) as services:
            warm_ups = {name: drive(services[name], bodies, WARM_UP_S, check=True) for name in names}
            measured: dict[str, list[Any]] = {name: [] for name in names}
            for round_ in range(rounds):
                for name in names:
                    measured[name].append(measure(services[name], bodies, seconds))
                    rate = measured[name][-1]["requests_per_s"]
                    print(f"round {round_ + 1}/{rounds}  {name:8} {rate:10,.0f} requests/s", file=sys.stderr)
            record["contenders"] = {
                name: {
                    "warm_up": warm_ups[name],
                    "rounds": measured[name],
                    "memory": services[name].memory(WORKERS),
                }
                for name in names
            }
    return record


@contextlib.contextmanager
def _services(names: list[str], flights: list[dict[str, str]], folder: Path) -> Iterator[dict[str, Service]]:
    """Yield the services of *names* and ours, all up; they have shown that they answer alike."""
    with contextlib.ExitStack() as stack:
        services: dict[str, Service] = {}

        def start(name: str, answer: bytes = b"") -> None:
            port = free_port()
            command = command_of(name, port, answer, folder)
            services[name] = stack.enter_context(running(command, port, PREDICTIONS, body_of(flights[0])))

        start(OURS)
        answers = _answers(services[OURS], flights)
        if FASTAPI in names:
            start(FASTAPI)
            _compare(answers, _answers(services[FASTAPI], flights))
        if NGINX in names:
            usual = median_low(map(len, answers))
            start(NGINX, next(answer for answer in answers if len(answer) == usual))
        yield services


def _answers(service: Service, flights: list[dict[str, str]]) -> list[bytes]:
    answers = []
    for flight in flights[:COMPARED]:
        status, answer = service.post(PREDICTIONS, body_of(flight))
        if status != 200:
            raise WrongAnswersError(f"{flight} was answered with status {status}: {answer[:200]!r}")
        answers.append(answer)
    return answers


def _compare(ours: list[bytes], theirs: list[bytes]) -> None:
    """Make sure that the rival computes what we compute: everything of the answer but id and time."""
    for mine, other in zip(ours, theirs, strict=True):
        one, two = (json.loads(answer) for answer in (mine, other))
        for answer in (one, two):
            answer.pop("as_of")
            answer["predictions"][0].pop("id")
        if one != two:
            raise WrongAnswersError(f"the FastAPI service answers {two} where Atraso answers {one}")


def _keep(record: dict[str, Any]) -> None:
    taken = datetime.fromisoformat(record["machine"]["date"])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{taken:%Y-%m-%d-%H%M}.json").write_text(json.dumps(record, indent=1) + "\n")
    PAGE.write_text(rendered())


def _is_good(record: dict[str, Any]) -> bool:
    found = record["contenders"]
    errors = sum(r["errors"] for c in found.values() for r in c["rounds"])
    wrong = sum(c["warm_up"]["wrong"] for c in found.values())
    if errors or wrong:
        return False
    return not {OURS, FASTAPI} <= found.keys() or speed(record, OURS) >= AT_LEAST * speed(record, FASTAPI)


if __name__ == "__main__":
    sys.exit(main())
