"""What one load met, as it is kept: figures, errors by kind, latencies, and what became of what was promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from atraso.stress.histogram import Latency
from atraso.stress.profiles import Figure, Promise
from atraso.stress.watch import Usage

BLOCKS = 10
SILENT_S = 2
OF_TIME = frozenset({Figure.P99_MS, Figure.P999_MS, Figure.RECOVERY_S, Figure.RATE})


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was measured of a promise, and whether it was kept; *value* is none where nothing could be measured."""

    figure: str
    value: float | None
    held: bool
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_of_time(self) -> bool:
        """Whether a load generator that was late itself has spoilt the measure; failures it has not."""
        return self.figure in OF_TIME

    @property
    def sentence(self) -> str:
        """The promise and the measure."""
        bound = f"at most {_shown(self.at_most)}" if self.at_least is None else f"at least {_shown(self.at_least)}"
        found = "not measured" if self.value is None else _shown(self.value)
        return f"{self.figure} {found} ({bound} promised)"


def _shown(value: float | None) -> str:
    return f"{value:,.0f}" if value is not None and abs(value) >= 1000 else f"{value:.6g}"


class Block(msgspec.Struct, frozen=True, array_like=True):
    """A part of a run, in the order of time: good answers a second, and their latency where it was taken.

    A tenth of the requests took no more than *p10_ms*: those that nothing disturbed.
    """

    rate: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    p10_ms: float | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a profile; *loop* is `closed` or `open`, *asked* says how it was driven.

    `answers` are all whole answers, `good` those that were 200 and checked to be predictions. The `by_s` count them by
    the second. A *void* run measured its own load generator; a *partial* one was stopped.
    """

    name: str
    driver: str
    loop: str
    asked: dict[str, int | float | str]
    took_s: float
    answers: int
    good: int
    rate: float
    figures: dict[str, float]
    flights_per_s: float = 0.0
    statuses: dict[str, int] = {}
    errors: dict[str, int] = {}
    latency: Latency | None = None
    lateness: Latency | None = None
    good_by_s: tuple[int, ...] = ()
    bad_by_s: tuple[int, ...] = ()
    blocks: tuple[Block, ...] = ()
    server: Usage | None = None
    client: Usage | None = None
    promises: tuple[Kept, ...] = ()
    notes: tuple[str, ...] = ()
    void: str = ""
    partial: bool = False

    @property
    def failed(self) -> int:
        """How many requests had no good answer."""
        return sum(self.errors.values())

    @property
    def held(self) -> bool:
        """Whether all that was promised was kept."""
        return all(kept.held for kept in self.promises)


def kept(promises: Sequence[Promise], figures: Mapping[str, float], seconds: float) -> tuple[Kept, ...]:
    """Return what became of *promises* in a run that was to take some *seconds*."""
    found = []
    for promise in promises:
        value = figures.get(promise.figure)
        at_least = promise.at_least
        if at_least is not None and promise.for_seconds is not None:
            at_least = at_least * min(seconds / promise.for_seconds, 1.0)
        held = value is not None and value >= (at_least or 0.0)
        if promise.at_most is not None:
            held = value is not None and value <= promise.at_most
        found.append(Kept(str(promise.figure), value, held, at_least, promise.at_most))
    return tuple(found)


def blocks_of_seconds(good_by_s: Sequence[int]) -> tuple[Block, ...]:
    """Return some ten blocks of whole seconds; the first and the last second are not whole."""
    inner = good_by_s[1:-1]
    size = max(len(inner) // BLOCKS, 1)
    starts = range(0, len(inner) - size + 1, size)
    return tuple(Block(round(sum(inner[start : start + size]) / size, 1)) for start in starts)


def silence(good_by_s: Sequence[int], seconds: float) -> tuple[str, ...]:
    """Return a sentence for a run whose good answers ended long before it did."""
    last = max((second for second, count in enumerate(good_by_s) if count), default=-1) + 1
    if seconds - last < SILENT_S:
        return ()
    if last == 0:
        return ("there was no good answer at all",)
    return (f"there was no good answer after second {last} of {seconds:g}",)


def common_figures(good: int, failed: int, rate: float, latency: Latency | None) -> dict[str, float]:
    """Return the figures that every driver measures."""
    figures: dict[str, float] = {
        Figure.ANSWERS: good,
        Figure.FAILED: failed,
        Figure.FAILED_SHARE: failed / (good + failed) if good + failed else 1.0,
        Figure.RATE: round(rate, 1),
    }
    if latency is not None:
        figures |= {Figure.P99_MS: latency.p99_ms, Figure.P999_MS: latency.p999_ms}
    return {str(name): value for name, value in figures.items()}
