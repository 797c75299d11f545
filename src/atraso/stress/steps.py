"""One step of a profile: its load is driven, and what it met becomes a `Run`."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from atraso.stress import watch
from atraso.stress.answers import SIGN
from atraso.stress.crowd import Crowd, gather
from atraso.stress.drive import Burst, Driver, why_no_wrk
from atraso.stress.faults import Striking, stored
from atraso.stress.histogram import latency_of
from atraso.stress.pace import Paced, Plan, offer
from atraso.stress.proc import established
from atraso.stress.profiles import SLO, Arrivals, Fault, Figure, Promise, Step, StressError
from atraso.stress.profiles import Driver as By
from atraso.stress.runs import Block, Run, blocks_of_seconds, common_figures, kept, silence
from atraso.stress.target import Target, bodies

Progress = Callable[[str, int, int], None]
# Above this rate one process of the pacer is late on its own.
ONE_PROCESS_PER_S = 6000
SLOW_S = SLO[0].at_most
SECOND_OF_WARMTH = 0.1
WARM_UP_PER_S = 200.0
OF_PROCESSES = frozenset({Figure.SERVER_MB, Figure.GROWTH_MB, Figure.DESCRIPTORS_MORE})


@dataclass(frozen=True)
class Bench:
    """What a step is done with: the target, how long, a folder for files, who is told, and the top rate if known."""

    target: Target
    seconds: float
    folder: Path
    progress: Progress
    say: Callable[[str], None]
    top: float | None = None


def done(step: Step, bench: Bench) -> Run:
    """Drive *step* and return what it met; a run that was stopped by Ctrl-C is partial. Raises StressError."""
    with ticking(step.name, bench.seconds, bench.progress):
        match step.driver:
            case By.WRK:
                return _with_wrk(step, bench)
            case By.PACER:
                return _with_pacer(step, bench)
            case By.CROWD:
                return _with_crowd(step, bench)


@contextlib.contextmanager
def ticking(text: str, seconds: float, progress: Progress) -> Iterator[None]:
    """Tell *progress* every second how much of *seconds* is over while the block runs."""
    over = threading.Event()

    def tick() -> None:
        elapsed = 0
        while not over.wait(1.0):
            elapsed += 1
            progress(text, min(elapsed, int(seconds)), int(seconds))

    progress(text, 0, int(seconds))
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _with_wrk(step: Step, bench: Bench) -> Run:
    missing = why_no_wrk()
    if missing:
        raise StressError(f"{missing}.")
    target, seconds = bench.target, max(int(bench.seconds), 1)
    driver = Driver(bench.folder, target.path, bodies(step.flights), SIGN.decode(), step.flights)
    driver.prepare("step", [target.authorization])
    if step.warm_up_s:
        warmed = driver.drive("step", target.origin, step.connections, step.warm_up_s, step.threads)
        if warmed.stopped:
            return _only_warmed(_of_burst(step, warmed, step.warm_up_s, None, watch.Usage(0.0, 0.0)))
    before = watch.children_cpu_s()
    with watch.Watch(target.pid) as watched:
        began = time.monotonic()
        burst = driver.drive("step", target.origin, step.connections, seconds, step.threads)
        client = watch.of_children(before, began)
    return _of_burst(step, burst, seconds, watched.usage, client)


def _only_warmed(run: Run) -> Run:
    """Return *run* of a warm-up that was stopped: it is all there is of its step."""
    return msgspec.structs.replace(run, notes=("stopped while it was warmed up", *run.notes))


def _of_burst(step: Step, burst: Burst, seconds: int, server: watch.Usage | None, client: watch.Usage) -> Run:
    good_by_s, bad_by_s = _from_first_second(burst)
    good = sum(good_by_s)
    took_s = max(burst.took_us, 1) / 1e6  # wrk that is stopped at once took no time
    errors = {f"status {status}": count for status, count in sorted(burst.statuses.items()) if status != 200}
    errors |= {
        "not a prediction": burst.wrong,
        "not connected": burst.connect,
        "connection broken": burst.read + burst.write,
        "no answer in time": burst.timeout,
        "not checked": max(burst.requests - sum(burst.statuses.values()), 0),
    }
    errors = {kind: count for kind, count in errors.items() if count}
    latency = latency_of([burst.latency_us])
    rate = good / took_s
    figures = common_figures(good, sum(errors.values()), rate, latency)
    return Run(
        name=step.name, driver=str(step.driver), loop="closed",
        asked={"threads": step.threads, "connections": step.connections, "seconds": seconds, "flights": step.flights},
        took_s=round(took_s, 3), answers=sum(burst.statuses.values()), good=good, rate=round(rate, 1),
        flights_per_s=round(rate * step.flights, 1), figures=figures,
        statuses={str(status): count for status, count in sorted(burst.statuses.items())}, errors=errors,
        latency=latency, good_by_s=good_by_s, bad_by_s=bad_by_s, blocks=blocks_of_seconds(good_by_s),
        server=server, client=client, promises=kept(step.promises, figures, seconds),
        notes=() if burst.stopped else silence(good_by_s, seconds), partial=burst.stopped,
    )  # fmt: skip


def _from_first_second(burst: Burst) -> tuple[tuple[int, ...], tuple[int, ...]]:
    first = min((*burst.good_by_s, *burst.bad_by_s), default=0)
    last = max((*burst.good_by_s, *burst.bad_by_s), default=-1)
    seconds = range(first, last + 1)
    good, bad = (tuple(by_s.get(second, 0) for second in seconds) for by_s in (burst.good_by_s, burst.bad_by_s))
    return good, bad


def stages_of(step: Step, seconds: float, top: float | None) -> tuple[tuple[float, float], ...]:
    """Return the stages of an open loop as (seconds, requests a second); raises StressError without a *top* rate."""
    found = []
    for stage in step.stages:
        rate = stage.per_s
        if rate is None:
            if not top:
                raise StressError("No rate held the service's promise, so there is no top rate to take a part of.")
            rate = top * (stage.of_top or 0.0)
        found.append((stage.share * seconds, rate))
    return tuple(found)


def _with_pacer(step: Step, bench: Bench) -> Run:
    target = bench.target
    if target.scheme != "http":
        raise StressError("The open loop speaks plain HTTP: name the service behind the TLS, or choose a wrk profile.")
    stages = stages_of(step, bench.seconds, bench.top)
    plan = Plan(
        target.port,
        [target.request(body) for body in bodies(step.flights)],
        step.connections,
        bench.seconds,
        stages,
        host=target.host,
        poisson=step.arrivals is Arrivals.POISSON,
        processes=1 + (max(rate for _, rate in stages) > ONE_PROCESS_PER_S),
        flights=step.flights,
        slow_s=(SLOW_S or 0.0) / 1000,
        block_s=max(bench.seconds / 10, 0.5),
    )
    if step.warm_up_s:
        rate = min(WARM_UP_PER_S, *(rate for _, rate in stages))
        warmed = offer(replace(plan, seconds=float(step.warm_up_s), stages=((float(step.warm_up_s), rate),)))
        if warmed.stopped:
            return _only_warmed(_of_paced(step, warmed, [], None, watch.Usage(0.0, 0.0)))
    with watch.Watch(target.pid) as watched, Striking(step.fault, target, bench.seconds) as fault:
        began = time.monotonic()
        before = watch.children_cpu_s()
        met = offer(plan)
        fault.excused = met.stopped
        client = watch.of_children(before, began)
    notes = list(fault.told)
    if step.fault is not Fault.NONE and not met.stopped:
        try:
            notes += filter(None, [stored(target)])
        except KeyboardInterrupt:
            met = replace(met, stopped=True)
    return _of_paced(step, met, notes, watched.usage, client)


def _of_paced(step: Step, met: Paced, notes: list[str], server: watch.Usage | None, client: watch.Usage) -> Run:
    plan = met.plan
    good = met.latency.count if met.latency else 0
    took_s = min(plan.seconds, max(len(met.good_by_s), len(met.bad_by_s))) if met.stopped else plan.seconds
    rate = good / max(took_s, 1e-9)
    figures = common_figures(good, met.failed, rate, met.latency)
    figures |= {
        str(Figure.BROKEN): float(sum(n for kind, n in met.errors.items() if not kind.startswith("status 503"))),
    }
    if len(plan.stages) > 1:
        figures[str(Figure.RECOVERY_S)] = recovery_s(met)
    figures |= _growth(server, good)
    promises, unseen = can_be_judged(step.promises, server)
    loop = {f"rate {n}" if n else "rate": round(rate, 1) for n, (_, rate) in enumerate(plan.stages)}
    blocks = tuple(
        Block(round(block.count / plan.block_s, 1), block.p50_ms, block.p99_ms) for block in met.blocks if block
    )
    return Run(
        name=step.name, driver=str(step.driver), loop="open",
        asked={
            **loop, "seconds": plan.seconds, "connections": plan.connections, "flights": step.flights,
            "arrivals": "random" if plan.poisson else "constant", "processes": plan.processes,
        },
        took_s=took_s, answers=sum(met.statuses.values()), good=good, rate=round(rate, 1),
        flights_per_s=round(rate * step.flights, 1), figures=figures,
        statuses={str(status): count for status, count in sorted(met.statuses.items())}, errors=dict(met.errors),
        latency=met.latency, lateness=met.lateness, good_by_s=met.good_by_s, bad_by_s=met.bad_by_s, blocks=blocks,
        server=server, client=client, promises=kept(promises, figures, plan.seconds),
        notes=(*notes, *unseen, *(() if met.stopped else silence(met.good_by_s, plan.seconds))),
        void="" if met.stopped else met.void, partial=met.stopped,
    )  # fmt: skip


def recovery_s(met: Paced) -> float:
    """Return how long after its highest stage the last request was due that was slow or not answered well."""
    stages = met.plan.stages
    peak = max(range(len(stages)), key=lambda n: stages[n][1])
    over = sum(seconds for seconds, _ in stages[: peak + 1])
    bad = [second for by_s in (met.bad_by_s, met.slow_by_s) for second, count in enumerate(by_s) if count]
    return max(max((second + 1 - over for second in bad), default=0.0), 0.0)


def can_be_judged(
    promises: tuple[Promise, ...], server: watch.Usage | None
) -> tuple[tuple[Promise, ...], tuple[str, ...]]:
    """Return those of *promises* that can be judged, and a sentence for the others: memory is seen of own processes."""
    if server is not None or not any(promise.figure in OF_PROCESSES for promise in promises):
        return promises, ()
    rest = tuple(promise for promise in promises if promise.figure not in OF_PROCESSES)
    return rest, (
        "memory and open files of a service named by --url are not seen, and what is promised of them is not judged",
    )


def _growth(server: watch.Usage | None, good: int) -> dict[str, float]:
    """Return how memory and open files grew after the first tenth of the run."""
    if server is None or len(server.looks) < 2:
        return {}
    looks = server.looks
    warm = looks[min(max(int(len(looks) * SECOND_OF_WARMTH), 1), len(looks) - 2)]
    last = looks[-1]
    part = 1 - warm.second / max(last.second, 1e-9)
    hundred_thousands = max(good * part / 100_000, 1e-9)
    return {
        str(Figure.GROWTH_MB): round(max(last.memory_mb - warm.memory_mb, 0.0) / hundred_thousands, 3),
        str(Figure.DESCRIPTORS_MORE): float(max(last.descriptors - warm.descriptors, 0)),
        str(Figure.SERVER_MB): server.peak_mb,
    }


def _with_crowd(step: Step, bench: Bench) -> Run:
    target = bench.target
    if target.scheme != "http":
        raise StressError("A crowd speaks plain HTTP: name the service behind the TLS.")
    if ":" in target.host:
        raise StressError("A crowd needs many addresses of its own, which the loopback has in IPv4 alone.")
    seen = 0

    def between() -> None:
        nonlocal seen
        seen = established(target.port)

    before = watch.children_cpu_s()
    with watch.Watch(target.pid) as watched:
        began = time.monotonic()
        met = gather(target, step.connections, bench.seconds, between, bench.say)
        client = watch.of_children(before, began)
        took_s = time.monotonic() - began
    return _of_crowd(step, met, seen, took_s, (watched.usage, client))


def _of_crowd(step: Step, met: Crowd, seen: int, took_s: float, used: tuple[watch.Usage | None, watch.Usage]) -> Run:
    server, client = used
    rate = met.good / max(took_s, 1e-9)
    figures = common_figures(met.good, sum(met.errors.values()), rate, met.latency)
    twice = min((found.good for found in met.rounds), default=0) if len(met.rounds) > 1 else 0
    figures |= {
        str(Figure.ESTABLISHED): float(min(seen, met.established)),
        str(Figure.ANSWERED_TWICE): float(twice),
    }
    if server is not None:
        figures[str(Figure.SERVER_MB)] = server.peak_mb
    seen_promises, unseen = can_be_judged(step.promises, server)
    promises = tuple(
        replace(promise, at_least=float(step.connections))
        if promise.figure in (Figure.ESTABLISHED, Figure.ANSWERED_TWICE)
        else promise
        for promise in seen_promises
    )
    notes = [f"round {n}: {found.good:,} answers in {found.seconds:.1f} s" for n, found in enumerate(met.rounds, 1)]
    return Run(
        name=step.name, driver=str(step.driver), loop="closed",
        asked={"connections": step.connections, "rounds": 2},
        took_s=round(took_s, 3), answers=met.good, good=met.good, rate=round(rate, 1),
        flights_per_s=round(rate, 1), figures=figures, statuses={"200": met.good}, errors=dict(met.errors),
        latency=met.latency, server=server, client=client, promises=kept(promises, figures, took_s),
        notes=(*met.told, *notes, *unseen), partial=met.stopped,
    )  # fmt: skip
