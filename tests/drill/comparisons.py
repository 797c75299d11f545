"""Comparisons of builds that are known to be equal, and of one with a handler that takes 5 % longer.

`python -m tests.drill.comparisons FILE [COUNT]` writes the 10th percentiles of the turns of 20 comparisons of
both kinds, or of COUNT more, for the tests of the verdict. The 5 % are of a request's whole time on one connection.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

from atraso.stress.beside import Beside, builds
from atraso.stress.machine import now, this_machine, versions
from atraso.stress.runs import Run
from tests.drill.slowed import round_us

COMPARISONS, STARTS, TURNS, REQUESTS = 20, 24, 20, 200
SLOWER_BY = 0.05


def build(rounds: int) -> list[str]:
    """Return the command of a build whose handler goes round so often before it answers."""
    return [sys.executable, "-m", "tests.drill.slowed", str(rounds)]


def measured(rounds: int, starts: int) -> tuple[list[list[float]], list[list[float]]]:
    """Return the 10th percentile of each turn (microseconds) of each start of two builds, the second being slower."""
    run = Beside(builds(build(0), build(rounds)), ("A", "B"), starts=starts, turns=TURNS, requests=REQUESTS)
    run.measure(lambda *_: None)
    first, second = ([undisturbed_us(found) for found in record.runs] for record in run.records())
    return first, second


def undisturbed_us(run: Run) -> list[float]:
    """Return the 10th percentile of each turn in microseconds."""
    return [round((block.p10_ms or 0.0) * 1000, 2) for block in run.blocks]


def main(file: Path, count: int) -> None:
    """Measure *count* more comparisons, and write what was measured after each of them."""
    if file.exists():
        text = json.loads(file.read_text("utf-8"))
    else:
        machine = this_machine()
        about = {name: getattr(machine, name) for name in machine.__struct_fields__}
        base_us = median(level for turns in measured(0, 5)[0] for level in turns)
        rounds = round(SLOWER_BY * base_us / round_us())
        text = {
            "date": now(),
            "machine": about,
            "versions": versions(),
            "rounds": rounds,
            "base_us": base_us,
            "requests": REQUESTS,
        }
        text |= {"equal": [], "slower": []}
    for _ in range(count):
        for name, rounds in (("equal", 0), ("slower", text["rounds"])):
            text[name].append(measured(rounds, STARTS))
        file.write_text(json.dumps(text, separators=(",", ":")).replace("]],", "]],\n") + "\n")
        print(len(text["equal"]), text["rounds"], flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else COMPARISONS)
