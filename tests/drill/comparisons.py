"""Comparisons of builds that are known to be equal, and of one with a handler that takes 5 % longer.

`python -m tests.drill.comparisons FILE` writes the medians of each turn of 20 repetitions of both, for the tests of the
verdict. Every repetition starts its services anew, because two starts of one build differ too. Services and client
share one processor, so that the scheduler's choices are not what is compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from atraso.stress.beside import Beside
from atraso.stress.machine import now, this_machine, versions
from atraso.stress.placement import Placement
from atraso.stress.record import Record
from atraso.stress.target import named

REPETITIONS, TURNS, REQUESTS = 20, 100, 100
SLOWER_BY = 0.05


@contextlib.contextmanager
def built(extra_us: float) -> Iterator[str]:
    """Run a service whose handler takes *extra_us* longer, and give its address."""
    with tempfile.TemporaryDirectory() as data:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.drill.slowed", str(extra_us), "serve", "--port", "0", "--workers", "1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "ATRASO_DATA": data},
        )
        try:
            assert process.stdout is not None
            found = re.search(rb"http://[\d.:]+", process.stdout.readline())
            assert found is not None
            yield found[0].decode()
        finally:
            process.terminate()
            process.communicate()


def beside(first: str, second: str) -> tuple[Record, Record]:
    """Return the records of two services measured beside each other."""
    run = Beside(named(first, None, owned=False), named(second, None, owned=False), TURNS, REQUESTS)
    run.measure(lambda *_: None)
    return run.records()


def medians_us(record: Record) -> list[float]:
    """Return the median of each turn in microseconds."""
    return [round((block.p50_ms or 0.0) * 1000, 3) for block in record.runs[0].blocks]


def main(file: Path) -> None:
    """Measure, and write what was measured after each repetition."""
    found: dict[str, list[list[list[float]]]] = {"equal": [], "slower": []}
    about = {"date": now(), "machine": vars_of(this_machine()), "versions": versions()}
    placement = Placement()
    with placement.with_services():
        with built(0.0) as one, built(0.0) as other:
            base = beside(one, other)[0]
        assert base.runs[0].latency is not None
        extra_us = SLOWER_BY * base.runs[0].latency.p50_ms * 1000
        for n in range(REPETITIONS):
            with built(0.0) as one, built(0.0) as other, built(extra_us) as slow:
                for name, second in (("equal", other), ("slower", slow)):
                    found[name].append([medians_us(record) for record in beside(one, second)])
            text = {"about": about, "extra_us": round(extra_us, 3), "turns": TURNS, "requests": REQUESTS, **found}
            file.write_text(json.dumps(text, separators=(",", ":")).replace("]],", "]],\n") + "\n")
            print(n + 1, extra_us, flush=True)  # noqa: T201


def vars_of(machine: object) -> dict[str, object]:
    """Return the fields of a struct."""
    return {name: getattr(machine, name) for name in machine.__struct_fields__}  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
