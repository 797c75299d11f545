"""The population stability index, and how values are gathered."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atraso.core.drift import FLOOR, NEW, OTHERS, Reference, Shares, score_parts, slot_of, stability_index

SHARES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 100), min_size=2)


def test_by_hand() -> None:
    """Half and half became three to one: 0.25 ln 1.5 + 0.25 ln 2."""
    found = stability_index({"a": 0.5, "b": 0.5}, {"a": 75, "b": 25})
    assert found == pytest.approx(0.25 * log(1.5) + 0.25 * log(2))


def test_a_value_that_is_gone_or_new_counts_by_the_floor() -> None:
    """No logarithm without end: 0 counts as 0.001, on either side."""
    gone = stability_index({"a": 0.9, "b": 0.1}, {"a": 10})
    assert gone == pytest.approx(0.1 * log(1 / 0.9) + (FLOOR - 0.1) * log(FLOOR / 0.1))
    new = stability_index({"a": 1.0, "b": 0.0}, {"a": 9, "b": 1})
    assert new == pytest.approx(-0.1 * log(0.9) + (0.1 - FLOOR) * log(0.1 / FLOOR))


@given(SHARES, st.integers(1, 50))
def test_the_same_shares_are_no_drift_and_any_others_are(counts: dict[str, int], times: int) -> None:
    """0 for the same mix of any size; more for another; the same whichever is expected."""
    total = sum(counts.values())
    expected = {value: n / total for value, n in counts.items()}
    assert stability_index(expected, {v: n * times for v, n in counts.items()}) == pytest.approx(0, abs=1e-12)
    other = dict(zip(counts, [*list(counts.values())[1:], 1000], strict=True))
    turned = {value: n / sum(other.values()) for value, n in other.items()}
    assert stability_index(expected, other) > 0
    if min(expected.values()) > FLOOR < min(turned.values()):
        assert stability_index(expected, other) == pytest.approx(stability_index(turned, counts))


def test_rare_values_are_gathered_and_unknown_ones_are_new() -> None:
    """Less than a hundredth is rare."""
    shares = Shares.of({"LAN": 890.0, "SKU": 100.0, "AAA": 6.0, "BBB": 4.0})
    assert shares.shares == {"LAN": 0.89, "SKU": 0.1, OTHERS: 0.01, NEW: 0.0}
    assert [shares.value_of(seen) for seen in ("LAN", "BBB", "ZZZ")] == ["LAN", OTHERS, NEW]
    assert OTHERS not in Shares.of({"a": 1.0}).shares


def test_scores_fall_into_parts_and_hours_into_slots() -> None:
    """A score at an edge belongs to the part above it."""
    reference = Reference("x", {}, (0.1, 0.25))
    assert score_parts(reference.score_edges) == ("0.0 to 10.0 %", "10.0 to 25.0 %", "25.0 to 100.0 %")
    assert list(reference.score_counts([0.0, 0.1, 0.2, 0.25, 1.0]).values()) == [1, 2, 2]
    assert list(reference.score_counts([]).values()) == [0, 0, 0]
    assert [slot_of(hour) for hour in (0, 2, 3, 23)] == ["00 to 03 h", "00 to 03 h", "03 to 06 h", "21 to 24 h"]
