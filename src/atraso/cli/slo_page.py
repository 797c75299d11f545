"""The report of the promises as one page: each budget as it was spent, drawn by the template. It loads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from pathlib import Path

import jinja2

from atraso.cli.slo_text import moment, share, spent_percent
from atraso.slo.report import BROKEN, Kept, Report
from atraso.slo.rules import percent

TEMPLATES = Path(__file__).parents[1] / "web" / "templates"
WIDE, HIGH = 720.0, 150.0
TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis."""

    at: float
    words: str


@dataclass(frozen=True, slots=True)
class Course:
    """How a budget was spent over the window: a line of points, the height of the whole budget, and the axes."""

    points: str
    area: str
    whole: float
    across: tuple[Tick, ...]
    upwards: tuple[Tick, ...]


def slo_report_page(report: Report) -> str:
    """Return the page of *report* as HTML: one file, without scripts, that asks nobody for anything."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    templates.trim_blocks = templates.lstrip_blocks = True
    templates.filters |= {
        "percent": percent, "share": share, "spent": spent_percent, "moment": moment, "count": "{:,.0f}".format
    }  # fmt: skip
    return templates.get_template("slo.html").render(
        report=report,
        courses={one.name: course(one, report.start_s, report.end_s) for one in report.objectives if one.course},
        broken=BROKEN,
        known=sum(one.spent is not None for one in report.objectives),
        wide=WIDE,
        high=HIGH,
        hour_s=3600,
        widths={one.name: float(min(Decimal(1), one.spent or Decimal()) * 100) for one in report.objectives},
    )


def course(one: Kept, start_s: int, end_s: int) -> Course:
    """Return the diagram of how the budget of *one* was spent from *start_s* to *end_s*."""
    top = max(1.0, float(one.course[-1].spent))
    step = next((step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100) if top / step <= 5), 10 ** ceil(len(str(top))))
    top = step * ceil(top / step)

    def place(at_s: int, spent: float) -> str:
        return f"{(at_s - start_s) / (end_s - start_s) * WIDE:.1f},{HIGH - spent / top * HIGH:.1f}"

    # Steps: an hour's events are known at its end, and nothing is drawn between.
    points = [place(start_s, 0.0)]
    before = 0.0
    for at in one.course:
        points += [place(at.end_s - 3600, before), place(at.end_s, float(at.spent))]
        before = float(at.spent)
    points.append(place(end_s, before))
    line = " ".join(points)
    upwards = tuple(
        Tick(round(HIGH - at * step / top * HIGH, 1), f"{at * step:.0%}") for at in range(round(top / step) + 1)
    )
    form = "%m-%d" if end_s - start_s > 2 * 86_400 else "%H:%M"
    across = tuple(
        Tick(
            round(WIDE * at / TICKS, 1),
            datetime.fromtimestamp(start_s + (end_s - start_s) * at / TICKS, UTC).strftime(form),
        )
        for at in range(TICKS + 1)
    )
    return Course(line, f"{line} {WIDE},{HIGH} 0,{HIGH}", round(HIGH - HIGH / top, 1), across, upwards)
