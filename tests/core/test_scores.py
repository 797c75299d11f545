"""The scores are those of their definitions."""

import numpy as np
import pytest

from atraso.core.scores import (
    auc,
    average_precision,
    best_f1_threshold,
    brier_skill,
    class_scores,
    ece,
    leak_alarms,
    log_loss,
)

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


def test_class_scores_are_those_of_the_delayed_class() -> None:
    """Two called, one of them late, of two late: all are a half; calling nobody is worth nothing."""
    assert class_scores(LATE, np.array([True, False, True, False])) == {"f1": 0.5, "precision": 0.5, "recall": 0.5}
    assert class_scores(LATE, LATE) == {"f1": 1.0, "precision": 1.0, "recall": 1.0}
    assert class_scores(LATE, ~LATE | LATE)["f1"] == pytest.approx(2 * 0.5 / 1.5)  # always late: 2b / (1 + b)
    assert class_scores(LATE, np.zeros(4, dtype=bool)) == {"f1": 0.0, "precision": 0.0, "recall": 0.0}


@pytest.mark.parametrize(
    ("auc_found", "n", "alarms"), [(0.799, 5000, 0), (0.80, 5000, 1), (0.95, 999, 0), (float("nan"), 5000, 0)]
)
def test_an_auc_too_good_to_be_true_raises_the_alarm(auc_found: float, n: int, alarms: int) -> None:
    """From 0.80 on, over a thousand flights or more, the sentence names the lead and what to look for."""
    told = leak_alarms({"1h": {"n": n, "auc": auc_found}, "12h": {"n": n, "auc": 0.70}})

    assert len(told) == alarms
    assert all(sentence.startswith("1h: AUC 0.800 is 0.80 or more: a leak") for sentence in told)
