"""The candidates by name, the simplest first: where two are as good, the earlier one wins."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from atraso.core.errors import MissingExtraError, SettingsError
from atraso.training.candidates import (
    boosting_machine,
    catboost_trees,
    lightgbm_trees,
    reference,
    splines,
    xgboost_trees,
)
from atraso.training.candidates.candidate import Candidate

SCORECARD = "scorecard"
LEARNERS = ("catboost", "interpret", "lightgbm", "sklearn", "xgboost")

CANDIDATES = (
    Candidate("reference", True, "logistic, one-hot airline + type + month, no class weights", reference.fit),
    Candidate(
        "splines",
        True,
        f"logistic on cubic splines of {splines.KNOTS} knots, ridge C={splines.C}; cut for memory: learns from at most "
        f"{splines.MOST_ROWS:,} flights",
        splines.fit,
    ),
    Candidate(SCORECARD, True, "the product's own recipe exactly as shipped, with its own calibration"),
    Candidate(
        "stumps",
        True,
        "LightGBM, 2 leaves: 900 x 0.06",
        partial(lightgbm_trees.fit, form=lightgbm_trees.STUMPS, rounds=900),
    ),
    Candidate(
        "EBM",
        True,
        "4 bags of whole weeks, 24 bins, no interactions; cut for time: the 60 features of most gain, rate 0.03",
        partial(boosting_machine.fit, features=60, rounds=1000),
    ),
    Candidate("additive blend", True, "mean log-odds of splines, stumps and EBM", members=("splines", "stumps", "EBM")),
    Candidate(
        "pairs",
        False,
        "LightGBM, depth 2: 750 x 0.03",
        partial(lightgbm_trees.fit, form=lightgbm_trees.PAIRS, rounds=750),
    ),
    Candidate(
        "15 leaves",
        False,
        "LightGBM, 15 leaves: 250 x 0.03",
        partial(lightgbm_trees.fit, form=lightgbm_trees.LEAVES_15, rounds=250),
    ),
    Candidate(
        "31 leaves",
        False,
        "LightGBM, 31 leaves: 400 x 0.03",
        partial(lightgbm_trees.fit, form=lightgbm_trees.LEAVES_31, rounds=400),
    ),
    Candidate(
        "extra trees",
        False,
        "LightGBM, 31 leaves, random thresholds: 300 x 0.03",
        partial(lightgbm_trees.fit, form=lightgbm_trees.EXTRA, rounds=300),
    ),
    Candidate(
        "XGBoost",
        False,
        "depth 5; cut for time: 200 x 0.06 instead of 300 x 0.04",
        partial(xgboost_trees.fit, rounds=200),
    ),
    Candidate(
        "CatBoost",
        False,
        "depth 6, numbers only; cut for time: 330 x 0.06 instead of 500 x 0.04, 15 % of the features a split",
        partial(catboost_trees.fit, rounds=330),
    ),
    Candidate("pairs blend", False, "mean log-odds of pairs and extra trees", members=("pairs", "extra trees")),
    Candidate(
        "tree blend",
        False,
        "mean log-odds of pairs, 15 leaves, extra trees, XGBoost and CatBoost",
        members=("pairs", "15 leaves", "extra trees", "XGBoost", "CatBoost"),
    ),
)


def chosen(names: tuple[str, ...]) -> tuple[Candidate, ...]:
    """Return the candidates called *names* with the members of blends, the simplest first; all of them for no name.

    Raises SettingsError for a name nobody has and MissingExtraError where a learner is not installed.
    """
    known = {candidate.name: candidate for candidate in CANDIDATES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingsError(f"no candidate is called {unknown[0]!r}; there are: {', '.join(known)}")
    if not all(find_spec(learner) for learner in LEARNERS):
        raise MissingExtraError("Comparing candidates", "train")
    wanted = {member for name in names for member in (name, *known[name].members)} or set(known)
    return tuple(candidate for candidate in CANDIDATES if candidate.name in wanted)
