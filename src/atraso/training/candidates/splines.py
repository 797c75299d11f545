"""Logistic regression on splines: each feature a smooth curve, their sum the log-odds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atraso.training.candidates.candidate import Floats, Ints, Labels, Predict, feature_columns

KNOTS = 5
# The inverse of the ridge penalty on unscaled curves. Of 0.003, 0.01, 0.03 and 0.1 the first two do best on July.
C = 0.005
ITERATIONS = 500
MOST_ROWS = 120_000
CHUNK_ROWS = 8192


def fit(names: Sequence[str], matrix: Floats, late: Labels, days: Ints, weight: Floats) -> Predict:
    """Fit cubic splines with knots at quantiles, flat beyond the range seen; gaps take the median.

    A feature with fewer distinct quantiles than knots (a count, a yes or no) stays a straight line. Of more than
    `MOST_ROWS` rows, every second or third is used: all their curves at once would not fit into memory.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    used = slice(None, None, -(-len(matrix) // MOST_ROWS))
    features = [place for place in feature_columns(names) if not np.isnan(matrix[used, place]).all()]
    curves = _Curves(matrix[used], features)
    model = LogisticRegression(C=C, max_iter=ITERATIONS)
    with threadpool_limits(1):
        model.fit(curves.of(matrix[used]), late[used], sample_weight=weight[used])

    def predict(rows: Floats) -> Floats:
        with threadpool_limits(1):
            return np.asarray(model.decision_function(curves.of(rows)), dtype=np.float64)

    return predict


class _Curves:
    """The columns of the regression: straight lines first, then the splines, in single precision for their number."""

    def __init__(self, matrix: Floats, features: list[int]) -> None:
        from sklearn.preprocessing import SplineTransformer  # noqa: PLC0415

        self._features = features
        self._usual = np.nanmedian(matrix[:, features], axis=0)
        known = self._filled(matrix)
        knots = np.quantile(known, np.linspace(0, 1, KNOTS), axis=0)
        self._curved = (np.diff(knots, axis=0) > 0).all(axis=0)
        lines = known[:, ~self._curved]
        self._low, spread = lines.min(axis=0), np.ptp(lines, axis=0)
        self._spread = np.where(spread > 0, spread, 1.0)
        self._splines: Any = None
        if self._curved.any():
            splines = SplineTransformer(knots=knots[:, self._curved], extrapolation="constant")
            self._splines = splines.fit(known[:, self._curved])
        self._width = len(self._low) + (self._splines.n_features_out_ if self._splines is not None else 0)

    def of(self, matrix: Floats) -> NDArray[np.float32]:
        out = np.empty((len(matrix), self._width), dtype=np.float32)
        for start in range(0, len(matrix), CHUNK_ROWS):
            at, rows = self._filled(matrix[start : start + CHUNK_ROWS]), slice(start, start + CHUNK_ROWS)
            out[rows, : len(self._low)] = np.clip((at[:, ~self._curved] - self._low) / self._spread, 0.0, 1.0)
            if self._splines is not None:
                out[rows, len(self._low) :] = self._splines.transform(at[:, self._curved])
        return out

    def _filled(self, matrix: Floats) -> Floats:
        at = matrix[:, self._features]
        return np.where(np.isnan(at), self._usual, at)
