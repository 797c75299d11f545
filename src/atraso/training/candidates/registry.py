"""The candidates by name, the simplest first: where two are as good, the earlier one wins.

Every additive candidate would be shipped as the same table and be read in the same time, so the scorecard comes before
its own parts: alone, none of them is simpler to anybody but the trainer.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from atraso.core.errors import MissingExtraError, SettingsError
from atraso.training.candidates import catboost_trees, lightgbm_trees, one_learner, reference, xgboost_trees
from atraso.training.candidates.candidate import Candidate
from atraso.training.learners import boosting_machine, splines, stumps

SCORECARD = "scorecard"
LEARNERS = ("catboost", "interpret", "lightgbm", "sklearn", "xgboost")

CANDIDATES = (
    Candidate("reference", True, "logistic, one-hot airline + type + month, no class weights", reference.fit),
    Candidate(
        SCORECARD,
        True,
        "the product's own recipe exactly as shipped: stumps from the schedule, elsewhere the mean of stumps, splines "
        "and, near departure, the EBM, with its own calibration",
    ),
    Candidate(
        "splines",
        True,
        f"logistic on cubic splines of {splines.KNOTS} knots, ridge C={splines.INVERSE_PENALTY}; cut for memory: "
        f"learns from at most {splines.MOST_FLIGHTS:,} flights",
        partial(one_learner.fit, learn=splines.learn),
    ),
    Candidate(
        "stumps",
        True,
        "LightGBM, 2 leaves: 900 x 0.06",
        partial(one_learner.fit, learn=partial(stumps.learn, rounds=900)),
    ),
    Candidate(
        "EBM",
        True,
        f"{boosting_machine.BAGS} bags of whole weeks, {boosting_machine.BINS} bins, no interactions; cut for time: "
        f"the {boosting_machine.FEATURES} features of most gain, rate 0.03",
        partial(one_learner.fit, learn=boosting_machine.learn),
    ),
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
