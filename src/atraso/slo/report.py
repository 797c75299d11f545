"""How well the promise was kept: budget spent per objective, its worst hours, the verdict; in exact decimals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from atraso.slo.history import STEP_S, History, Hour
from atraso.slo.objectives import Objective, Promise, Slices

KEPT, BROKEN, UNKNOWN = "kept", "broken", "no data"
WORST = 5
# Where the mean of the hours' ratios differs by more than this part from the ratio of all events, both are told.
DIFFER = Decimal("0.1")


class WorstHour(msgspec.Struct, frozen=True):
    """One of the hours that cost most; `of_budget` is the part of the window's budget that went in it."""

    end_s: int
    bad: Decimal
    total: Decimal
    of_budget: Decimal


class Spent(msgspec.Struct, frozen=True):
    """The budget that was spent up to `end_s`, 1 being all of the window's."""

    end_s: int
    spent: Decimal


class Kept(msgspec.Struct, frozen=True):
    """How one objective was kept; what cannot be told without data is None."""

    name: str
    title: str
    promise: str
    unit: str
    target: Decimal
    verdict: str
    bad: Decimal
    total: Decimal
    good_ratio: Decimal | None
    spent: Decimal | None
    mean_of_hours: Decimal | None
    hours: int
    hours_without_data: int
    worst: tuple[WorstHour, ...]
    course: tuple[Spent, ...]


class Report(msgspec.Struct, frozen=True):
    """How the whole promise was kept from `start_s` to `end_s`."""

    window: str
    start_s: int
    end_s: int
    verdict: str
    objectives: tuple[Kept, ...]


def report(promise: Promise, history: History, window: str, start_s: int, end_s: int) -> Report:
    """Return how the promise was kept in the hours of *history* that end after *start_s*, up to *end_s*.

    The budget is that of the events in this window: 30 days of it are what was promised.
    """
    kept = tuple(_kept(one, history.get(one.name, ()), start_s, end_s) for one in promise.objectives)
    verdicts = {one.verdict for one in kept}
    whole = BROKEN if BROKEN in verdicts else KEPT if KEPT in verdicts else UNKNOWN
    return Report(window, start_s, end_s, whole, kept)


def _kept(objective: Objective, known: Sequence[Hour], start_s: int, end_s: int) -> Kept:
    hours = [hour for hour in known if start_s < hour.end_s <= end_s]
    used = [hour for hour in hours if hour.total > 0]
    bad, total = (sum((getattr(hour, part) for hour in used), Decimal()) for part in ("bad", "total"))
    allowed = objective.budget * total
    ratios = [hour.bad / hour.total for hour in used]
    mean = sum(ratios, Decimal()) / len(ratios) if ratios else None
    costly = sorted((hour for hour in used if hour.bad > 0), key=lambda hour: (-hour.bad, hour.end_s))[:WORST]
    course, so_far = [], Decimal()
    for hour in used:
        so_far += hour.bad
        course.append(Spent(hour.end_s, so_far / allowed))
    expected = (end_s - start_s) // STEP_S
    return Kept(
        name=objective.name,
        title=objective.title,
        promise=objective.promise,
        unit="minutes" if isinstance(objective.indicator, Slices) else "events",
        target=objective.target,
        # Compared as a product, which is exact.
        verdict=UNKNOWN if not used else BROKEN if bad > allowed else KEPT,
        bad=bad,
        total=total,
        good_ratio=1 - bad / total if used else None,
        spent=bad / allowed if used else None,
        mean_of_hours=mean if mean is not None and _differ(mean, bad / total) else None,
        hours=len(used),
        hours_without_data=expected - len(used),
        worst=tuple(WorstHour(hour.end_s, hour.bad, hour.total, hour.bad / allowed) for hour in costly),
        course=tuple(course),
    )


def _differ(mean: Decimal, weighted: Decimal) -> bool:
    return abs(mean - weighted) > DIFFER * weighted
