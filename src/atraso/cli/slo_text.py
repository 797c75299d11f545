"""The report of the promises as text: a bar of each budget, and the hours that cost most."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from atraso.slo.report import BROKEN, UNKNOWN, Kept, Report
from atraso.slo.rules import percent

BAR_WIDTH = 24
WORST_SHOWN = 3


def lines(report: Report) -> Iterator[str]:
    """Yield the report line by line, for a terminal of 100 columns or more."""
    yield f"{report.window} to {moment(report.end_s)}: the promise was {verdict(report)}"
    yield ""
    width = max(len(one.name) for one in report.objectives)
    yield f"{'':{width}}  {'budget spent':{BAR_WIDTH + 9}}  {'good':>10}  {'promised':>9}  {'bad of all':>22}"
    for one in report.objectives:
        yield _line(one, width)
    for one in report.objectives:
        yield from _worst(one)
    notes = list(_notes(report))
    if notes:
        yield ""
        yield from notes


def verdict(report: Report) -> str:
    """Return the verdict as it stands in a sentence; what was not measured is not passed over."""
    if report.verdict == UNKNOWN:
        return "not measured: there is no data"
    known = sum(one.verdict != UNKNOWN for one in report.objectives)
    where = "" if known == len(report.objectives) else f" ({known} of {len(report.objectives)} objectives have data)"
    return ("BROKEN" if report.verdict == BROKEN else "kept") + where


def bar(spent: Decimal) -> str:
    """Return the part of a budget that is spent as a bar; one that is overspent is full and ends in an arrow."""
    full = min(BAR_WIDTH, round(spent * BAR_WIDTH))
    shown = "█" * full + "·" * (BAR_WIDTH - full)
    return shown[:-1] + "▶" if spent > 1 else shown


def share(value: Decimal, places: int = 4) -> str:
    """Return a share in percent, never rounded up to what was not reached; of little never nothing."""
    step = Decimal(1).scaleb(-places)
    cut = (value * 100).quantize(step, rounding="ROUND_FLOOR")
    if cut == 0 < value:
        return f"<{step} %"
    return f"{cut.normalize():f} %"


def spent_percent(value: Decimal) -> str:
    """Return a part of a budget in percent; of little spent never nothing."""
    return "<1 %" if 0 < value < Decimal("0.01") else f"{value:,.0%}".replace("%", " %")


def moment(at_s: int) -> str:
    """Return a time as people write it, in UTC."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"


def _line(one: Kept, width: int) -> str:
    if one.spent is None or one.good_ratio is None:
        return f"{one.name:{width}}  {'no data':{BAR_WIDTH + 9}}  {'-':>10}  {percent(one.target):>9}"
    spent = f"{bar(one.spent)} {spent_percent(one.spent):>8}"
    counts = f"{one.bad:,.0f} of {one.total:,.0f}"
    line = f"{one.name:{width}}  {spent}  {share(one.good_ratio):>10}  {percent(one.target):>9}  {counts:>22}"
    unit = " min" if one.unit == "minutes" else ""
    return f"{line}{unit}{'  BROKEN' if one.verdict == BROKEN else ''}"


def _worst(one: Kept) -> Iterator[str]:
    if not one.worst:
        return
    yield ""
    yield f"{one.name}: the hours that cost most"
    for hour in one.worst[:WORST_SHOWN]:
        yield (
            f"  {moment(hour.end_s - 3600)}  {hour.bad:,.0f} of {hour.total:,.0f} bad "
            f"({share(hour.bad / hour.total, 2)}), {spent_percent(hour.of_budget)} of the budget"
        )


def _notes(report: Report) -> Iterator[str]:
    for one in report.objectives:
        if one.mean_of_hours is not None and one.good_ratio is not None:
            yield (
                f"{one.name}: of all events {share(1 - one.good_ratio)} were bad, as promised counts; the mean of the "
                f"hours' shares is {share(one.mean_of_hours)}, because traffic is uneven"
            )
    for one in report.objectives:
        if one.verdict != UNKNOWN and one.hours_without_data:
            hours = "1 hour" if one.hours_without_data == 1 else f"{one.hours_without_data} hours"
            yield f"{one.name}: {hours} without anything to judge"
