"""A crowd: tens of thousands of connections that are open at once, spread over processes and loopback addresses."""

from __future__ import annotations

import contextlib
import ipaddress
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from atraso.stress.crowd_member import Order, Round
from atraso.stress.histogram import Latency, latency_of
from atraso.stress.limits import raise_open_files, spread
from atraso.stress.profiles import StressError
from atraso.stress.target import Target, bodies

FIRST_ADDRESS = int(ipaddress.IPv4Address("127.0.0.2"))
# The fewer ports of an address are taken, the sooner the kernel finds a free one.
ADDRESSES_EACH = 4


@dataclass(frozen=True)
class Crowd:
    """What a crowd met: how many connections were open when all were, and each round of asking on all of them."""

    connections: int
    established: int
    rounds: tuple[Round, ...]
    told: tuple[str, ...]
    latency: Latency | None
    stopped: bool

    @property
    def good(self) -> int:
        """How many answers were good."""
        return sum(met.good for met in self.rounds)

    @property
    def errors(self) -> Counter[str]:
        """What went wrong."""
        found: Counter[str] = Counter()
        for met in self.rounds:
            found.update(met.errors)
        return +found


class Members:
    """The processes of a crowd; a context manager that ends them."""

    def __init__(self, target: Target, connections: int, within_s: float) -> None:
        files, told = raise_open_files()
        count, more = spread(connections, files)
        self.told = (told, *more)
        self._processes: list[subprocess.Popen[bytes]] = []
        requests = tuple(target.request(body) for body in bodies(1))
        on_loopback = target.host in ("127.0.0.1", "localhost")
        for n in range(count):
            part = connections // count + (n < connections % count)
            addresses = range(FIRST_ADDRESS + n * ADDRESSES_EACH, FIRST_ADDRESS + (n + 1) * ADDRESSES_EACH)
            sources = tuple(str(ipaddress.IPv4Address(address)) for address in addresses) if on_loopback else ()
            order = Order(target.host, target.port, sources, part, requests[n * 97 :] + requests[: n * 97], within_s)
            self._processes.append(_started(order))

    def __enter__(self) -> Members:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def heard(self) -> Round:
        """Wait for what each member says of a round, and return it together."""
        found = [_heard(process) for process in self._processes]
        errors: Counter[str] = Counter()
        took: Counter[int] = Counter()
        for met in found:
            errors.update(met.errors)
            took.update(met.took_us)
        return Round(
            sum(met.good for met in found), dict(errors), dict(took), sum(met.open_after for met in found),
            max(met.seconds for met in found),
        )  # fmt: skip

    def go_on(self) -> None:
        """Tell all members to do what comes next."""
        for process in self._processes:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.write(b"\n")
                process.stdin.flush()


def _started(order: Order) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "atraso.stress.crowd_member"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
    )  # fmt: skip
    said = msgspec.msgpack.encode(order)
    assert process.stdin is not None
    process.stdin.write(b"%d\n%b" % (len(said), said))
    process.stdin.flush()
    return process


def _heard(process: subprocess.Popen[bytes]) -> Round:
    assert process.stdout is not None
    size = process.stdout.readline()
    if not size:
        assert process.stderr is not None
        lines = process.stderr.read().decode(errors="replace").strip().splitlines()
        raise StressError(f"A part of the crowd failed: {lines[-1] if lines else 'it said nothing'}")
    return msgspec.msgpack.decode(process.stdout.read(int(size)), type=Round)


def gather(
    target: Target, connections: int, within_s: float, between: Callable[[], None], say: Callable[[str], None]
) -> Crowd:
    """Open *connections*, ask on each, do what is *between*, and ask on each again; each round *within_s* seconds.

    Ctrl-C ends it, with the rounds that were whole by then.
    """
    rounds: list[Round] = []
    stopped = False
    with Members(target, connections, within_s) as members:
        for told in members.told:
            say(told)
        try:
            rounds.append(members.heard())
            between()
            members.go_on()
            rounds.append(members.heard())
        except KeyboardInterrupt:
            stopped = True
    return Crowd(
        connections,
        rounds[0].open_after if rounds else 0,
        tuple(rounds),
        members.told,
        latency_of(met.took_us for met in rounds),
        stopped,
    )
