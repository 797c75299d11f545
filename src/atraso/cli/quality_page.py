"""Quality as one page for people: diagrams as SVG, measured here and drawn by the template. It loads nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path

import jinja2

from atraso.ledger.quality_report import LeadQuality, Quality, Scores

TEMPLATES = Path(__file__).parents[1] / "web" / "templates"
SIDE = 200.0
WIDE, HIGH = 720.0, 200.0
FIFTHS = 5
# A week or an airline of fewer flights says more of chance.
LEAST_FLIGHTS = 20


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a diagram, with its words."""

    x: float
    y: float
    words: str
    r: float = 3.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Reliability:
    """The diagram of one lead: said across, came upwards, with the same axes for all leads."""

    lead: str
    scores: LeadQuality
    dots: tuple[Dot, ...]
    line: str
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a diagram over the weeks; `kind` is its colour."""

    name: str
    kind: str
    points: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Weeks:
    """A diagram over the weeks: lines, and what is on its axes."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    upwards: tuple[Tick, ...]


def quality_page(quality: Quality) -> str:
    """Return the page of *quality* as HTML: one file, without scripts, that asks nobody for anything."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    templates.trim_blocks = templates.lstrip_blocks = True
    templates.filters |= {"percent": _percent, "score": _score, "interval": _interval}
    leads = quality.leads
    main = max(leads, key=lambda lead: leads[lead].n) if leads else None
    return templates.get_template("quality.html").render(
        quality=quality,
        made_at=f"{datetime.fromisoformat(quality.made_at):%Y-%m-%d %H:%M} UTC",
        reliability=[_reliability(lead, scores, _most(leads.values())) for lead, scores in leads.items()],
        side=SIDE,
        wide=WIDE,
        high=HIGH,
        skill_weeks=_weeks({lead: _of_weeks(scores, "brier_skill") for lead, scores in leads.items()}),
        rate_weeks=_rates(leads[main]) if main else None,
        main=main,
        main_scores=leads[main] if main else None,
        least_flights=LEAST_FLIGHTS,
    )


def _most(leads: Iterable[LeadQuality]) -> float:
    """Return where the axes of all reliability diagrams end: a round share."""
    greatest = max((max(part.said, part.delayed) for scores in leads for part in scores.reliability), default=0.0)
    return max(1, ceil(greatest * FIFTHS - 1e-9)) / FIFTHS


def _reliability(lead: str, scores: LeadQuality, most: float) -> Reliability:

    def dot(said: float, delayed: float, n: int) -> Dot:
        words = f"said {said:.1%}, came {delayed:.1%}, {n:,} flights"
        return Dot(round(said / most * SIDE, 1), round(SIDE - delayed / most * SIDE, 1), words)

    dots = tuple(dot(b.said, b.delayed, b.n) for b in scores.reliability)
    ticks = tuple(Tick(round(share * SIDE, 1), f"{share * most:.0%}") for share in (0.0, 0.5, 1.0))
    return Reliability(lead, scores, dots, _points(dots), ticks)


def _of_weeks(scores: LeadQuality, name: str) -> dict[str, tuple[float, int]]:
    found = {week: (getattr(part, name), part.n) for week, part in scores.by_week.items() if part.n >= LEAST_FLIGHTS}
    return {week: (value, n) for week, (value, n) in found.items() if value is not None}


def _rates(scores: LeadQuality) -> Weeks | None:
    enough = {week: part for week, part in scores.by_week.items() if part.n >= LEAST_FLIGHTS}
    return _weeks(
        {
            "said": {week: (part.said, part.n) for week, part in enough.items()},
            "delayed": {week: (_share(part), part.n) for week, part in enough.items()},
        },
        zero=True,
    )


def _share(scores: Scores) -> float:
    return scores.delayed / scores.n


def _weeks(series: dict[str, dict[str, tuple[float, int]]], *, zero: bool = False) -> Weeks | None:
    """Return the diagram of *series* (name -> week -> value and flights), None where there is no week to show."""
    weeks = sorted({week for values in series.values() for week in values})
    if not weeks:
        return None
    all_values = [value for values in series.values() for value, _ in values.values()]
    low = min(0.0, *all_values) if zero or min(all_values) > 0 else min(all_values)
    step = _step(max(all_values) - low)
    low, high = step * ((low + 1e-9) // step), step * ceil((max(all_values) - 1e-9) / step)
    high = high if high > low else low + step

    def dot(week: str, value: float, n: int, name: str) -> Dot:
        x = WIDE / 2 if len(weeks) == 1 else weeks.index(week) / (len(weeks) - 1) * WIDE
        words = f"{name}, {week}: {value:.1%}, {n:,} flights"
        return Dot(round(x, 1), round(HIGH - (value - low) / (high - low) * HIGH, 1), words)

    lines = []
    for place, (name, values) in enumerate(series.items()):
        dots = tuple(dot(week, *values[week], name) for week in weeks if week in values)
        lines.append(Line(name, f"c{place}", _points(dots), dots))
    every = ceil(len(weeks) / 8)
    across = tuple(
        Tick(round(WIDE / 2 if len(weeks) == 1 else at / (len(weeks) - 1) * WIDE, 1), weeks[at])
        for at in range(0, len(weeks), every)
    )
    count = round((high - low) / step)
    upwards = tuple(Tick(round(HIGH - at / count * HIGH, 1), f"{low + at * step:.0%}") for at in range(count + 1))
    return Weeks(tuple(lines), across, upwards)


def _step(span: float) -> float:
    """Return a round distance between the lines of a grid of some four."""
    return next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if span / step <= 5), 1.0)


def _points(dots: Iterable[Dot]) -> str:
    return " ".join(f"{dot.x},{dot.y}" for dot in dots)


def _percent(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.1%}".replace("-", "\u2212")


def _score(value: float | None, digits: int = 3) -> str:
    return "\u2013" if value is None else f"{value:.{digits}f}"


def _interval(bounds: tuple[float, float] | None, form: str) -> str:
    return "" if bounds is None else " to ".join(map(form.format, bounds)).replace("-", "\u2212")
