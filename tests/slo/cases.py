"""Cases for promtool about every objective: each threshold from both sides, each window with what only it holds.

Windows are those of Prometheus 2, which have both their ends in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.slo.expected import BURNS, OBJECTIVES, Events, Slices

Case = dict[str, Any]
MINUTES = 375
SHORT = {"5m": 5, "30m": 30, "1h": 60, "2h": 120, "6h": 360}
HOURS = {"1d": 24, "3d": 72}
# A fleet, and which share of all that happens is of each.
INSTANCES = {"a": 0.25, "b": 0.75}
MONTH_H = 720


def case_files(name: str) -> dict[str, Case]:
    """Return the files of cases about the objective *name*, without the rules they are about; the quickest first."""
    objective = OBJECTIVES[name]
    files = {burn: _file("1m", list(_boundaries(name, objective, burn))) for burn in objective.thresholds}
    if isinstance(objective, Events):
        windows = [_event_windows(name, objective), _nothing(name, objective), _little(name, objective)]
        windows += [_more_good_than_all(name, objective)] * objective.counts_good
        files["windows"] = _file("15m", windows)
        if objective.no_data is not None:
            files["silence"] = _file("15s", list(_silences(name, objective)))
    else:
        files["windows"] = _file("15m", [_slice_windows(name), _gone(name)])
    files["long windows"] = _file("12h", list(_long_windows(name, objective)))
    return files


def _file(evaluation_interval: str, tests: list[Case]) -> Case:
    return {"evaluation_interval": evaluation_interval, "tests": tests}


def _boundaries(name: str, objective: Events | Slices, burn: str) -> Iterator[Case]:
    events = isinstance(objective, Events)
    limit = objective.thresholds[burn]
    severity, short, long, counts = BURNS[burn]
    over = f"{float(limit) * 1.001:.9f}"
    fires = {
        "alertname": objective.alert, "alertstate": "firing", "burn": burn, "service": "atraso",
        "severity": severity, "slo": name,
    }  # fmt: skip
    for short_value, long_value, bad, expected in (
        (limit, limit, "9", []),
        (over, limit, "9", []),
        (limit, over, "9", []),
        (over, over, "1.51", [fires]),
        (over, over, "1.5", [] if events and counts else [fires]),
        (over, over, "0", [] if events and counts else [fires]),
    ):
        series = {f"slo:sli_error:ratio_rate{window}": "0" for window in (*SHORT, *HOURS)}
        series |= {f"slo:sli_error:ratio_rate{short}": short_value, f"slo:sli_error:ratio_rate{long}": long_value}
        series["slo:sli_bad:increase1h"] = bad
        # What is over for another objective is nothing to this one.
        fed = {f'{metric}{{slo="{name}"}}': value for metric, value in series.items()}
        fed |= {f'{metric}{{slo="another"}}': "0.99" for metric in series}
        yield {
            "name": f"{name}: {burn} at {short_value} over {short}, {long_value} over {long}, {bad} bad ones",
            "interval": "1m",
            "input_series": [{"series": one, "values": value} for one, value in fed.items()],
            "promql_expr_test": [_asked('ALERTS{alertname!~".*NoData"}', "0m", [(fires, 1)] if expected else [])],
        }


def _event_windows(name: str, objective: Events) -> Case:
    good = [1000 + 7 * minute for minute in range(MINUTES + 1)]
    bad = [11 + (minute * minute) // 500 for minute in range(MINUTES + 1)]
    other = [500 + 90 * (minute % 7) for minute in range(MINUTES + 1)]
    series = []
    for counter, (of_good, of_bad, of_other) in objective.counters.items():
        steps = [of_good * g + of_bad * b + of_other * o for g, b, o in zip(good, bad, other, strict=True)]
        for instance, share in INSTANCES.items():
            of_one = counter.replace("{", f'{{instance="{instance}",', 1)
            series.append({"series": of_one, "values": _counted([step * share for step in steps])})
    asked = []
    for window, length in SHORT.items():
        share = sum(bad[-length:]) / (sum(bad[-length:]) + sum(good[-length:]))
        asked.append(_recorded(name, f"slo:sli_error:ratio_rate{window}", share))
    hour = {"bad": sum(bad[-60:]), "total": sum(bad[-60:]) + sum(good[-60:])}
    last = {"bad": sum(bad[-5:]) / 300, "total": (sum(bad[-5:]) + sum(good[-5:])) / 300}
    for part in ("bad", "total"):
        asked.append(_recorded(name, f"slo:sli_{part}:increase1h", hour[part]))
        asked.append(_recorded(name, f"slo:sli_{part}:rate5m", last[part]))
    return {
        "name": f"{name}: each window holds what is in it, of all instances",
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": asked,
    }


def _nothing(name: str, objective: Events) -> Case:
    return {
        "name": f"{name}: where nothing that counts came there is no ratio",
        "interval": "1m",
        "input_series": [
            {"series": counter, "values": "5x375" if of_good or of_bad else "0+7x375"}
            for counter, (of_good, of_bad, _) in objective.counters.items()
        ],
        "promql_expr_test": [_asked('{__name__=~"slo:sli_error:.*"}', f"{MINUTES}m", [])],
    }


def _little(name: str, objective: Events) -> Case:
    return {
        "name": f"{name}: where little came there is a ratio all the same",
        "interval": "1m",
        "input_series": [
            {"series": counter, "values": f"0+{(of_good + of_bad) / 10:g}x375"}
            for counter, (of_good, of_bad, _) in objective.counters.items()
        ],
        "promql_expr_test": [_recorded(name, f"slo:sli_error:ratio_rate{window}", 0.5) for window in SHORT],
    }


def _more_good_than_all(name: str, objective: Events) -> Case:
    """Two counters are read a moment apart: then nothing was bad, rather than less than nothing."""
    rates = [f"slo:sli_error:ratio_rate{window}" for window in SHORT]
    return {
        "name": f"{name}: where more were good than there were, none was bad",
        "interval": "1m",
        "input_series": [
            {"series": counter, "values": f"0+{10 * (of_good + of_bad) * (1 if of_bad else 3):g}x375"}
            for counter, (of_good, of_bad, _) in objective.counters.items()
        ],
        "promql_expr_test": [
            _recorded(name, one, 0) for one in (*rates, "slo:sli_bad:rate5m", "slo:sli_bad:increase1h")
        ],
    }


def _gone(name: str) -> Case:
    """An hour of which something is known has sixty minutes, and one of which nothing is has none."""
    total = "slo:sli_total:increase1h"
    return {
        "name": f"{name}: an hour without slices is none",
        "interval": "1m",
        "input_series": [{"series": f'slo:sli_slice:bad{{slo="{name}"}}', "values": "0x300"}],
        "promql_expr_test": [_recorded(name, total, 60, "345m"), _asked(total, "375m", [])],
    }


def _slice_windows(name: str) -> Case:
    bad = [int(minute % 5 == 0 or minute % 11 < minute // 60) for minute in range(MINUTES + 1)]
    asked = [
        _recorded(name, f"slo:sli_error:ratio_rate{window}", sum(bad[-length - 1 :]) / (length + 1))
        for window, length in SHORT.items()
        if window in ("5m", "2h", "6h")
    ]
    asked.append(_recorded(name, "slo:sli_bad:increase1h", sum(bad[-61:]) / 61 * 60))
    asked.append(_recorded(name, "slo:sli_total:increase1h", 60))
    return {
        "name": f"{name}: each window holds the slices that are in it",
        "interval": "1m",
        "input_series": [
            {"series": f'slo:sli_slice:bad{{slo="{name}"}}', "values": " ".join(map(str, bad))},
            {"series": 'slo:sli_slice:bad{slo="another"}', "values": "1x375"},
        ],
        "promql_expr_test": asked,
    }


def _long_windows(name: str, objective: Events | Slices) -> Iterator[Case]:
    at = 96
    bad = [0.001 * hour * hour for hour in range(at + 1)]
    total = [100.0 + hour for hour in range(at + 1)]
    slices = [hour % 3 / 2 for hour in range(at + 1)]
    fed = {"bad:rate5m": bad, "total:rate5m": total} if isinstance(objective, Events) else {"slice:bad": slices}
    asked = []
    for window, length in HOURS.items():
        if isinstance(objective, Events):
            share = sum(bad[-length - 1 :]) / sum(total[-length - 1 :])
        else:
            share = sum(slices[-length - 1 :]) / (length + 1)
        asked.append(_recorded(name, f"slo:sli_error:ratio_rate{window}", share, f"{at}h"))
    yield _hourly(name, f"{name}: days hold what is in them", fed, asked)

    at = MONTH_H + 48
    bad = [0.01 * (hour % 100) for hour in range(at + 1)]
    total = [1000.0 + hour for hour in range(at + 1)]
    share = sum(bad[-MONTH_H - 1 :]) / sum(total[-MONTH_H - 1 :])
    spent = share / float(objective.budget)
    asked = [
        _recorded(name, "slo:sli_error:ratio_rate30d", share, f"{at}h"),
        _recorded(name, "slo:error_budget:spent_ratio30d", spent, f"{at}h", 1e4),
        _recorded(name, "slo:objective:ratio", float(objective.objective), f"{at}h"),
        _recorded(name, "slo:error_budget:ratio", float(objective.budget), f"{at}h"),
    ]
    yield _hourly(name, f"{name}: a month adds up its hours", {"bad:increase1h": bad, "total:increase1h": total}, asked)

    zero = {part: [0.0] * 37 for part in (*fed, "bad:increase1h", "total:increase1h") if part != "slice:bad"}
    little = {part: [0.0005 if part.startswith("bad") else 0.001] * 37 for part in zero}
    there = [_recorded(name, f"slo:sli_error:ratio_rate{window}", 0.5, "36h") for window in ("1d", "3d", "30d")]
    if isinstance(objective, Slices):
        there = there[-1:]
    yield _hourly(name, f"{name}: days with little have one all the same", little, there)

    nothing = _asked('{__name__=~"slo:sli_error:.*"}', "36h", [])
    yield _hourly(name, f"{name}: days without anything have no ratio", zero, [nothing])


def _hourly(name: str, title: str, fed: dict[str, list[float]], asked: Sequence[Case]) -> Case:
    series = [
        {"series": f'slo:sli_{part}{{slo="{slo}"}}', "values": " ".join(map(repr, values))}
        for part, values in fed.items()
        for slo in (name, "another")
        if slo == name or max(values) > 0
    ]
    for one in series:
        if 'slo="another"' in one["series"]:
            one["values"] = f"77x{len(one['values'].split()) - 1}"
    return {"name": title, "interval": "1h", "input_series": series, "promql_expr_test": list(asked)}


def _silences(name: str, objective: Events) -> Iterator[Case]:
    assert objective.no_data is not None
    labels = {
        "alertname": objective.no_data, "alertstate": "firing", "service": "atraso", "severity": "ticket", "slo": name
    }  # fmt: skip
    query = 'ALERTS{alertname=~".*NoData",alertstate="firing"}'
    for counter, (of_good, of_bad, _) in objective.counters.items():
        alone = f"{name}: {counter} alone is {'data' if of_good or of_bad else 'no data'}"
        moving = [{"series": counter, "values": "0+3x8"}]
        expected = [] if of_good or of_bad else [(labels, 1)]
        yield {
            "name": alone, "interval": "15s", "input_series": moving,
            "promql_expr_test": [_asked(query, "2m", expected)],
        }  # fmt: skip
    counter = next(iter(objective.counters))
    yield {
        "name": f"{name}: told after 5 minutes of nothing, not before",
        "interval": "15s",
        "input_series": [{"series": counter, "values": "0+3x40 120x40"}],
        "promql_expr_test": [_asked(query, "14m45s", []), _asked(query, "15m", [(labels, 1)])],
    }


def _counted(steps: Sequence[float]) -> str:
    counted, values = 0.0, []
    for step in steps:
        counted += step
        values.append(f"{counted:.6f}")
    return " ".join(values)


def _recorded(name: str, metric: str, value: float, at: str = f"{MINUTES}m", precision: float = 1e6) -> Case:
    """Ask for a recorded value to a millionth, because sums of binary fractions differ in their last digits."""
    return _asked(f"round({metric} * {precision:g})", at, [({"slo": name}, float(round(value * precision)))])


def _asked(query: str, at: str, expected: Sequence[tuple[dict[str, str], float]]) -> Case:
    samples = []
    for labels, value in expected:
        named = ",".join(f'{key}="{label}"' for key, label in labels.items())
        metric = "ALERTS" if "alertname" in labels else ""
        samples.append({"labels": f"{metric}{{{named}}}", "value": value})
    return {"expr": query, "eval_time": at, "exp_samples": samples}
