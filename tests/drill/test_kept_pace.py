"""20,000 predictions a second for a minute, all of them kept, forced to the disk in batches and stored."""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from atraso.stress.proc import cpu_seconds_of
from benchmarks.processes import ROOT
from tests.drill.figures import at_least, show, tell
from tests.drill.full import DRAINED_WITHIN_S, Full, everything_on
from tests.drill.journaling import Balance
from tests.drill.load import Load, Plan, offering
from tests.drill.machine import undisturbed
from tests.drill.wrk import drive

RATE, FOR_S, FLIGHTS_EACH = 20_000.0, 60.0, 10
# A pacer sends some 15,000 requests a second on a core that it has for itself.
PACERS = 2
CONNECTIONS = 64
SPOOL_US = 5.0


def test_20_000_requests_a_second_of_one_flight_are_kept_for_a_minute(tmp_path: Path) -> None:
    """As fast as they are answered, which must be so many: all are kept and stored; the writer's own time is told."""
    with (
        everything_on(tmp_path, ATRASO_LEDGER_FSYNC="batch") as full,
        undisturbed(full.service, "20,000 requests a second") as used,
        _kept(full) as told,
    ):
        generators_s = _children_s()
        requests, took_s = drive(full, int(FOR_S))
        used.generators_s += _children_s() - generators_s
        # Each connection may have had one more answer when the generator stopped to count.
        told.append(full.answered())
        at_least("answered in that minute", requests / took_s, "predictions a second", RATE)
        show("answers that the generator did not count", told[0] - requests, "requests", at_most=CONNECTIONS)
        show("answers that the service did not count", requests - told[0], "requests", at_most=0)


def test_20_000_predictions_a_second_are_kept_for_a_minute(tmp_path: Path) -> None:
    """Ten a request, in an open loop: all are answered in time, kept, and stored soon afterwards."""
    with (
        everything_on(tmp_path, ATRASO_LEDGER_FSYNC="batch") as full,
        undisturbed(full.service, "20,000 predictions a second, 10 a request") as used,
        _kept(full) as told,
    ):
        loads = _offered(full, FLIGHTS_EACH)
        used.generators_s += sum(load.processor_s for load in loads)
        told.append(sum(load.statuses[200] for load in loads) * FLIGHTS_EACH)
        _show(loads, FLIGHTS_EACH)


@contextlib.contextmanager
def _kept(full: Full) -> Iterator[list[int]]:
    """Watch the books while the block loads the service, and see that what it was told (put in the list) is stored."""
    told: list[int] = []
    with Balance(lambda: full) as balance:
        yield told
    kept, writer = full.ledger_rows(), full.writer_pid()
    drained_s = full.drained()
    rows = full.ledger_rows()
    assert writer is not None
    assert full.writer_pid() == writer
    tell("rows kept", kept["kept"], "rows")
    tell("of which queued when the load ended", kept["queued"], "rows")
    show("drained afterwards", drained_s, "s", at_most=DRAINED_WITHIN_S)
    tell("processor time of the writer", cpu_seconds_of(writer) / rows["stored"] * 1e6, "us a row")
    (answered,) = told
    show("predictions answered but not stored", answered - rows["stored"], "rows", at_most=0)
    show("rows stored that were not answered", rows["stored"] - answered, "rows", at_most=0)
    assert len(full.stored("id")) == rows["stored"]
    wrong = len(balance.wrong)
    show(f"moments when the rows did not add up {balance.wrong[:2]}", wrong, "times", at_most=0)


def _children_s() -> float:
    """Return the processor time of this process's children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _offered(full: Full, flights_each: int) -> list[Load]:
    plan = Plan(full.port, full.requests(flights_each), CONNECTIONS, FOR_S, rate=RATE / flights_each / PACERS)
    with contextlib.ExitStack() as under_way:
        offered = [
            under_way.enter_context(offering(replace(plan, requests=plan.requests[n:] + plan.requests[:n])))
            for n in range(PACERS)
        ]
        return [offer.met() for offer in offered]


def _show(loads: list[Load], flights_each: int) -> None:
    for load in loads:
        tell("lateness of a pacer at 0.99", load.late_ms(0.99), "ms")
        tell("p99", load.took_ms(0.99), "ms")
        tell("processor time of a pacer", load.processor_s / FOR_S, "s a second")
    show("errors", sum(load.failures for load in loads), "requests", at_most=0)
    within = sum(sum(at <= load.until + 0.5 for at, _, _ in load.answers) for load in loads)
    at_least("answered in that minute", within * flights_each / FOR_S, "predictions a second", RATE * 0.999)


def test_what_the_spool_adds_to_a_request() -> None:
    """Under 5 us of processor time, also where it is forced in batches; most of it is the one write of a turn."""
    runs = [_hot_path_us() for _ in range(3)]
    costs = {name: min(run[name] for run in runs) for name in runs[0]}  # what disturbs a run only ever adds
    without = costs["the whole request"]
    tell("a request without the spool", without, "us")
    for name in ("kept in the spool", "kept and forced in batches"):
        show(
            f"what a request costs more, {name}", costs[f"the whole request, {name}"] - without, "us", at_most=SPOOL_US
        )


def _hot_path_us() -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.hot_path", "--json"]
    found: dict[str, float] = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)[
        "microseconds"
    ]
    return found
