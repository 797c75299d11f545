"""Durations and the arithmetic of burn rates."""

from __future__ import annotations

from fractions import Fraction

import pytest

from atraso.slo.windows import duration, seconds, shorter, time_to_alert_s


@pytest.mark.parametrize(
    ("text", "length_s", "written"),
    [
        ("5m", 300, "5m"), ("90s", 90, "90s"), ("1h30m", 5400, "90m"), ("24h", 86_400, "1d"), ("30d", 2_592_000, "30d"),
        ("250ms", Fraction(1, 4), "250ms"), ("0m", 0, "0s"),
    ],
)  # fmt: skip
def test_durations_are_read_and_written_as_prometheus_does(text: str, length_s: Fraction, written: str) -> None:
    """Each is so many seconds, and is written in its largest whole unit."""
    assert seconds(text) == length_s
    assert duration(seconds(text)) == written


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5y", "1.5h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """The sentence says how to write one."""
    with pytest.raises(ValueError, match="write it as 5m"):
        seconds(text)


def test_shorter_durations_are_exact_to_the_millisecond() -> None:
    """A sixtieth of each is what it should be, and never nothing."""
    assert [shorter(text, 60) for text in ("1h", "5m", "30s", "15s", "30d")] == ["1m", "5s", "500ms", "250ms", "12h"]
    assert shorter("1ms", 60) == "1ms"


@pytest.mark.parametrize(
    ("factor", "window", "ratio", "minutes"),
    [
        ("14.4", "1h", "1", Fraction("0.432")), ("14.4", "1h", "0.1", Fraction("4.32")), ("6", "6h", "0.01", 108),
        ("3", "1d", "0.002", 18 * 60), ("1", "3d", "0.001", 36 * 60), ("14.4", "1h", "0.005", None),
        ("6", "6h", "0.003", None),
    ],
)  # fmt: skip
def test_the_time_to_an_alert_is_that_of_the_workbook(
    factor: str, window: str, ratio: str, minutes: Fraction | None
) -> None:
    """For 99.95 %: factor times budget times window by the share of errors; never at or under the threshold."""
    found = time_to_alert_s(Fraction(factor), seconds(window), Fraction("0.0005"), Fraction(ratio))

    assert found == (None if minutes is None else minutes * 60)
