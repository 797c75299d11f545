"""`make bench`: single-flight POST throughput of Atraso and its rivals, side by side in one run.

The services are measured in turn, round after round, so that a machine that slows down or is disturbed treats them
alike.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from benchmarks.agreement import WrongAnswersError
from benchmarks.contenders import BY_NAME, OPTIONAL, USUAL
from benchmarks.machine import MissingToolError, need_tools
from benchmarks.processes import NotStartedError
from benchmarks.promises import judged
from benchmarks.render import PAGE, RESULTS, rendered
from benchmarks.session import run
from benchmarks.tables import table, verdict

USER_ERROR = 2


def main() -> int:
    """Run the benchmark; return 0, 1 where errors or a broken promise spoil it, 2 where something is missing."""
    asked = arguments(sys.argv[1:])
    names = asked.only or [*USUAL, *(OPTIONAL if asked.peers else ())]
    try:
        need_tools({BY_NAME[name].service for name in names})
        record = run(asked.seconds, asked.rounds, names)
    except (MissingToolError, NotStartedError, WrongAnswersError, subprocess.CalledProcessError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return USER_ERROR
    if not asked.only:
        _keep(record)
    print(json.dumps(record) if asked.json else f"{table(record)}\n\n{verdict(record)}")
    return 0 if is_good(record) else 1


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return what the command line *words* ask for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, epilog="Example: python -m benchmarks.run --seconds 4"
    )
    parser.add_argument("--seconds", type=int, default=8, help="length of each measurement (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each service (default 3)")
    parser.add_argument("--json", action="store_true", help="print the record instead of the table")
    parser.add_argument("--peers", action="store_true", help=f"measure {', '.join(OPTIONAL)} too, where installed")
    parser.add_argument(
        "--only", action="append", choices=BY_NAME, help="measure this line alone (may be repeated); nothing is kept"
    )
    return parser.parse_args(words)


def _keep(record: dict[str, Any]) -> None:
    taken = datetime.fromisoformat(record["machine"]["date"])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{taken:%Y-%m-%d-%H%M}.json").write_text(json.dumps(record, indent=1) + "\n")
    PAGE.write_text(rendered())


def is_good(record: dict[str, Any]) -> bool:
    """Return whether every answer was right and every promise that the record can judge is kept."""
    found = record["contenders"].values()
    errors = sum(turn["errors"] for contender in found for turn in contender["rounds"])
    wrong = sum(contender["warm_up"]["wrong"] for contender in found)
    return not errors and not wrong and all(promise.holds for promise in judged(record))


if __name__ == "__main__":
    sys.exit(main())
