"""Each family learns what it should, reads what it may, and is additive where it says so."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from atraso.core.errors import SettingsError
from atraso.core.scores import auc
from atraso.training.candidates import catboost_trees, lightgbm_trees, one_learner, reference, xgboost_trees
from atraso.training.candidates.candidate import FACTS, Fit
from atraso.training.candidates.registry import CANDIDATES, SCORECARD, chosen
from atraso.training.learners import boosting_machine, splines, stumps

FEATURES = ("rate.airline", "minute_of_day", "late.airport.60m", "bridge")
NAMES = (*FEATURES, *FACTS)
SMALL = {"min_child_samples": 40, "learning_rate": 0.2, "feature_fraction": 0.8}

ADDITIVE = {
    "splines": partial(one_learner.fit, learn=splines.learn),
    "stumps": partial(one_learner.fit, learn=partial(stumps.learn, rounds=400)),
    "EBM": partial(one_learner.fit, learn=boosting_machine.learn),
}
INTERACTING = {
    "pairs": partial(lightgbm_trees.fit, form={**lightgbm_trees.PAIRS, **SMALL}, rounds=40),
    "extra trees": partial(lightgbm_trees.fit, form={**lightgbm_trees.EXTRA, **SMALL}, rounds=40),
    "XGBoost": partial(xgboost_trees.fit, rounds=60),
    "CatBoost": partial(catboost_trees.fit, rounds=60),
}
FEATURE_READERS = {**ADDITIVE, **INTERACTING}


def flights(n: int, seed: int, *, interaction: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a matrix with gaps and the facts at its end, lateness that depends on two features, and the days."""
    rng = np.random.default_rng(seed)
    minute = rng.integers(300, 1400, n)
    x = np.column_stack([rng.random(n), minute, rng.random(n), rng.random(n) < 0.1]).astype(float)
    latent = -2.0 + 2.5 * x[:, 0] + 1.5 * (minute > 900) + interaction * (x[:, 0] - 0.5) * np.sign(minute - 850)
    x[rng.random(n) < 0.05, 2] = np.nan
    airline = rng.integers(0, 5, n)
    facts = np.column_stack([airline, rng.integers(0, 2, n), rng.integers(1, 8, n)])
    late = rng.random(n) < 1 / (1 + np.exp(-(latent + 0.8 * (airline == 3))))
    return np.hstack([x, facts]), late, 17_000 + np.arange(n) * 200 // n


@pytest.mark.parametrize("name", FEATURE_READERS)
def test_a_family_learns_and_repeats_itself(name: str) -> None:
    """On rows it never saw, gaps included, its log-odds sort late flights first; fitted again, it says the same."""
    matrix, late, days = flights(3000, 1)
    asked, happened, _ = flights(3000, 2)
    fit: Fit = FEATURE_READERS[name]
    said = fit(NAMES, matrix, late, days, alike(matrix))(asked)
    level = 1 / (1 + np.exp(-said))

    assert auc(happened, said) > 0.68
    assert level.mean() == pytest.approx(happened.mean(), abs=0.04)
    np.testing.assert_array_equal(fit(NAMES, matrix, late, days, alike(matrix))(asked), said)


@pytest.mark.parametrize("name", FEATURE_READERS)
def test_the_facts_of_the_reference_are_nobody_elses(name: str) -> None:
    """Other airlines, types and months leave the log-odds as they were: no family can read the month."""
    matrix, late, days = flights(1500, 3)
    turned = matrix.copy()
    turned[:, len(FEATURES) :] = np.random.default_rng(4).permutation(matrix[:, len(FEATURES) :])
    fit: Fit = FEATURE_READERS[name]

    np.testing.assert_array_equal(
        fit(NAMES, matrix, late, days, alike(matrix))(matrix), fit(NAMES, turned, late, days, alike(turned))(turned)
    )


def test_the_reference_reads_its_three_facts_alone() -> None:
    """The features may be anything; a month and an airline it never learnt from are answered all the same."""
    matrix, late, days = flights(3000, 5)
    said = reference.fit(NAMES, matrix, late, days, alike(matrix))
    blind, unseen = matrix.copy(), matrix.copy()
    blind[:, : len(FEATURES)] = np.nan
    unseen[:, -1], unseen[:, -3] = 12, 99

    np.testing.assert_array_equal(said(matrix), said(blind))
    late_airline = matrix[:, len(FEATURES)] == 3
    assert said(matrix)[late_airline].mean() > said(matrix)[~late_airline].mean() + 0.3
    assert np.isfinite(said(unseen)).all()


