"""Boosted stumps (LightGBM): each tree asks one question of one feature, so their sum is a table per feature."""

from __future__ import annotations

from typing import Any

import numpy as np

from atraso.core.errors import MissingExtraError
from atraso.core.prediction import logit
from atraso.training.learners.lesson import SEED, Cut, Floats, Lesson, Terms

# One thread: with two, a fit waits for whichever core is shared with something else, and becomes several times slower
# than with one; and two fits in threads of one process crash, because LightGBM's thread count is the process's.
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 2,
    "learning_rate": 0.06,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "min_child_samples": 300,
    "lambda_l2": 50.0,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": SEED,
}


def learn(lesson: Lesson, *, rounds: int) -> Terms:
    """Fit *rounds* stumps on top of the late rate."""
    start = usual(lesson)
    terms = terms_of(boosted(lesson, PARAMETERS, rounds, start), lesson.cut)
    return Terms(float(start[0]) + terms.bias, terms.values)


def usual(lesson: Lesson) -> Floats:
    """Return the log-odds of the lesson's late rate, once for each flight: where boosting starts."""
    rate = np.clip(np.average(lesson.late, weights=lesson.weight), 1e-6, 1 - 1e-6)
    return np.full(len(lesson.late), logit(float(rate)))


def boosted(lesson: Lesson, parameters: dict[str, Any], rounds: int, start: Floats) -> Any:
    """Return a booster fitted on *lesson*, on top of the log-odds *start* (n,) that it does not itself hold."""
    try:
        import lightgbm  # noqa: PLC0415 - a learner loads only where one is trained
    except ModuleNotFoundError as error:
        raise MissingExtraError("Training", "train") from error
    data = lesson.shelf.get("lightgbm")
    if data is None:  # binning takes as long as two hundred stumps
        data = lesson.shelf["lightgbm"] = lightgbm.Dataset(lesson.places, params=PARAMETERS, free_raw_data=False)
    data.set_label(lesson.late.astype(np.float64)).set_weight(lesson.weight)
    data.set_init_score(start)
    return lightgbm.train(parameters, data, rounds)


def terms_of(booster: Any, cut: Cut) -> Terms:
    """Return a LightGBM booster of stumps on the places of *cut* as a table."""
    bias = 0.0
    values = [np.zeros(len(edges) + 2) for edges in cut.edges]
    for tree in booster.dump_model()["tree_info"]:
        node = tree["tree_structure"]
        if "leaf_value" in node:
            bias += node["leaf_value"]
            continue
        if node["decision_type"] != "<=":
            raise ValueError(f"not a numerical stump: {node}")
        left, right = float(node["left_child"]["leaf_value"]), float(node["right_child"]["leaf_value"])
        if node["missing_type"] == "NaN":
            unknown = left if node["default_left"] else right
        elif node["missing_type"] == "None":
            unknown = left if node["threshold"] >= 0 else right  # LightGBM reads NaN as 0 where training had none
        else:
            raise ValueError(f"zero as missing is not a table: {node}")
        of_feature, first_right = values[node["split_feature"]], int(np.floor(node["threshold"])) + 1
        of_feature[:first_right] += left
        of_feature[first_right:-1] += right
        of_feature[-1] += unknown
    return Terms(bias, tuple(values))
