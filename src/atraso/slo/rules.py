"""Prometheus rules: what is recorded of each objective, and its alerts.

Names follow Sloth (https://sloth.dev), which dashboards and people know. Long windows are weighted by requests: they
add up events, where the mean of five-minute ratios would let a quiet night outweigh a busy noon. Windows of a day and
more add up recorded rates instead of every counter's samples, those of a week and more the events of whole hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from atraso.slo.objectives import WINDOW, Alert, Events, Objective, Promise, Slices
from atraso.slo.windows import duration, seconds, shorter

SHORTEST = "5m"
DAY_S, WEEK_S = 86_400, 604_800
SERVICE = "atraso"
EVERY, EVERY_LONG, REPORT_STEP = "15s", "2m", "1h"
# Scrapes come each 15 s: two that failed are no accident, and with the next evaluation that is within 75 s.
DOWN_AFTER = "30s"
MINUTES_IN_STEP = 60
PARTS = ("bad", "total")
DOWN, WATCHDOG = "AtrasoDown", "AtrasoWatchdog"

Rule = dict[str, Any]


def rule_file(objective: Objective, promise: Promise, faster: int = 1) -> dict[str, Any]:
    """Return the rules of one objective; all durations are divided by *faster*, to watch an alert in seconds."""
    times = _Times(faster)
    name = objective.name
    short, long = windows(objective)
    groups = [
        # Rules of a group are evaluated in turn: alerts see what was recorded a moment before.
        _group(
            f"slo-{name}",
            times(EVERY),
            [
                *_base(objective, times),
                *(_recorded(objective, window, times) for window in short),
                *_hourly(objective, times),
                *_alerts(objective, promise, times),
            ],
        ),
        _group(
            f"slo-{name}-long",
            times(EVERY_LONG),
            [*(_recorded(objective, window, times) for window in long), *_told(objective)],
        ),
    ]
    return {"groups": groups}


def service_rules(promise: Promise, faster: int = 1) -> dict[str, Any]:
    """Return the rules that belong to no objective: nothing can be scraped, and a sign that alerts arrive at all."""
    times = _Times(faster)
    down = {
        "alert": DOWN,
        "expr": f'absent(up{{job="{SERVICE}"}} == 1)',
        "for": times(DOWN_AFTER),
        "labels": {"severity": "page", "service": SERVICE},
        "annotations": {
            "summary": "No instance of the service can be scraped",
            "description": "Prometheus reaches no instance, or knows none: nobody is answered, or nobody watches.",
            "runbook_url": runbook_url(promise, DOWN),
        },
    }
    watchdog = {
        "alert": WATCHDOG,
        "expr": "vector(1)",
        "labels": {"severity": "none", "service": SERVICE},
        "annotations": {
            "summary": "Alerts arrive",
            "description": "This one always fires: when it stops arriving, the way from Prometheus to you is broken.",
            "runbook_url": runbook_url(promise, WATCHDOG),
        },
    }
    return {"groups": [_group("atraso-service", times(EVERY), [down, watchdog])]}


def windows(objective: Objective) -> tuple[list[str], list[str]]:
    """Return the windows that are recorded, shortest first: those under a day, and the others."""
    named = {SHORTEST, objective.window} | {window for one in objective.alerts for window in (one.long, one.short)}
    ordered = sorted(named, key=seconds)
    return [one for one in ordered if seconds(one) < DAY_S], [one for one in ordered if seconds(one) >= DAY_S]


def alert_names(promise: Promise) -> list[str]:
    """Return the name of every alert, once."""
    names = [DOWN, WATCHDOG]
    for objective in promise.objectives:
        names += [objective.burn_alert()] * bool(objective.alerts)
        names += [objective.silence_alert()] * (objective.silence is not None)
    return names


def runbook_url(promise: Promise, alert: str) -> str:
    """Return where the runbook speaks of *alert*."""
    return f"{promise.runbook}#{alert.lower()}"


def error_ratio(window: str) -> str:
    """Return the name of the recorded share of bad events over *window*."""
    return f"slo:sli_error:ratio_rate{window}"


def bad_rate(indicator: Events, window: str) -> str:
    """Return the query of bad events a second; where good ones are counted, never less than none."""
    if indicator.bad is not None:
        return _over(indicator.bad, window)
    assert indicator.good is not None
    # Two counters are read a moment apart, so that for a moment there may be more good ones than all.
    return f"clamp_min({_over(indicator.total, window)} - {_over(indicator.good, window)}, 0)"


class _Times:
    """Durations, divided; names keep the undivided ones, because they are what people know."""

    def __init__(self, faster: int) -> None:
        self.faster = faster

    def __call__(self, text: str) -> str:
        return shorter(text, self.faster)


def _group(name: str, interval: str, rules: list[Rule]) -> dict[str, Any]:
    return {"name": name, "interval": interval, "rules": rules}


def _over(query: str, window: str) -> str:
    return query.replace(WINDOW, window)


def _record(name: str, expr: str, objective: Objective) -> Rule:
    # What is made of recorded series has their label already.
    labels = {} if f'slo="{objective.name}"' in expr else {"labels": {"slo": objective.name}}
    return {"record": name, "expr": expr, **labels}


def _base(objective: Objective, times: _Times) -> Iterator[Rule]:
    indicator = objective.indicator
    if isinstance(indicator, Slices):
        query = _over(indicator.query, times(indicator.window))
        yield _record("slo:sli_slice:bad", f"({query}) {indicator.bad_operator} bool {indicator.value:f}", objective)
        return
    yield _record(f"slo:sli_bad:rate{SHORTEST}", bad_rate(indicator, times(SHORTEST)), objective)
    yield _record(f"slo:sli_total:rate{SHORTEST}", _over(indicator.total, times(SHORTEST)), objective)


def _share(bad: str, total: str) -> str:
    return f"{bad}\n/\n({total} > 0)"


def _recorded(objective: Objective, window: str, times: _Times) -> Rule:
    indicator, this = objective.indicator, times(window)
    of_this = f'{{slo="{objective.name}"}}'
    if seconds(window) >= WEEK_S:
        in_hours = f"{of_this}[{this}:{times(REPORT_STEP)}]"
        expr = _share(*(f"sum_over_time(slo:sli_{part}:increase{REPORT_STEP}{in_hours})" for part in PARTS))
    elif isinstance(indicator, Slices):
        expr = f"avg_over_time(slo:sli_slice:bad{of_this}[{this}])"
    elif seconds(window) >= DAY_S:
        expr = _share(*(f"sum_over_time(slo:sli_{part}:rate{SHORTEST}{of_this}[{this}])" for part in PARTS))
    else:
        expr = _share(bad_rate(indicator, this), _over(indicator.total, this))
    return _record(error_ratio(window), expr, objective)


def _hourly(objective: Objective, times: _Times) -> Iterator[Rule]:
    """Give what the report adds up: events in an hour; of slices its minutes, if there were any slices."""
    indicator, hour = objective.indicator, times(REPORT_STEP)
    for part in PARTS:
        if isinstance(indicator, Slices):
            slices = f'slo:sli_slice:bad{{slo="{objective.name}"}}[{hour}]'
            # However many slices there were, an hour of which something is known is a whole one.
            part_of_hour = f"avg_over_time({slices})" if part == "bad" else f"clamp_max(count_over_time({slices}), 1)"
            expr = f"{part_of_hour} * {MINUTES_IN_STEP}"
        else:
            rate = bad_rate(indicator, hour) if part == "bad" else _over(indicator.total, hour)
            expr = f"{rate} * {seconds(hour)}"
        yield _record(f"slo:sli_{part}:increase{REPORT_STEP}", expr, objective)


def _told(objective: Objective) -> Iterator[Rule]:
    budget = f"vector({objective.budget:f})"
    spent = f'{error_ratio(objective.window)}{{slo="{objective.name}"}} / {objective.budget:f}'
    yield _record("slo:objective:ratio", f"vector({objective.target:f})", objective)
    yield _record("slo:error_budget:ratio", budget, objective)
    yield _record(f"slo:error_budget:spent_ratio{objective.window}", spent, objective)


def _alerts(objective: Objective, promise: Promise, times: _Times) -> Iterator[Rule]:
    for alert in objective.alerts:
        yield _burn(objective, alert, promise, times)
    silence = objective.silence
    if silence is not None:
        indicator, window = objective.indicator, times(silence.window)
        if isinstance(indicator, Events):
            missing = f"absent({_over(indicator.total, window)} > 0)"
        else:
            missing = f'absent_over_time(slo:sli_slice:bad{{slo="{objective.name}"}}[{window}])'
        name = objective.silence_alert()
        known_after = duration(seconds(silence.window) + seconds(silence.after))
        yield {
            "alert": name,
            "expr": missing,
            "for": times(silence.after),
            "labels": {"severity": silence.severity, "service": SERVICE, "slo": objective.name},
            "annotations": {
                "summary": f"{objective.title}: nothing to judge",
                "description": f"For {known_after} nothing came that counts: {objective.measured}.",
                "runbook_url": runbook_url(promise, name),
            },
        }


def _burn(objective: Objective, alert: Alert, promise: Promise, times: _Times) -> Rule:
    of_this = f'{{slo="{objective.name}"}}'
    limit = f"{objective.threshold(alert):f}"
    needs = [f"{error_ratio(window)}{of_this} {alert.operator} {limit}" for window in (alert.short, alert.long)]
    if alert.least_bad and isinstance(objective.indicator, Events):
        # Half an event less, because Prometheus extrapolates a count to the ends of its window.
        needs.append(f"slo:sli_bad:increase{REPORT_STEP}{of_this} > {alert.least_bad - 0.5:g}")
    name = objective.burn_alert()
    pace = "faster than" if alert.factor == 1 else f"more than {alert.factor:f} times as fast as"
    return {
        "alert": name,
        "expr": "\nand\n".join(needs),
        **({"for": times(alert.after)} if seconds(alert.after) else {}),
        "labels": {"severity": alert.severity, "service": SERVICE, "burn": alert.name},
        "annotations": {
            "summary": f"{objective.title}: the error budget goes {pace} it may",
            "description": (
                f"{objective.promise}. Over {alert.long} and over {alert.short} more than "
                f"{percent(objective.threshold(alert))} were bad, now {{{{ $value | humanizePercentage }}}}. "
                f"{alert.tells}"
            ),
            "runbook_url": runbook_url(promise, name),
        },
    }


def percent(share: Decimal) -> str:
    """Return an exact share in percent, as it is written in text."""
    return f"{(share * 100).normalize():f} %"


def expressions(files: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield every query in rule files."""
    for file in files:
        for group in file["groups"]:
            for rule in group["rules"]:
                yield rule["expr"]