def alike(matrix: np.ndarray) -> np.ndarray:
    """Return weights that make all rows count alike."""
    return np.ones(len(matrix))


@pytest.mark.parametrize("name", FEATURE_READERS)
def test_rows_of_no_weight_teach_nothing(name: str) -> None:
    """Where the rows that say the contrary hardly count, it is as if they were not there."""
    matrix, late, days = flights(2000, 8)
    both = np.vstack([matrix, matrix])
    contrary = np.concatenate([late, ~late])
    weight = np.concatenate([np.full(2000, 1.999), np.full(2000, 0.001)])
    said = FEATURE_READERS[name](NAMES, both, contrary, np.concatenate([days, days]), weight)(matrix)

    assert auc(late, said) > 0.68


def interaction_of(fit: Fit) -> float:
    """Return the greatest second difference in two features of what is fitted to flights that depend on both."""
    matrix, late, days = flights(4000, 6, interaction=6.0)
    predict = fit(NAMES, matrix, late, days, alike(matrix))

    def at(rate: float, minute: float) -> np.ndarray:
        rows = matrix[:300].copy()
        rows[:, 0], rows[:, 1] = rate, minute
        return predict(rows)

    return float(np.abs(at(0.9, 1300) - at(0.9, 400) - at(0.1, 1300) + at(0.1, 400)).max())


@pytest.mark.parametrize("name", ADDITIVE)
def test_an_additive_family_has_no_interaction(name: str) -> None:
    """What one feature does to the log-odds is the same whatever another one is: it can be written as a scorecard."""
    assert interaction_of(ADDITIVE[name]) < 1e-6


@pytest.mark.parametrize("name", INTERACTING)
def test_the_other_families_can_learn_an_interaction(name: str) -> None:
    """What one feature does depends on another, where the flights say so."""
    assert interaction_of(INTERACTING[name]) > 0.3


def test_splines_go_on_flat_beyond_what_was_seen() -> None:
    """A value far out counts as the farthest seen, and a gap as the usual value; a column never known is left out."""
    matrix, late, days = flights(2000, 7)
    matrix[:, 2] = np.nan
    predict = one_learner.fit(NAMES, matrix, late, days, alike(matrix), learn=splines.learn)
    rows = np.repeat(matrix[:1], 4, axis=0)
    rows[:, 0] = matrix[:, 0].max(), 50.0, 0.5, np.nan
    rows[1, 2] = 7.0
    said = predict(rows)

    assert said[0] == pytest.approx(said[1], abs=1e-9)
    assert said[2] == pytest.approx(said[3], abs=0.1)


def test_blends_follow_their_members_and_are_as_additive_as_they() -> None:
    """A blend comes after what it is made of, needs no fit of its own, and has interactions if a member has."""
    seen: dict[str, bool] = {}
    for candidate in CANDIDATES:
        assert (candidate.fit is None) == bool(candidate.members) or candidate.name == SCORECARD
        if candidate.members:
            assert set(candidate.members) <= set(seen)
            assert candidate.additive == all(seen[member] for member in candidate.members)
        seen[candidate.name] = candidate.additive
    assert next(iter(seen)) == "reference"
    assert [name for name, additive in seen.items() if additive] == list(seen)[: sum(seen.values())]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), [c.name for c in CANDIDATES]),
        (("pairs", "reference"), ["reference", "pairs"]),
        (("pairs blend",), ["pairs", "extra trees", "pairs blend"]),
    ],
)
def test_candidates_are_chosen_by_name_with_the_members_of_blends(
    names: tuple[str, ...], expected: Sequence[str]
) -> None:
    """No name is all of them; the order is that of simplicity, whatever the order of the names."""
    assert [candidate.name for candidate in chosen(names)] == expected


def test_a_candidate_nobody_knows_is_refused() -> None:
    """The sentence lists those there are."""
    with pytest.raises(SettingsError, match="called 'forest'; there are: reference, scorecard, splines"):
        chosen(("forest",))
