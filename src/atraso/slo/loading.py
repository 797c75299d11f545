"""An OpenSLO file as one promise: names are looked up, and what contradicts itself is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from atraso.slo.objectives import WINDOW, Alert, Events, Objective, Promise, Silence, Slices
from atraso.slo.openslo import BUNDLED, Document, Indicator, SloFileError, SloSpec, read_documents
from atraso.slo.windows import duration, seconds

OPERATORS = {"gte": ">=", "gt": ">"}
# An objective says what is good; what is recorded is what is not.
OPPOSITES = {"lte": ">", "gte": "<", "lt": ">=", "gt": "<="}
# One whole number and one unit; of OpenSLO's units Prometheus has no months, quarters and years. 0m is no wait.
SHORTHAND = re.compile(r"[1-9]\d*[mhdw]|0m", re.ASCII)


def load_promise(path: Path = BUNDLED) -> Promise:
    """Return the promise of an OpenSLO file; raise SloFileError for one that contradicts itself."""
    of_kind: dict[str, dict[str, tuple[Document, Any]]] = {}
    for document, spec in read_documents(path):
        named = of_kind.setdefault(document.kind, {})
        if document.metadata.name in named:
            raise SloFileError(f"{path.name}: there are two {document.kind} called {document.metadata.name!r}")
        named[document.metadata.name] = (document, spec)

    def get(kind: str, name: str, where: str) -> tuple[Document, Any]:
        found = of_kind.get(kind, {}).get(name)
        if found is None:
            at_hand = ", ".join(of_kind.get(kind, {})) or "none"
            raise SloFileError(f"{path.name}: {where} names the {kind} {name!r}; there are: {at_hand}")
        return found

    webhooks: dict[str, str] = {}
    policies: dict[str, Alert | Silence] = {}
    for name, (_, policy) in of_kind.get("AlertPolicy", {}).items():
        where = f"AlertPolicy {name!r}"
        if len(policy.conditions) != 1 or len(policy.notification_targets) != 1:
            raise SloFileError(f"{path.name}: {where} needs one condition and one target")
        condition, spec = get("AlertCondition", policy.conditions[0].condition_ref, where)
        target, _ = get("AlertNotificationTarget", policy.notification_targets[0].target_ref, where)
        url = _annotation(path, target, "atraso.slo/webhook")
        if webhooks.setdefault(spec.severity, url) != url:
            raise SloFileError(f"{path.name}: {where} sends a {spec.severity} elsewhere than another policy does")
        policies[name] = _alert(path, policy, condition, spec)

    objectives = []
    for name, (document, slo) in of_kind.get("SLO", {}).items():
        get("Service", slo.service, f"SLO {name!r}")
        for source in _sources(slo.indicator.spec):
            get("DataSource", source, f"SLO {name!r}")
        told = []
        for policy in slo.alert_policies:
            get("AlertPolicy", policy.alert_policy_ref, f"SLO {name!r}")
            told.append(policies[policy.alert_policy_ref])
        objectives.append(_objective(path, document, slo, told))
    if not objectives:
        raise SloFileError(f"{path.name}: there is no SLO in it")
    service, _ = next(iter(of_kind["Service"].values()))
    return Promise(tuple(objectives), webhooks, _annotation(path, service, "atraso.slo/runbook"))


def _sources(indicator: Indicator) -> Iterator[str]:
    """Yield the name of each source that an indicator asks by name."""
    ratio = indicator.ratio_metric
    for metric in (indicator.threshold_metric, *((ratio.total, ratio.good, ratio.bad) if ratio else ())):
        if metric is not None and metric.metric_source.metric_source_ref:
            yield metric.metric_source.metric_source_ref


def _alert(path: Path, policy: Any, condition: Document, spec: Any) -> Alert | Silence:
    burn = spec.condition
    name = condition.metadata.name
    checked = _checked(path, f"AlertCondition {name!r}")
    long, after = checked(burn.lookback_window), checked(burn.alert_after, least_s=0)
    if policy.alert_when_breaching == policy.alert_when_no_data:
        raise SloFileError(f"{path.name}: the policy of {name!r} tells either of a breach or of missing data")
    if policy.alert_when_no_data:
        return Silence(name, spec.severity, long, after)
    short = checked(_annotation(path, condition, "atraso.slo/short-window"))
    if seconds(short) >= seconds(long):
        raise SloFileError(f"{path.name}: the short window of {name!r} is not shorter than {long}")
    least = condition.metadata.annotations.get("atraso.slo/least-bad", "0")
    if not least.isdecimal():
        raise SloFileError(f"{path.name}: atraso.slo/least-bad of {name!r} is {least!r}, not a whole number")
    return Alert(
        name, spec.severity, burn.threshold, OPERATORS[burn.op], long, short, after, int(least), policy.description
    )


def _objective(path: Path, document: Document, slo: SloSpec, told: list[Alert | Silence]) -> Objective:
    name = document.metadata.name
    where = f"{path.name}: SLO {name!r}"
    checked = _checked(path, f"SLO {name!r}")
    if len(slo.objectives) != 1 or len(slo.time_window) != 1:
        raise SloFileError(f"{where} needs one objective and one time window")
    (goal,), (window,) = slo.objectives, slo.time_window
    if not 0 < goal.target < 1:
        raise SloFileError(f"{where} has the target {goal.target}: a share above 0 and below 1, such as 0.999")
    ratio, threshold = slo.indicator.spec.ratio_metric, slo.indicator.spec.threshold_metric
    indicator: Events | Slices
    if slo.budgeting_method == "Occurrences":
        if ratio is None or threshold is not None or (ratio.good is None) == (ratio.bad is None):
            raise SloFileError(f"{where} counts occurrences: it needs a ratioMetric of total and either good or bad")
        good, bad = (part.metric_source.spec.query if part else None for part in (ratio.good, ratio.bad))
        indicator = Events(ratio.total.metric_source.spec.query, good, bad)
        if any(WINDOW not in query for query in (indicator.total, good or WINDOW, bad or WINDOW)):
            raise SloFileError(f"{where} has a query without {WINDOW}")
    else:
        if threshold is None or ratio is not None or goal.op is None or goal.value is None:
            raise SloFileError(f"{where} counts time: it needs a thresholdMetric, and op and value in its objective")
        if goal.time_slice_target != 1 or goal.time_slice_window is None:
            raise SloFileError(f"{where} needs timeSliceTarget: 1 and a timeSliceWindow")
        query = threshold.metric_source.spec.query
        indicator = Slices(query, OPPOSITES[goal.op], goal.value, checked(goal.time_slice_window))
    for alert in told:
        if isinstance(alert, Alert) and alert.factor * (1 - goal.target) >= 1:
            raise SloFileError(
                f"{where} can never burn {alert.factor} times its budget: its policy {alert.name!r} is mute"
            )
    return Objective(
        name=name,
        title=document.metadata.display_name or name,
        promise=goal.display_name,
        reason=slo.description,
        measured=slo.indicator.spec.description.rstrip(".") or slo.indicator.metadata.display_name,
        target=goal.target,
        window=checked(window.duration),
        indicator=indicator,
        alerts=tuple(one for one in told if isinstance(one, Alert)),
        silence=next((one for one in told if isinstance(one, Silence)), None),
    )


def _annotation(path: Path, document: Document, name: str) -> str:
    try:
        return document.metadata.annotations[name]
    except KeyError:
        raise SloFileError(
            f"{path.name}: {document.kind} {document.metadata.name!r} needs the annotation {name}"
        ) from None


def _checked(path: Path, where: str) -> Callable[..., str]:
    """Return a check that gives a duration back as Prometheus writes it, so that equal ones are written alike."""

    def check(text: str, least_s: int = 60) -> str:
        if not SHORTHAND.fullmatch(text) or seconds(text) < least_s:
            raise SloFileError(
                f"{path.name}: in {where} {text!r} is no duration of OpenSLO: write a whole number of minutes, hours, "
                "days or weeks, such as 5m, 6h or 30d"
            )
        return duration(seconds(text))

    return check
