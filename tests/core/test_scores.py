"""The scores are those of their definitions."""

import numpy as np
import pytest

from atraso.core.scores import auc, average_precision, best_f1_threshold, brier_skill, ece, log_loss

LATE = np.array([False, False, True, True])
SCORE = np.array([0.1, 0.4, 0.35, 0.8])


def test_auc_counts_pairs_and_halves_ties() -> None:
    """Three of four pairs are in order: 0.75; with all scores alike every pair is a tie: 0.5."""
    assert auc(LATE, SCORE) == pytest.approx(0.75)
    assert auc(LATE, np.full(4, 0.3)) == pytest.approx(0.5)


def test_average_precision_is_the_area_of_steps() -> None:
    """Precision 1 at the first late flight, 2/3 at the second: their mean, 0.8333."""
    assert average_precision(LATE, SCORE) == pytest.approx((1 + 2 / 3) / 2)


def test_a_constant_has_no_skill_and_the_truth_has_all() -> None:
    """Saying the base rate is skill 0; saying what happened is skill 1 and log loss 0."""
    assert brier_skill(LATE, np.full(4, 0.5), 0.5) == pytest.approx(0)
    assert brier_skill(LATE, LATE.astype(float), 0.5) == pytest.approx(1)
    assert log_loss(LATE, LATE.astype(float)) == pytest.approx(0, abs=1e-12)


def test_ece_sees_a_bias_and_not_a_calibrated_coin() -> None:
    """Saying 0.3 where half are late is off by 0.2; saying 0.5 is not off."""
    late = np.arange(1500) % 2 == 0
    assert ece(late, np.full(1500, 0.3)) == pytest.approx(0.2, abs=1e-3)
    assert ece(late, np.full(1500, 0.5)) == pytest.approx(0.0, abs=1e-2)


def test_the_best_f1_threshold_separates_what_can_be_separated() -> None:
    """Where a threshold splits late from punctual, the one found does."""
    score = np.array([0.1, 0.2, 0.7, 0.9])
    threshold = best_f1_threshold(LATE, score)

    assert ((score >= threshold) == LATE).all()
