"""The promise as it is read from an OpenSLO file."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from atraso.slo.loading import load_promise
from atraso.slo.objectives import Slices
from atraso.slo.openslo import BUNDLED, SloFileError
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
        ("    - no-data\n", "    - nodata\n", "names the AlertPolicy 'nodata'"),
        ("lookbackWindow: 1h", "lookbackWindow: 1 hour", "'1 hour' is no duration"),
        ("atraso/short-window: 5m", "atraso/short-window: 2h", "is not shorter than 1h"),
        ("    atraso/short-window: 2h\n", "    atraso/short: 2h\n", "needs the annotation atraso/short-window"),
        ("atraso/least-bad: \"2\"", "atraso/least-bad: \"two\"", "not a whole number"),
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


def test_a_file_that_is_not_there_is_told() -> None:
    """The sentence names it."""
    with pytest.raises(SloFileError, match=r"nowhere\.yaml cannot be read"):
        load_promise(Path("nowhere.yaml"))


def test_numbers_are_exact() -> None:
    """A share that no binary fraction can hold is read as it was written."""
    (one,) = (one for one in load_promise().objectives if one.name == "durability")

    assert one.budget == Decimal("0.0001")
    assert one.threshold(one.alerts[0]) == Decimal("0.00144")
