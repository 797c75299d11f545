"""The explainable boosting machine: additive, boosted feature by feature, averaged over bags of whole weeks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from atraso.training.candidates.candidate import SEED, Floats, Ints, Labels, Predict, feature_columns
from atraso.training.candidates.lightgbm_trees import SHARED, STUMPS

# Bags and early stopping on random rows learn a day's luck by heart from the state of that very day, and lose 0.03
# AUC; bags of whole weeks and few bins do not.
BAGS = 4
DAYS_A_WEEK = 7
HELD_OUT = 0.15
SIFTING_ROUNDS = 200


def fit(
    names: Sequence[str], matrix: Floats, late: Labels, days: Ints, weight: Floats, *, features: int, rounds: int
) -> Predict:
    """Fit at most *rounds* passes over the *features* that gain most in a sifting run of boosted stumps."""
    from interpret.glassbox import ExplainableBoostingClassifier  # noqa: PLC0415

    places = _sifted(feature_columns(names), matrix, late, weight, features)
    model = ExplainableBoostingClassifier(
        interactions=0,
        max_bins=24,
        learning_rate=0.03,
        min_samples_leaf=200,
        outer_bags=BAGS,
        max_rounds=rounds,
        n_jobs=1,
        random_state=SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of gaps and of features with few values, and does what it should
        model.fit(matrix[:, places], late, sample_weight=weight, bags=week_bags(days))

    def predict(rows: Floats) -> Floats:
        return np.asarray(model.decision_function(rows[:, places]), dtype=np.float64)

    return predict


def week_bags(days: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    """Return (rows, bags): 1 where a row is learnt from, -1 where it tells when to stop; a week is never torn."""
    weeks, week = np.unique(days // DAYS_A_WEEK, return_inverse=True)
    held_out = max(1, round(HELD_OUT * len(weeks)))
    rng = np.random.default_rng(SEED)
    bags = [np.where(rng.permutation(len(weeks))[week] < held_out, -1, 1) for _ in range(BAGS)]
    return np.array(bags, dtype=np.int8).T


def _sifted(features: list[int], matrix: Floats, late: Labels, weight: Floats, n: int) -> list[int]:
    import lightgbm  # noqa: PLC0415

    parameters = {**SHARED, **STUMPS}
    data = lightgbm.Dataset(matrix[:, features], late.astype(np.float64), weight=weight, params=parameters)
    gain = lightgbm.train(parameters, data, SIFTING_ROUNDS).feature_importance("gain")
    return sorted(features[place] for place in np.argsort(-gain, kind="stable")[:n])
