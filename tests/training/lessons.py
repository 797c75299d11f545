"""Flights to learn from: four features, two of them with gaps, and delays that depend on three."""

import numpy as np

NAMES = ["rate.airline", "rate.route", "minute_of_day", "late.airport.60m"]


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features (two with gaps) and delays that depend on them."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.random(n), rng.random(n), rng.integers(0, 1440, n), rng.random(n)])
    x[rng.random(n) < 0.1, 3] = np.nan
    x[rng.random(n) < 0.05, 1] = np.nan
    push = 20 * x[:, 0] + np.where(x[:, 2] > 700, 8, 0) + np.nan_to_num(10 * x[:, 3], nan=4)
    return x, push + rng.exponential(15, n) - 20


def unseen(n: int, seed: int) -> np.ndarray:
    """Return features beyond the range of training, with gaps also where training had none."""
    fresh, _ = rows(n, seed)
    fresh *= 3.0
    fresh[::7, 0] = np.nan
    fresh[::11, 2] = -5.0
    fresh[::13, :] = np.nan
    fresh[::17, 1] = np.inf
    return fresh
