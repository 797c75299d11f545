"""The page docs/slo.md: what is promised and why, when somebody is told, and how soon."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from atraso.slo.objectives import Events, Objective, Promise, Slices
from atraso.slo.rules import DOWN, WATCHDOG, alert_names, percent
from atraso.slo.windows import seconds, time_to_alert_s

ERROR_RATIOS = tuple(map(Decimal, ("1", "0.1", "0.01", "0.005", "0.002", "0.001")))
NEVER = "never"

BEGINNING = """\
# What the service promises

<!-- Generated from src/atraso/slo/slo.yaml by `atraso slo render`: edit that. -->

The promise is written once, in `src/atraso/slo/slo.yaml` (OpenSLO v1). `atraso slo render` makes from it Prometheus's
rules and alerts, Alertmanager's routes, the Grafana dashboard (`deploy/monitoring/`) and this page;
`atraso slo render --check` fails where they differ, and the tests run it. What to do when one is told:
[runbook](runbook.md).

```
make observe                                         # the service with Prometheus and Alertmanager on this machine
atraso slo report --window 30d                       # how much of each budget is spent, the worst hours, the verdict
atraso slo report --window 7d --html slo.html
atraso slo render --check
```
"""

ALERTS = """\
## When somebody is told

An alert is about the speed at which the budget is spent: 1 spends it exactly in its {over}. It needs that speed over a
long window, so that a blip is no alert, and over a short one, so that it ends soon after what caused it. Pages need two
bad events at least: one failed request among few is not worth a night.
"""

DETECTION = """\
How long after a clean past a share of bad events is told, for {title} ({target}); scraping and evaluating take up to
half a minute more (`slo/windows.py`: factor x budget x long window / share):
"""

OTHERS = """\
Beside them:

- `{down}` (page): Prometheus can scrape no instance for half a minute. A service that is stopped counts no errors,
  so no ratio could tell it.
- `{nodata}` (ticket): for five minutes nothing came that could be judged. No traffic is no proof of health.
- `{watchdog}` always fires, and goes to a receiver of its own: point that at what alarms when it stops coming.

Pages go out after five seconds and again each hour; tickets are gathered for a minute and told once a day. Of one
objective only the fastest burn is told, and nothing but `{down}` while the service is down.
"""

COUNTING = """\
## How it is counted

- **Our shedding is bad, the client's mistakes are nothing.** 503 and 5xx spend the budget of availability. 4xx and
  an exceeded quota (429) are in neither number: they neither spend nor dilute. Health checks and scrapes are left
  out, or they would outnumber the requests of a quiet night.
- **Latency is a share of requests under a bound**, never a percentile of percentiles; each bound is that of a bucket
  of `atraso_request_seconds`, which runs from a request's last byte, so no client can spend it by being slow. It has no
  outcome, so refusals count as what they are, answers within their time: a client's mistakes hardly ever spend this
  budget but can thin it, which we take because availability's numbers show such a flood, and an outcome on every bucket
  would make five times as many series of it.
- **Long windows are weighted by requests.** They add up events; the mean of five-minute ratios would let an empty night
  outweigh a busy noon. `atraso slo report` says so where the two differ by more than a tenth.
- **Timeslices** (freshness, calibration) are samples of a number, each good or bad; the budget is time. Where the
  number does not exist (nothing was ever reported, too few flights were judged) there is no slice, good or bad.
- **A dead service counts nothing.** What it did not answer is in the golden probe's numbers, which are counted outside.
- A denominator of nothing gives no ratio rather than 0 or NaN.

