"""One of the scorecard's own learners alone, on the same intervals: what its mean with the others gains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atraso.training.candidates.candidate import Floats, Ints, Labels, Predict, feature_columns
from atraso.training.learners.lesson import Cut, Learner, Lesson


def fit(names: Sequence[str], matrix: Floats, late: Labels, days: Ints, weight: Floats, *, learn: Learner) -> Predict:
    """Fit what *learn* learns of the declared features, and nothing else."""
    features = feature_columns(names)
    cut = Cut.of(matrix[:, features])
    terms = learn(Lesson(cut, cut.places(matrix[:, features]), late, days, weight))

    def predict(rows: Floats) -> Floats:
        return np.asarray(terms.log_odds(cut.places(rows[:, features])), dtype=np.float64)

    return predict
