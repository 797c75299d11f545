"""The promise as it is read from an OpenSLO file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from atraso.slo.loading import load_promise
from atraso.slo.objectives import Slices
from atraso.slo.openslo import BUNDLED, SloFileError
from atraso.slo.rules import rule_file
from atraso.telemetry.names import LATENCY_BOUNDS
from tests.slo.expected import BURNS, OBJECTIVES

FACTORS = {"fast": "14.4", "slow": "6", "day": "3", "days": "1"}


def test_the_promise_is_the_one_that_was_given() -> None:
    """Objectives, targets, thresholds and windows are those written down by hand, as exact decimals."""
    objectives = {one.name: one for one in load_promise().objectives}

    assert objectives.keys() == OBJECTIVES.keys()
    for name, expected in OBJECTIVES.items():
        one = objectives[name]
        assert (str(one.target), str(one.budget), one.window) == (expected.objective, expected.budget, "30d")
        assert {a.name: f"{one.threshold(a):f}" for a in one.alerts} == expected.thresholds
        for alert in one.alerts:
            severity, short, long, _ = BURNS[alert.name]
            assert (alert.severity, alert.short, alert.long) == (severity, short, long)
            assert str(alert.factor) == FACTORS[alert.name]
        assert one.reason.endswith(".")


def test_each_bound_of_latency_is_the_bound_of_a_bucket() -> None:
    """Else the objective would be of another time than the one that is promised."""
    text = BUNDLED.read_text()

    for bound, milliseconds in ((0.05, "50 ms"), (0.25, "250 ms")):
        assert bound in LATENCY_BOUNDS
        assert f'le="{bound}"' in text
        assert milliseconds in text


def test_freshness_of_departures_is_that_of_the_settings() -> None:
    """The limit is the age from which answers are those of the schedule alone."""
    from atraso.settings import Settings

    (one,) = (one for one in load_promise().objectives if one.name == "departures-freshness")

    assert isinstance(one.indicator, Slices)
    assert one.indicator.value == Settings().state_stale_minutes * 60


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("target: 0.9995", "target: 99.95", "a share above 0 and below 1"),
        ("target: 0.9995", "target: high", "SLO 'availability' is not OpenSLO v1"),
        ("apiVersion: openslo/v1\nkind: Service", "apiVersion: openslo/v2\nkind: Service", "document 1"),
        ("kind: Service", "kind: Servic", "document 1"),
        ("  service: atraso\n", "  servce: atraso\n", "unknown field `servce`"),
        ("- conditionRef: fast", "- conditionRef: fats", "names the AlertCondition 'fats'; there are: fast, slow"),
        ("Ref: no-data\n", "Ref: nodata\n", "names the AlertPolicy 'nodata'"),
        ("lookbackWindow: 1h", "lookbackWindow: 1 hour", "'1 hour' is no duration"),
        ("lookbackWindow: 1h", "lookbackWindow: 1h30m", "'1h30m' is no duration of OpenSLO"),
        ("lookbackWindow: 1h", "lookbackWindow: 0m", "'0m' is no duration of OpenSLO"),
        ("alertAfter: 1m", "alertAfter: 30s", "in AlertCondition 'silence' '30s' is no duration"),
        ("duration: 30d", "duration: 1M", "'1M' is no duration of OpenSLO"),
        ("timeSliceWindow: 1m", "timeSliceWindow: 60s", "'60s' is no duration of OpenSLO"),
        ("    - alertPolicyRef: burn-fast", "    - burn-fast", "got `str` - at `$.alertPolicies[0]`"),
        ("    atraso.slo/runbook", "    atraso_slo/runbook", "at `key` in `$.metadata.annotations`"),
        ("  displayName: Log-ins", f"  displayName: {'Log-ins ' * 9}", "length <= 63 - at `$.metadata.displayName`"),
        ("name: availability", "name: Availability", "at `$.metadata.name`"),
        ("metricSourceRef: prometheus", "metricSourceRef: mimir", "names the DataSource 'mimir'; there are: prom"),
        ("alertWhenResolved: true", "alertWhenResolved: false", "`$.alertWhenResolved`"),
        ("target: 0.9995", "target: nan", "NaN is no number"),
        ("threshold: 14.4", "threshold: .inf", "what stands after AlertPolicy 'burn-fast'"),
        ("threshold: 14.4", "threshold: Infinity", "Infinity is no number"),
        ("description: How likely", f"description: {'How ' * 300} likely", "length <= 1050"),
        ("atraso.slo/short-window: 5m", "atraso.slo/short-window: 2h", "is not shorter than 1h"),
        ("    atraso.slo/short-window: 2h\n", "    atraso.slo/short: 2h\n", "needs the annotation atraso.slo/short"),
        ("atraso.slo/least-bad: \"2\"", "atraso.slo/least-bad: \"two\"", "not a whole number"),
        ("name: latency-50ms", "name: latency-250ms", "there are two SLO called 'latency-250ms'"),
        ("      target: 0.9995", "      target: 0.5", "can never burn 14.4 times its budget"),
        ("budgetingMethod: Occurrences", "budgetingMethod: Timeslices", "it needs a thresholdMetric"),
        ("[{{.window}}]", "[5m]", "has a query without {{.window}}"),
        ("---\n", "--- [\n", "is not OpenSLO v1"),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_itself_is_refused_with_where_and_why(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    """The sentence names the file, the place and what would be right."""
    text = BUNDLED.read_text()
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new, 1))

    with pytest.raises(SloFileError) as refused:
        load_promise(path)

    assert "mine.yaml" in str(refused.value)
    assert says in str(refused.value)


def changed(tmp_path: Path, old: str, new: str) -> dict[str, Any]:
    """Return the rules of availability and model-freshness, by alert and burn, of a promise with one change."""
    path = tmp_path / "mine.yaml"
    path.write_text(BUNDLED.read_text().replace(old, new, 1) + "---\n")
    promise = load_promise(path)
    groups = [group for one in promise.objectives for group in rule_file(one, promise)["groups"]]
    return {
        f"{rule['alert']} {rule['labels'].get('burn', '')}".strip(): rule
        for group in groups for rule in group["rules"] if "alert" in rule
    }  # fmt: skip


def test_a_wait_that_a_condition_asks_for_is_in_its_rule(tmp_path: Path) -> None:
    """What a file says is done, or it would be refused; no wait is none."""
    rules = changed(tmp_path, "lookbackWindow: 6h\n    alertAfter: 0m", "lookbackWindow: 6h\n    alertAfter: 3m")

    assert rules["AtrasoAvailabilityBurn slow"]["for"] == "3m"
    assert "for" not in rules["AtrasoAvailabilityBurn fast"]


def test_time_without_slices_can_be_told_as_well(tmp_path: Path) -> None:
    """A policy for missing data may stand at an objective that counts time; its query is one that PromQL knows."""
    before = "- alertPolicyRef: burn-days\n---\napiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: departures"
    rules = changed(tmp_path, before, f"- alertPolicyRef: no-data\n    {before}")
    told = rules["AtrasoModelFreshnessNoData"]

    assert told["expr"] == 'absent_over_time(slo:sli_slice:bad{slo="model-freshness"}[4m])'
    promql_parser.parse(told["expr"])


def test_a_file_that_is_not_there_is_told() -> None:
    """The sentence names it."""
    with pytest.raises(SloFileError, match=r"nowhere\.yaml cannot be read"):
        load_promise(Path("nowhere.yaml"))


def test_numbers_are_exact() -> None:
    """A share that no binary fraction can hold is read as it was written."""
    (one,) = (one for one in load_promise().objectives if one.name == "durability")

    assert one.budget == Decimal("0.0001")
    assert one.threshold(one.alerts[0]) == Decimal("0.00144")
