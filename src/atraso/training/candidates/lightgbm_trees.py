"""LightGBM in forms that know interactions: trees of two levels (pairs), of 15 and of 31 leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from atraso.training.candidates.candidate import SEED, Floats, Ints, Labels, Predict, feature_columns

SHARED: dict[str, Any] = {
    "objective": "binary",
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 50.0,
    "max_bin": 63,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": SEED,
}
PAIRS = {"num_leaves": 4, "max_depth": 2, "learning_rate": 0.03, "feature_fraction": 0.3, "min_child_samples": 300}
LEAVES_15 = {"num_leaves": 15, "learning_rate": 0.03, "feature_fraction": 0.4, "min_child_samples": 300}
LEAVES_31 = {"num_leaves": 31, "learning_rate": 0.03, "feature_fraction": 0.15, "min_child_samples": 200}
EXTRA = {
    "num_leaves": 31, "learning_rate": 0.03, "feature_fraction": 0.4, "min_child_samples": 150, "lambda_l2": 10.0,
    "extra_trees": True,
}  # fmt: skip


def fit(
    names: Sequence[str],
    matrix: Floats,
    late: Labels,
    days: Ints,
    weight: Floats,
    *,
    form: Mapping[str, Any],
    rounds: int,
) -> Predict:
    """Fit *rounds* trees of a *form*, a set of LightGBM parameters laid over those that all forms share."""
    import lightgbm  # noqa: PLC0415

    features = feature_columns(names)
    parameters = {**SHARED, **form}
    data = lightgbm.Dataset(matrix[:, features], late.astype(np.float64), weight=weight, params=parameters)
    booster = lightgbm.train(parameters, data, rounds)

    def predict(rows: Floats) -> Floats:
        log_odds = booster.predict(rows[:, features], raw_score=True, num_threads=1)
        return np.asarray(log_odds, dtype=np.float64)

    return predict
