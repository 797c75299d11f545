"""The flight-delay challenge's own model: airline, type of flight and month, as a table of probabilities.

Three facts are not enough for the scorecard; the challenge's clients send no others. Learnt from the same flights by a
ridge-penalised logistic regression on the one-hot columns (no class weights: the numbers are probabilities).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atraso.core.errors import MissingExtraError
from atraso.core.scores import best_f1_threshold
from atraso.sources.reading import ChallengeRows

Floats = NDArray[np.float64]

TYPES = ("I", "N")
MONTHS = 12
RIDGE = 3.0

ChallengeTable = dict[str, dict[str, tuple[float, ...]]]


def learn_challenge(rows: ChallengeRows) -> tuple[ChallengeTable, float]:
    """Return airline -> type -> twelve probabilities, and the threshold of best F1 on the same flights.

    The same numbers on one core and on many.
    """
    try:
        from threadpoolctl import threadpool_limits  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("Training", "train") from error
    with threadpool_limits(1):  # several threads add up in another order
        return _learnt(rows)


def _learnt(rows: ChallengeRows) -> tuple[ChallengeTable, float]:
    airlines = sorted({str(name) for name in rows.airline_name})
    place = {name: i for i, name in enumerate(airlines)}
    airline = np.array([place[str(name)] for name in rows.airline_name])
    kind = (rows.flight_type == TYPES[0]).astype(np.int64)
    weights = _ridge_logistic(_one_hot(airline, kind, rows.month, len(airlines)), rows.delayed)
    table: ChallengeTable = {}
    for name in airlines:
        of_airline = {}
        for k, kind_name in enumerate(TYPES):
            grid = _one_hot(
                np.full(MONTHS, place[name]), np.full(MONTHS, 1 - k), np.arange(1, MONTHS + 1), len(airlines)
            )
            of_airline[kind_name] = tuple(_sigmoid(grid @ weights).tolist())
        table[name] = of_airline
    fitted = _sigmoid(_one_hot(airline, kind, rows.month, len(airlines)) @ weights)
    return table, best_f1_threshold(rows.delayed, fitted)


def _one_hot(airline: NDArray[np.int64], kind: NDArray[np.int64], month: NDArray[np.int64], n: int) -> Floats:
    columns = np.zeros((len(airline), 1 + n + 1 + MONTHS))
    rows = np.arange(len(airline))
    columns[:, 0] = 1.0
    columns[rows, 1 + airline] = 1.0
    columns[:, 1 + n] = kind
    columns[rows, 2 + n + month - 1] = 1.0
    return columns


def _ridge_logistic(x: Floats, late: NDArray[np.bool_]) -> Floats:
    """Return the weights by Newton's method; the first column (the constant) is not penalised."""
    penalty = np.full(x.shape[1], RIDGE)
    penalty[0] = 1e-6
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = _sigmoid(x @ weights)
        gradient = x.T @ (p - late) + penalty * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-10:
            break
    return weights


def _sigmoid(log_odds: Floats) -> Floats:
    p: Floats = 1.0 / (1.0 + np.exp(-log_odds))
    return p
