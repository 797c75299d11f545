"""Diagrams of a run as data for a template: lines in the units of a drawing, and what stands on the axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from atraso.stress.histogram import percentiles_ms
from atraso.stress.record import Record
from atraso.stress.runs import Run

WIDE, HIGH = 640.0, 260.0
NINES = (0.0, 90.0, 99.0, 99.9, 99.99, 99.999)
POINTS_A_NINE = 16
MOST_LINES = 8


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line by its points, with a name; *place* chooses colour and dashes."""

    name: str
    points: str
    place: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """Lines with axes; *words* say the same to whom cannot see it."""

    title: str
    across_label: str
    upwards_label: str
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    upwards: tuple[Tick, ...]
    words: str


def latency_diagram(record: Record) -> Diagram | None:
    """Return the percentile curves: how many nines across, milliseconds upwards, both on log axes."""
    runs = [run for run in record.runs if run.latency][-MOST_LINES:]
    if not runs:
        return None
    nines = min(max(log10(run.latency.count) for run in runs if run.latency), len(NINES) - 1.0)
    steps = [n / POINTS_A_NINE for n in range(int(nines * POINTS_A_NINE) + 1)]
    curves = {}
    for run in runs:
        assert run.latency is not None
        most = log10(run.latency.count)
        shown = [step for step in steps if step <= most] or [0.0]
        curves[run.name] = list(
            zip(shown, percentiles_ms(run.latency.hdr, [100 * (1 - 10**-step) for step in shown]), strict=True)
        )
    values = [max(value, 1e-3) for curve in curves.values() for _, value in curve]
    low, high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)

    def across(step: float) -> float:
        return step / max(nines, 1e-9) * WIDE

    def upwards(value: float) -> float:
        return HIGH - (log10(max(value, 1e-3)) - low) / (high - low) * HIGH

    return Diagram(
        "Latency by percentile",
        "percentile",
        "milliseconds (log)",
        _lines(curves, across, upwards),
        tuple(
            Tick(round(across(n), 1), f"{level:g} %" if n else "min")
            for n, level in enumerate(NINES)
            if n <= nines + 1e-9
        ),
        tuple(Tick(round(upwards(10.0**n), 1), f"{10.0**n:g}") for n in range(low, high + 1)),
        "; ".join(
            f"{run.name}: half within {run.latency.p50_ms:g} ms, 99 % within {run.latency.p99_ms:g} ms"
            for run in runs
            if run.latency
        ),
    )


def time_diagram(record: Record, title: str, of: Callable[[Run], Sequence[int]]) -> Diagram | None:
    """Return what *of* gives of each run by the second; None where there is nothing but zeros."""
    runs = [run for run in record.runs if any(of(run)) and len(of(run)) > 1][-MOST_LINES:]
    if not runs:
        return None
    # The first and the last second of wrk are not whole ones, and look like a fault where there is none.
    curves = {}
    for run in runs:
        counts = list(of(run))
        cut = 1 if run.driver == "wrk" and len(counts) > 4 else 0
        curves[run.name] = [(float(second), float(counts[second])) for second in range(cut, len(counts) - cut)]
    seconds = max(second for curve in curves.values() for second, _ in curve) or 1.0
    most = _round_up(max(value for curve in curves.values() for _, value in curve))
    step = _step(seconds)

    def across(second: float) -> float:
        return second / seconds * WIDE

    def upwards(value: float) -> float:
        return HIGH - value / most * HIGH

    marks = [n * step for n in range(int(seconds / step) + 1)]
    return Diagram(
        title,
        "second of the run",
        "a second",
        _lines(curves, across, upwards),
        tuple(Tick(round(across(mark), 1), f"{mark:g}") for mark in marks),
        tuple(
            Tick(round(upwards(most * n / 4), 1), f"{most * n / 4:,.6g}" if most < 10 else f"{most * n / 4:,.0f}")
            for n in range(5)
        ),
        "; ".join(f"{run.name}: {run.rate:,.0f} good answers a second, {run.failed:,} failed" for run in runs),
    )


def _lines(
    curves: dict[str, list[tuple[float, float]]],
    across: Callable[[float], float],
    upwards: Callable[[float], float],
) -> tuple[Line, ...]:
    return tuple(
        Line(name, " ".join(f"{across(x):.1f},{upwards(y):.1f}" for x, y in curve), place)
        for place, (name, curve) in enumerate(curves.items())
    )


def _round_up(value: float) -> float:
    scale = 10.0 ** floor(log10(max(value, 1.0)))
    return next(scale * n for n in (1, 2, 4, 6, 8, 10) if scale * n >= value)


def _step(span: float) -> float:
    rough = span / 8
    return next((step for step in (1, 2, 5, 10, 30, 60, 120, 300, 600) if step >= rough), 1800.0)
