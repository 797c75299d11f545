"""Load from a process of its own (`atraso.stress.pacer`), and what came of it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from atraso.stress import pace
from atraso.stress.pacer import Met
from tests.drill.client import percentile


@dataclass(frozen=True)
class Plan:
    """What to offer: *rate* requests a second in an open loop, or as many clients as *connections* in a closed one.

    Clients that *heed* a refusal come again when `Retry-After` says; the others at once.
    """

    port: int
    requests: list[str]
    connections: int
    seconds: float
    rate: float | None = None
    heed: bool = True

    def paced(self) -> pace.Plan:
        """Return the same as the pacer takes it."""
        return pace.Plan(
            self.port,
            [text.encode("latin-1") for text in self.requests],
            self.connections,
            self.seconds,
            ((self.seconds, self.rate),) if self.rate else (),
            heed=self.heed,
            raw=True,
        )


@dataclass(frozen=True)
class Load:
    """What the clients met: `answers` are moment (monotonic clock), seconds taken, and status."""

    late_s: list[float]
    answers: list[tuple[float, float, int]]
    broken: int
    wrong: int
    silent_refusals: int
    unanswered: int
    processor_s: float
    until: float

    @cached_property
    def statuses(self) -> Counter[int]:
        """Return how often each status came."""
        return Counter(status for _, _, status in self.answers)

    @property
    def failures(self) -> int:
        """Return how many requests did not get a whole and right 200."""
        return len(self.answers) - self.statuses[200] + self.broken + self.wrong + self.unanswered

    def took_ms(self, level: float, status: int = 200) -> float:
        """Return the time that a share of *level* of the answers with *status* did not exceed."""
        took = [seconds for _, seconds, of in self.answers if of == status]
        return percentile(took, level) * 1000 if took else 0.0

    def late_ms(self, level: float) -> float:
        """Return how late the pacer itself was, at *level*, in sending what it had a connection for."""
        return percentile(self.late_s, level) * 1000 if self.late_s else 0.0

    def since(self, moment: float) -> Load:
        """Return the same with the answers from *moment* on only."""
        return replace(self, answers=[answer for answer in self.answers if answer[0] >= moment])

    def rate(self, status: int, after: float, before: float) -> float:
        """Return how many answers a second had *status* between two moments."""
        return sum(of == status and after <= at < before for at, _, of in self.answers) / (before - after)


class Offering:
    """A load that is under way."""

    def __init__(self, offered: pace.Offering) -> None:
        self._offered = offered

    def met(self) -> Load:
        """Wait for its end and return what it met."""
        (met,) = self._offered.met()
        return _load(met)


def _load(met: Met) -> Load:
    broken = met.broken + met.not_connected
    return Load(
        met.late_s, met.answers, broken, met.wrong, met.silent_refusals, met.unanswered, met.processor_s, met.until
    )


@contextlib.contextmanager
def offering(plan: Plan) -> Iterator[Offering]:
    """Offer *plan* while the block runs."""
    with pace.offering(plan.paced()) as offered:
        yield Offering(offered)


def offer(plan: Plan) -> Load:
    """Offer *plan* and return what came of it."""
    with offering(plan) as offered:
        return offered.met()
