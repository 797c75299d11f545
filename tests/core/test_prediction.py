"""Log-odds become probabilities that never cross, quantiles in minutes, and reasons that add up."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atraso.core.prediction import (
    QUANTILES,
    logit,
    never_crossing,
    never_crossing_many,
    probability_shares,
    quantile_minutes_many,
    quantiles_minutes,
    sigmoid,
)
from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES

log_odds_rows = st.lists(
    st.floats(-12, 12, allow_nan=False), min_size=len(THRESHOLDS_MINUTES), max_size=len(THRESHOLDS_MINUTES)
)


@given(log_odds_rows)
def test_exceedance_never_rises_with_minutes_and_the_explained_threshold_stays(row: list[float]) -> None:
    """However the thresholds' log-odds lie, the answer falls as minutes rise; the 15-minute number is untouched."""
    fixed = never_crossing(row, ANCHOR)

    assert all(a >= b for a, b in pairwise(fixed))
    assert fixed[ANCHOR] == row[ANCHOR]


@given(st.lists(log_odds_rows, min_size=1, max_size=5))
def test_the_vectorised_forms_equal_the_plain_ones(rows: list[list[float]]) -> None:
    """Never-crossing and quantiles of a table are those of its rows."""
    table = never_crossing_many(np.array(rows), ANCHOR)
    plain = [never_crossing(row, ANCHOR) for row in rows]
    np.testing.assert_array_equal(table, np.array(plain))

    many = [quantile_minutes_many(table, THRESHOLDS_MINUTES, level, -14, 161) for _, level in QUANTILES]
    one = [quantiles_minutes(row, THRESHOLDS_MINUTES, -14, 161) for row in plain]
    np.testing.assert_allclose(np.column_stack(many), one, atol=1e-9)


@given(log_odds_rows)
def test_quantiles_rise_with_their_level_and_stay_in_range(row: list[float]) -> None:
    """p50 is not above p80, nor p80 above p95, and none leaves the range of delays in training."""
    fixed = never_crossing(row, ANCHOR)
    p50, p80, p95 = quantiles_minutes(fixed, THRESHOLDS_MINUTES, -14, 161)

    assert -14 <= p50 <= p80 <= p95 <= 161


def test_a_quantile_is_where_the_curve_passes_its_level() -> None:
    """With P(delay > 15) exactly 0.5 the median is 15 minutes; halfway in log-odds lies halfway in minutes."""
    row = [5.0, 4.0, 2.0, 0.0, -2.0, -4.0, -6.0]
    assert quantiles_minutes(row, THRESHOLDS_MINUTES, -14, 161)[0] == pytest.approx(15)

    row[ANCHOR], row[ANCHOR + 1] = 1.0, -1.0
    assert quantiles_minutes(row, THRESHOLDS_MINUTES, -14, 161)[0] == pytest.approx(22.5)


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_effects_add_up_to_the_answer_less_the_base_rate(shares: list[float], base_rate: float) -> None:
    """Whatever the shares, base rate plus effects is the answer, within rounding; each has the sign of its share."""
    effects = probability_shares(shares, base_rate)
    answer = sigmoid(logit(base_rate) + math.fsum(shares))

    assert base_rate + math.fsum(effects) == pytest.approx(answer, abs=1e-9)
    assert all(e * s >= 0 for e, s in zip(effects, shares, strict=True))


def test_equal_shares_have_equal_effects_in_any_order() -> None:
    """The rule is symmetric: order does not matter, and no share means no effect."""
    first, second, nothing = probability_shares([1.0, 1.0, 0.0], 0.2)

    assert first == second > 0
    assert nothing == 0
    assert probability_shares([1.0, 0.0, 1.0], 0.2) == [first, nothing, second]
