"""Boosted stumps, turned into steps: each tree asks one question of one feature, so their sum is a scorecard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atraso.core.errors import MissingExtraError
from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Steps

Floats = NDArray[np.float64]

SEED = 20170101
# One thread: with two, a fit waits for whichever core is shared with something else, and becomes several times slower
# than with one; and two fits in threads of one process crash, because LightGBM's thread count is the process's.
STUMPS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 2,
    "learning_rate": 0.06,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "min_child_samples": 300,
    "lambda_l2": 50.0,
    "max_bin": 63,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": SEED,
}
# The other thresholds start from a scaled copy of the anchor's scorecard and learn only where they differ from it.
FURTHER = {**STUMPS, "learning_rate": 0.1}
FURTHER_ROUNDS = 100


def fit_steps(
    names: Sequence[str], matrix: Floats, delay_minutes: Floats, rounds: int, weight: Floats | None = None
) -> tuple[Floats, tuple[Steps, ...]]:
    """Fit the stumps of every threshold; return bias (thresholds,) and one `Steps` per feature that matters.

    *matrix* is (flights, features) in the order of *names*, NaN where unknown; *rounds* is the number of stumps at
    the anchor threshold; *weight* says how much each flight counts, 1 on average (all alike if None).
    """
    try:
        import lightgbm  # noqa: PLC0415 - a learner loads only where one is trained
    except ModuleNotFoundError as error:
        raise MissingExtraError("Training", "train") from error
    labels = delay_minutes[:, None] > np.array(THRESHOLDS_MINUTES)
    data = lightgbm.Dataset(
        matrix, labels[:, ANCHOR].astype(np.float64), weight=weight, params=STUMPS, free_raw_data=False
    )
    anchor = lightgbm.train(STUMPS, data, rounds)
    anchor_score: Floats = np.asarray(anchor.predict(matrix, raw_score=True, num_threads=1), dtype=np.float64)
    anchor_bias, anchor_stumps = read_stumps(anchor, len(names))
    biases, tables = [], []
    for k in range(len(THRESHOLDS_MINUTES)):
        if k == ANCHOR:
            biases.append(anchor_bias)
            tables.append(anchor_stumps)
            continue
        shift, slope = fit_line(anchor_score, labels[:, k], weight)
        # the start given here replaces LightGBM's own (the mean), so the trees hold the difference alone
        data.set_label(labels[:, k].astype(np.float64)).set_init_score(shift + slope * anchor_score)
        bias, stumps = read_stumps(lightgbm.train(FURTHER, data, FURTHER_ROUNDS), len(names))
        for feature, anchored in anchor_stumps.items():
            stumps.setdefault(feature, []).extend((e, slope * lo, slope * hi, slope * na) for e, lo, hi, na in anchored)
        biases.append(bias + shift + slope * anchor_bias)
        tables.append(stumps)
    steps = []
    for feature, name in enumerate(names):
        per_threshold = [table.get(feature, []) for table in tables]
        if any(per_threshold):
            steps.append(_steps(name, per_threshold))
    return np.array(biases), tuple(steps)


def fit_line(score: Floats, label: NDArray[np.bool_], weight: Floats | None = None) -> tuple[float, float]:
    """Return (shift, slope) of the logistic regression of *label* on *score* alone, by Newton's method.

    This is Platt's calibration (1999); it starts from slope 1 and needs both classes to be present. *weight* says how
    much each row counts (all alike if None).
    """
    weight = np.ones(len(score)) if weight is None else weight
    rate = float(np.clip(np.average(label, weights=weight), 1e-6, 1 - 1e-6))
    place = np.array([np.log(rate / (1 - rate)) - np.average(score, weights=weight), 1.0])
    loss = _loss(place, score, label, weight)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(place[0] + place[1] * score, -40, 40)))
        w = weight * p * (1 - p)
        gradient = np.array([(weight * (p - label)).sum(), (weight * (p - label) * score).sum()])
        hessian = np.array([[w.sum(), (w * score).sum()], [(w * score).sum(), (w * score * score).sum()]])
        step = np.linalg.solve(hessian + np.eye(2) * 1e-9, gradient)
        while (ahead := _loss(place - step, score, label, weight)) > loss and np.abs(step).max() > 1e-12:
            step /= 2  # Newton's step may go too far where the score is far from the truth
        place, loss = place - step, ahead
        if np.abs(step).max() < 1e-10:
            break
    return float(place[0]), float(place[1])


def _loss(place: Floats, score: Floats, label: NDArray[np.bool_], weight: Floats) -> float:
    z = place[0] + place[1] * score
    return float((weight * (np.logaddexp(0.0, z) - label * z)).sum())


Stump = tuple[float, float, float, float]  # edge, value at or below it, value above it, value where missing


def read_stumps(booster: Any, n_features: int) -> tuple[float, dict[int, list[Stump]]]:
    """Return a LightGBM booster of stumps as a bias and a list of stumps per feature index."""
    bias = 0.0
    stumps: dict[int, list[Stump]] = {}
    for tree in booster.dump_model()["tree_info"]:
        node = tree["tree_structure"]
        if "leaf_value" in node:
            bias += node["leaf_value"]
            continue
        if node["decision_type"] != "<=" or node["split_feature"] >= n_features:
            raise ValueError(f"not a numerical stump: {node}")
        edge = float(node["threshold"])
        left, right = float(node["left_child"]["leaf_value"]), float(node["right_child"]["leaf_value"])
        if node["missing_type"] == "NaN":
            missing = left if node["default_left"] else right
        elif node["missing_type"] == "None":
            missing = left if edge >= 0 else right  # LightGBM reads NaN as 0 where training had none
        else:
            raise ValueError(f"zero as missing is not a step: {node}")
        stumps.setdefault(node["split_feature"], []).append((edge, left, right, missing))
    return bias, stumps


def _steps(name: str, per_threshold: Sequence[Sequence[Stump]]) -> Steps:
    edges = np.unique([stump[0] for stumps in per_threshold for stump in stumps])
    values = np.zeros((len(edges) + 1, len(per_threshold)))
    missing = np.zeros(len(per_threshold))
    for k, stumps in enumerate(per_threshold):
        for edge, left, right, unknown in stumps:
            place = int(np.searchsorted(edges, edge))
            values[: place + 1, k] += left
            values[place + 1 :, k] += right
            missing[k] += unknown
    return Steps(name, edges, values, missing)
