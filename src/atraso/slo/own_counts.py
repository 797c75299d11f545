"""What a service counts itself of an objective: the events that its queries name, since the service started.

Queries of the form `sum(rate(METRIC{label="value",...}[{{.window}}]))` are read; what is written otherwise is left to
Prometheus.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from atraso.slo.objectives import WINDOW, Events
from atraso.telemetry.cells import COMPLETED_LATER, START_OF
from atraso.telemetry.names import COUNTED, HISTOGRAM, Metric

_QUERY = re.compile(rf"sum\(rate\((\w+)\{{([^{{}}]*)\}}\[{re.escape(WINDOW)}\]\)\)")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"\\]*)"')
_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "=": lambda wanted, value: value == wanted,
    "!=": lambda wanted, value: value != wanted,
    "=~": lambda wanted, value: re.fullmatch(wanted, value) is not None,
    "!~": lambda wanted, value: re.fullmatch(wanted, value) is None,
}
_Matcher = tuple[str, str, str]  # label, operator, what is wanted


def own_counts(events: Events, totals: Sequence[int]) -> tuple[int, int] | None:
    """Return how many events were good and how many there were by *totals*, the cells of `Board.totals`.

    None where the service does not count them itself.
    """
    part = events.good if events.good is not None else events.bad
    assert part is not None
    found = [cells_of(query) for query in (events.total, part)]
    of_all, of_part = found
    if of_all is None or of_part is None:
        return None
    total, counted = (sum(totals[at] for at in cells) for cells in (of_all, of_part))
    good = counted if events.good is not None else total - counted
    return max(0, min(good, total)), total


def cells_of(query: str) -> list[int] | None:
    """Return the places in `Board.totals` whose sum *query* asks for, or None where they do not tell it."""
    shape = _QUERY.fullmatch(query)
    if shape is None:
        return None
    name, labels = shape.groups()
    matchers: list[_Matcher] = _MATCHER.findall(labels)
    if ",".join(f'{label}{operator}"{wanted}"' for label, operator, wanted in matchers) != labels:
        return None
    for metric in COUNTED:
        suffix = name.removeprefix(metric.name)
        if metric.kind == HISTOGRAM and name == metric.name + suffix and suffix in ("_bucket", "_count"):
            return _histogram_cells(metric, matchers, suffix)
        if metric.kind != HISTOGRAM and name == metric.name:
            return _cells(metric, matchers, (0,))
    return None


def _histogram_cells(metric: Metric, matchers: list[_Matcher], suffix: str) -> list[int] | None:
    """Return the buckets up to the bound that is named; all of them where events are counted whatever they took."""
    bounds = [one for one in matchers if one[0] == "le"]
    if suffix == "_count":
        return None if bounds else _cells(metric, matchers, range(len(metric.bounds) + 1))
    if len(bounds) != 1 or bounds[0][1] != "=":
        return None
    try:
        last = metric.bounds.index(float(bounds[0][2]))
    except ValueError:
        return None
    return _cells(metric, [one for one in matchers if one[0] != "le"], range(last + 1))


def _cells(metric: Metric, matchers: list[_Matcher], parts: Sequence[int]) -> list[int] | None:
    labels = [label for label, _ in metric.labels]
    if any(label not in labels for label, _, _ in matchers):
        return None
    found = []
    for place, values in enumerate(metric.series):
        value_of = dict(zip(labels, values, strict=True))
        if all(_MATCHES[operator](wanted, value_of[label]) for label, operator, wanted in matchers):
            found += [START_OF[metric] + place * metric.width + part for part in parts]
    return None if COMPLETED_LATER.intersection(found) else found
