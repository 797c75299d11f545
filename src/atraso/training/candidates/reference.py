"""The challenge's model: logistic regression on one-hot airline, type of flight and month."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atraso.training.candidates.candidate import FACTS, Floats, Ints, Labels, Predict

RIDGE = 3.0  # as in training/challenge.py


def fit(names: Sequence[str], matrix: Floats, late: Labels, days: Ints, weight: Floats) -> Predict:
    """Fit the one-hot regression, as the challenge does: all rows alike, but without class weights.

    Those would only spoil its probabilities.
    A month that was not learnt from, as every month of the future, adds nothing; nor does an unseen airline.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a learner loads only where one is trained
    from sklearn.preprocessing import OneHotEncoder  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    places = [list(names).index(fact) for fact in FACTS]
    encoder = OneHotEncoder(handle_unknown="ignore")
    model = LogisticRegression(C=1 / RIDGE, max_iter=1000)
    with threadpool_limits(1):
        model.fit(encoder.fit_transform(matrix[:, places]), late)

    def predict(rows: Floats) -> Floats:
        return np.asarray(model.decision_function(encoder.transform(rows[:, places])), dtype=np.float64)

    return predict