What is recorded, for each objective (label `slo`): `slo:sli_bad:rate5m`, `slo:sli_total:rate5m` (timeslices have
`slo:sli_slice:bad` instead), `slo:sli_error:ratio_rate5m` and so on for each window, `slo:sli_bad:increase1h` and
`slo:sli_total:increase1h` (events in an hour, of timeslices minutes), `slo:objective:ratio`, `slo:error_budget:ratio`,
`slo:error_budget:spent_ratio{window}`.
"""


def slo_page(promise: Promise) -> str:
    """Return docs/slo.md."""
    first = promise.objectives[0]
    silent = ", ".join(f"{o.silence_alert()}" for o in promise.objectives if o.silence)
    blocks = [
        BEGINNING,
        "## The promises\n",
        *_objectives(promise),
        "",
        ALERTS.format(over=_over(promise)),
        *_alerts(promise),
        "",
        DETECTION.format(title=first.name, target=percent(first.target)),
        *_detection(first),
        "",
        OTHERS.format(down=DOWN, watchdog=WATCHDOG, nodata=silent.replace(", ", "`, `")),
        COUNTING.format(window=first.window),
    ]
    assert len(set(alert_names(promise))) == len(alert_names(promise))
    return "\n".join(blocks)


def _objectives(promise: Promise) -> Iterator[str]:
    yield f"| objective | promise | budget in {_over(promise)} | why |"
    yield "| --- | --- | --- | --- |"
    for one in promise.objectives:
        yield f"| `{one.name}` | {one.promise} | {_budget(one)} | {one.reason} |"
    yield ""
    yield "| objective | what is measured | bad | of |"
    yield "| --- | --- | --- | --- |"
    for one in promise.objectives:
        bad, total = _queries(one)
        yield f"| `{one.name}` | {one.measured} | {bad} | {total} |"


def _over(promise: Promise) -> str:
    """Return in words over which time budgets run."""
    lengths = {one.window for one in promise.objectives}
    if len(lengths) > 1:
        return "window"
    days = seconds(lengths.pop()) / 86_400
    return f"{float(days):g} days"


def _budget(objective: Objective) -> str:
    share = percent(objective.budget)
    minutes = seconds(objective.window) / 60 * Fraction(objective.budget)
    time = f"{float(minutes):g} minutes" if minutes < 120 else f"{float(minutes / 60):g} hours"
    return f"{share}: {time}" if isinstance(objective.indicator, Slices) else f"{share}: {time} of nothing but failures"


def _queries(objective: Objective) -> tuple[str, str]:
    indicator = objective.indicator
    if isinstance(indicator, Events):
        bad = _code(indicator.bad) if indicator.bad else f"all but {_code(indicator.good or '')}"
        return bad, _code(indicator.total)
    over = {">": "above", ">=": "from", "<": "below", "<=": "up to"}[indicator.bad_operator]
    return f"{_code(indicator.query)} {over} {indicator.value:f}", "the time in which there is one"


def _code(query: str) -> str:
    # A bar would end the cell of the table.
    return "`" + query.replace("{{.window}}", "w").replace("|", "\\|") + "`"


def _alerts(promise: Promise) -> Iterator[str]:
    kinds = {alert.name: alert for one in promise.objectives for alert in one.alerts}
    yield "| label `burn` | severity | burn | over | what it means |"
    yield "| --- | --- | ---: | --- | --- |"
    for alert in kinds.values():
        yield (
            f"| `{alert.name}` | {alert.severity} | {alert.factor:f} | {alert.long} and {alert.short} | {alert.tells} |"
        )
    yield ""
    yield "So this share of bad events is told, where it holds over both windows:"
    yield ""
    yield "| alert | " + " | ".join(f"`{name}`" for name in kinds) + " |"
    yield "| --- |" + " ---: |" * len(kinds)
    for one in promise.objectives:
        limits = {alert.name: f"over {percent(one.threshold(alert))}" for alert in one.alerts}
        yield f"| `{one.burn_alert()}` | " + " | ".join(limits.get(name, "") for name in kinds) + " |"


def _detection(objective: Objective) -> Iterator[str]:
    yield "| bad | " + " | ".join(f"{a.severity} {a.factor:f} x / {a.long}" for a in objective.alerts) + " |"
    yield "| ---: |" + " ---: |" * len(objective.alerts)
    for ratio in ERROR_RATIOS:
        cells = []
        for alert in objective.alerts:
            found = time_to_alert_s(
                Fraction(alert.factor), seconds(alert.long), Fraction(objective.budget), Fraction(ratio)
            )
            cells.append(NEVER if found is None else _time(found))
        yield f"| {percent(ratio)} | " + " | ".join(cells) + " |"


def _time(length_s: Fraction) -> str:
    if length_s < 120:
        return f"{float(length_s):.0f} s"
    minutes = length_s / 60
    return f"{float(minutes):.0f} min" if minutes < 600 else f"{float(minutes / 60):.0f} h"
