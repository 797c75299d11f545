"""The explainable boosting machine: boosted feature by feature in turn, averaged over bags of whole weeks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atraso.core.errors import MissingExtraError
from atraso.training.learners import stumps
from atraso.training.learners.lesson import SEED, Ints, Lesson, Terms

# Bags and early stopping on random rows learn a day's luck by heart from the state of that very day, and lose 0.03
# AUC; bags of whole weeks and few bins do not.
BAGS = 4
BINS = 24
DAYS_A_WEEK = 7
HELD_OUT = 0.15
ROUNDS = 1000
# Its time goes with the number of features; those of least gain in a sifting run of boosted stumps are left out.
FEATURES = 60
SIFTING_ROUNDS = 200


def learn(lesson: Lesson) -> Terms:
    """Fit at most `ROUNDS` passes over the `FEATURES` that gain most."""
    chosen = _sifted(lesson)
    model = fitted(lesson, chosen)
    values = [np.zeros(len(edges) + 2) for edges in lesson.cut.edges]
    for feature, cuts, scores in zip(chosen, model.bins_, model.term_scores_, strict=True):
        intervals = np.arange(len(values[feature]) - 1)
        values[feature][:-1] = scores[np.searchsorted(cuts[0], intervals, side="right") + 1]
        values[feature][-1] = scores[0]
    return Terms(float(model.intercept_[0]), tuple(values))


def fitted(lesson: Lesson, chosen: list[int]) -> Any:
    """Return interpret's model of the *chosen* features."""
    try:
        from interpret.glassbox import ExplainableBoostingClassifier  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("Training", "train") from error
    model = ExplainableBoostingClassifier(
        feature_types=["continuous"] * len(chosen),
        interactions=0,
        max_bins=BINS,
        learning_rate=0.03,
        min_samples_leaf=200,
        outer_bags=BAGS,
        max_rounds=ROUNDS,
        n_jobs=1,
        random_state=SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of gaps and of features with few values, and does what it should
        model.fit(
            lesson.places[:, chosen].astype(np.float64),
            lesson.late,
            sample_weight=lesson.weight,
            bags=week_bags(lesson.days),
        )
    return model


def week_bags(days: Ints) -> NDArray[np.int8]:
    """Return (rows, bags): 1 where a row is learnt from, -1 where it tells when to stop; a week is never torn."""
    weeks, week = np.unique(days // DAYS_A_WEEK, return_inverse=True)
    held_out = max(1, round(HELD_OUT * len(weeks)))
    rng = np.random.default_rng(SEED)
    bags = [np.where(rng.permutation(len(weeks))[week] < held_out, -1, 1) for _ in range(BAGS)]
    return np.array(bags, dtype=np.int8).T


def _sifted(lesson: Lesson) -> list[int]:
    sifting = stumps.boosted(lesson, stumps.PARAMETERS, SIFTING_ROUNDS, stumps.usual(lesson))
    gain = sifting.feature_importance("gain")
    return sorted(np.argsort(-gain, kind="stable")[:FEATURES].tolist())
