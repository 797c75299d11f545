"""Logistic regression on splines: each feature a smooth curve, the sum of the curves the log-odds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from atraso.core.errors import MissingExtraError
from atraso.training.learners.lesson import Floats, Lesson, Places, Terms, interval_of

KNOTS = 5
# The inverse of the ridge penalty on unscaled curves, chosen like the rest on the months May to September of 2017.
INVERSE_PENALTY = 0.005
ITERATIONS = 500
# Of more flights every second, third ... is used: the curves of so many take a gigabyte.
MOST_FLIGHTS = 400_000


def learn(lesson: Lesson) -> Terms:
    """Fit cubic splines with knots at quantiles, flat beyond the range seen; unknown values take the mean.

    A feature with fewer distinct quantiles than knots (a count, a yes or no) stays a straight line.
    """
    try:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
        from threadpoolctl import threadpool_limits  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("Training", "train") from error
    used = slice(None, None, -(-len(lesson.places) // MOST_FLIGHTS))
    curves = [
        _curves(means, _flights_in(lesson.places[used, feature], len(means)))
        for feature, means in enumerate(lesson.cut.means)
    ]
    model: Any = LogisticRegression(C=INVERSE_PENALTY, max_iter=ITERATIONS)
    with threadpool_limits(1):  # several threads add up in another order every time
        model.fit(design(curves, lesson.places[used]), lesson.late[used], sample_weight=lesson.weight[used])
    weights = np.split(model.coef_[0].astype(np.float64), np.cumsum([curve.shape[1] for curve in curves])[:-1])
    values = tuple(curve @ weight for curve, weight in zip(curves, weights, strict=True))
    return Terms(float(model.intercept_[0]), values)


def design(curves: list[Floats], places: Places) -> NDArray[np.float32]:
    """Return the columns of the regression; in single precision, for there are hundreds."""
    parts = [curve.astype(np.float32)[interval_of(places[:, j], len(curve) - 1)] for j, curve in enumerate(curves)]
    return np.concatenate(parts, axis=1)


def _curves(means: Floats, flights: Floats) -> Floats:
    """Return the curves of one feature at its intervals, each less its mean; the last row, for unknown, is 0."""
    from sklearn.preprocessing import SplineTransformer  # noqa: PLC0415

    if not flights.sum() or len(means) < 2:
        return np.zeros((len(means) + 1, 1))
    at = (means - means[0]) / (means[-1] - means[0])
    reached = np.cumsum(flights) / flights.sum()
    knots = at[np.minimum(np.searchsorted(reached, np.linspace(0, 1, KNOTS)), len(at) - 1)]
    if (np.diff(knots) > 0).all():
        spline = SplineTransformer(knots=knots[:, None], extrapolation="constant").fit(knots[:, None])
        curves = spline.transform(at[:, None])
    else:
        curves = at[:, None]
    centred = curves - np.average(curves, axis=0, weights=flights)
    return np.vstack([centred, np.zeros(centred.shape[1])])


def _flights_in(places: Places, intervals: int) -> Floats:
    return np.bincount(interval_of(places, intervals), minlength=intervals + 1)[:intervals].astype(np.float64)
