"""XGBoost: histogram trees of depth five."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atraso.training.candidates.candidate import SEED, Floats, Ints, Labels, Predict, feature_columns

PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 5,
    "eta": 0.06,
    "colsample_bynode": 0.3,
    "subsample": 0.8,
    "min_child_weight": 20,
    "lambda": 50,
    "nthread": 1,
    "seed": SEED,
}


def fit(names: Sequence[str], matrix: Floats, late: Labels, days: Ints, weight: Floats, *, rounds: int) -> Predict:
    """Fit *rounds* trees."""
    import xgboost  # noqa: PLC0415

    features = feature_columns(names)
    data = xgboost.QuantileDMatrix(matrix[:, features], late.astype(np.float64), weight=weight, nthread=1)
    booster = xgboost.train(PARAMETERS, data, rounds)

    def predict(rows: Floats) -> Floats:
        asked = xgboost.DMatrix(rows[:, features], nthread=1)
        return np.asarray(booster.predict(asked, output_margin=True), dtype=np.float64)

    return predict
