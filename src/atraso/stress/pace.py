"""An open loop of requests from several processes (`atraso.stress.pacer`), and what came of it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from atraso.stress.histogram import Latency, latency_of
from atraso.stress.pacer import Met, Order
from atraso.stress.profiles import StressError

# Where the pacer itself was later than this, and than a part of what it measured, the figures are its own.
LATE_P99_MS, LATE_PART = 5.0, 0.1
START_WITHIN_S = 0.6
MORE_WITHIN_S = 60.0


@dataclass(frozen=True)
class Plan:
    """What to offer: *stages* of (seconds, requests a second) in an open loop, or clients in a closed one without.

    Requests come at random moments (*poisson*) or in equal steps. Clients that *heed* a refusal come again when
    `Retry-After` says; the others at once. An answer is good when it is a 200 that holds a probability for each of the
    *flights* of a request. With *raw* each answer is kept one by one.
    """

    port: int
    requests: Sequence[bytes]
    connections: int
    seconds: float
    stages: tuple[tuple[float, float], ...] = ()
    host: str = "127.0.0.1"
    poisson: bool = False
    processes: int = 1
    heed: bool = True
    flights: int = 1
    raw: bool = False
    slow_s: float = 0.05
    block_s: float = 1.0
    drain_s: float = 10.0
    seed: int = 2017


def constant(port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float) -> Plan:
    """Return the plan of one rate in equal steps."""
    return Plan(port, requests, connections, seconds, ((seconds, rate),))


class Offering:
    """A plan that is under way."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        count = plan.processes
        # Started together: a process is up in less.
        begin_at = time.monotonic() + (START_WITHIN_S if count > 1 else 0.0)
        # A process that is told to stop before it listens to that would end without a word.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            for _ in range(count):
                self._processes.append(_pacer())
            for n, process in enumerate(self._processes):
                assert process.stdin is not None
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(msgspec.msgpack.encode(_order(plan, n, begin_at)))
                    process.stdin.close()
                process.stdin = None
        except BaseException:
            self.end()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def stop(self) -> None:
        """End the offering early, with what it met by then."""
        for process in self._processes:
            process.send_signal(signal.SIGINT)

    def met(self) -> list[Met]:
        """Wait for the end and return what each process met; raises StressError where one could not."""
        found = []
        for process in self._processes:
            said, complaint = process.communicate(timeout=self._plan.seconds + self._plan.drain_s + MORE_WITHIN_S)
            if process.returncode:
                lines = complaint.decode(errors="replace").strip().splitlines()
                why = lines[-1] if lines else f"it ended with {process.returncode}"
                if why.startswith("ConnectionRefusedError"):
                    raise StressError("The service answered before the load, and takes no connections now: it ended.")
                raise StressError(f"The load could not be offered: {why}")
            found.append(msgspec.msgpack.decode(said, type=Met))
        return found

    def end(self) -> None:
        """End it at once, if it still runs."""
        for process in self._processes:
            process.kill()
            process.communicate()


def _pacer() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "atraso.stress.pacer"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        process_group=0,  # Ctrl-C is for this process, which stops the others
    )  # fmt: skip


def _order(plan: Plan, n: int, begin_at: float) -> Order:
    """Return the part of process *n*: its share of rates and connections."""
    count = plan.processes
    return Order(
        host=plan.host,
        port=plan.port,
        requests=tuple(plan.requests),
        connections=plan.connections // count + (n < plan.connections % count),
        seconds=plan.seconds,
        stages=tuple((seconds, rate / count) for seconds, rate in plan.stages),
        poisson=plan.poisson,
        heed=plan.heed,
        flights=plan.flights,
        raw=plan.raw,
        slow_s=plan.slow_s,
        block_s=plan.block_s,
        drain_s=plan.drain_s,
        begin_at=begin_at,
        seed=plan.seed,
        phase=n,
        phases=count,
    )


@contextlib.contextmanager
def offering(plan: Plan) -> Iterator[Offering]:
    """Offer *plan* while the block runs."""
    offered = Offering(plan)
    try:
        yield offered
    finally:
        offered.end()


@dataclass(frozen=True)
class Paced:
    """What all processes met together; `blocks` are the good answers' latencies by block of the plan."""

    plan: Plan
    planned: int
    statuses: Counter[int]
    errors: Counter[str]
    latency: Latency | None
    blocks: tuple[Latency | None, ...]
    lateness: Latency | None
    good_by_s: tuple[int, ...]
    bad_by_s: tuple[int, ...]
    slow_by_s: tuple[int, ...]
    processor_s: float
    stopped: bool

    @property
    def failed(self) -> int:
        """How many requests did not get a whole and right 200."""
        return sum(self.errors.values())

    @property
    def void(self) -> str:
        """Why the figures are not the service's, or nothing."""
        if self.lateness is None:
            return "" if self.latency is None and self.failed else "the pacer sent nothing"
        late = self.lateness.p99_ms
        allowed = max(LATE_P99_MS, LATE_PART * (self.latency.p99_ms if self.latency else 0.0))
        if late <= allowed:
            return ""
        return f"the load generator was late itself: {late:.1f} ms at p99, {allowed:.1f} are allowed"


def paced(plan: Plan, found: Sequence[Met]) -> Paced:
    """Return what *found* of the processes of *plan* is together."""
    statuses: Counter[int] = Counter()
    errors: Counter[str] = Counter()
    for met in found:
        statuses.update(met.statuses)
        errors.update({
            "not a prediction": met.wrong,
            "connection broken": met.broken,
            "no connection": met.not_connected,
            "no answer": met.unanswered,
        })  # fmt: skip
    errors.update({f"status {status}": count for status, count in statuses.items() if status != 200})
    blocks = max((len(met.took) for met in found), default=0)
    return Paced(
        plan,
        sum(met.planned for met in found),
        statuses,
        +errors,
        latency_of(table for met in found for table in met.took),
        tuple(latency_of(met.took[n] for met in found if n < len(met.took)) for n in range(blocks)),
        latency_of(met.late_us for met in found),
        _by_second([met.good_by_s for met in found]),
        _by_second([met.bad_by_s for met in found]),
        _by_second([met.slow_by_s for met in found]),
        sum(met.processor_s for met in found),
        any(met.stopped for met in found),
    )


def _by_second(tables: Sequence[dict[int, int]]) -> tuple[int, ...]:
    together: Counter[int] = Counter()
    for table in tables:
        together.update(table)
    return tuple(together[second] for second in range(max(together, default=-1) + 1))


def offer(plan: Plan) -> Paced:
    """Offer *plan* and return what came of it; Ctrl-C ends it early, and what was met by then is told as stopped."""
    with offering(plan) as offered:
        try:
            return paced(plan, offered.met())
        except KeyboardInterrupt:
            offered.stop()
            return replace(paced(plan, offered.met()), stopped=True)
