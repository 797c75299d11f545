"""CatBoost: symmetric trees of depth six, on the numbers alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atraso.training.candidates.candidate import SEED, Floats, Ints, Labels, Predict, feature_columns


def fit(names: Sequence[str], matrix: Floats, late: Labels, days: Ints, weight: Floats, *, rounds: int) -> Predict:
    """Fit *rounds* trees."""
    from catboost import CatBoostClassifier  # noqa: PLC0415

    features = feature_columns(names)
    model = CatBoostClassifier(
        iterations=rounds,
        depth=6,
        learning_rate=0.06,
        l2_leaf_reg=30,
        rsm=0.15,
        random_strength=2,
        thread_count=1,
        random_seed=SEED,
        verbose=False,
        allow_writing_files=False,
    )
    model.fit(matrix[:, features], late.astype(np.int64), sample_weight=weight)

    def predict(rows: Floats) -> Floats:
        log_odds = model.predict(rows[:, features], prediction_type="RawFormulaVal", thread_count=1)
        return np.asarray(log_odds, dtype=np.float64)

    return predict
