"""Each learner's table is the learner itself: equal on rows with missing and unseen values, to the last digits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from atraso.training.learners import boosting_machine, splines, stumps
from atraso.training.learners.lesson import Cut, Lesson, mean_of
from tests.training.lessons import rows, unseen

ROWS = 10_000


def lesson(n: int = 5000, seed: int = 1) -> Lesson:
    """Return a lesson of *n* flights, forty a day, the later ones counting more."""
    x, delay = rows(n, seed)
    cut = Cut.of(x)
    weight = np.linspace(0.5, 1.5, n)
    return Lesson(cut, cut.places(x), delay > 15, 17_000 + np.arange(n) // 40, weight)


def test_the_table_of_stumps_equals_lightgbm() -> None:
    """Read as a table, a booster of stumps gives its own raw scores on top of the late rate it started from."""
    given = lesson()
    places = given.cut.places(unseen(ROWS, 2))
    booster = stumps.boosted(given, stumps.PARAMETERS, 200, stumps.usual(given))
    said = stumps.learn(given, rounds=200).log_odds(places)

    assert np.ptp(said) > 0.5
    assert np.abs(said - stumps.usual(given)[0] - booster.predict(places, raw_score=True)).max() < 1e-9


def test_the_table_of_curves_equals_the_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as a table, the logistic regression gives its own decision function."""
    models: list[LogisticRegression] = []
    fit = LogisticRegression.fit

    def recorded(model: LogisticRegression, *arguments: object, **named: object) -> LogisticRegression:
        models.append(model)
        return fit(model, *arguments, **named)

    given = lesson()
    shapes: list[list[np.ndarray]] = []
    design = splines.design
    monkeypatch.setattr(splines, "design", lambda made, places: (shapes.append(made), design(made, places))[1])
    monkeypatch.setattr(LogisticRegression, "fit", recorded)
    places = given.cut.places(unseen(ROWS, 3))
    said = splines.learn(given).log_odds(places)
    exact = np.concatenate(
        [
            curve[np.where(np.isnan(p), len(curve) - 1, p).astype(int)]
            for curve, p in zip(shapes[0], places.T, strict=True)
        ],
        axis=1,
    )

    assert np.ptp(said) > 0.5
    assert np.abs(said - models[0].decision_function(exact)).max() < 1e-9


def test_the_table_of_the_boosting_machine_equals_interpret() -> None:
    """Read as a table, the boosting machine gives its own decision function."""
    given = lesson()
    places = given.cut.places(unseen(ROWS, 4))
    model = boosting_machine.fitted(given, [0, 1, 2, 3])
    said = boosting_machine.learn(given).log_odds(places)

    assert np.ptp(said) > 0.5
    assert np.abs(said - model.decision_function(places.astype(np.float64))).max() < 1e-9


def test_the_boosting_machine_reads_the_features_of_most_gain_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for two features, those that say nothing stay at zero."""
    monkeypatch.setattr(boosting_machine, "FEATURES", 2)
    values = boosting_machine.learn(lesson()).values

    assert [bool(column.any()) for column in values] == [True, False, True, False]


def test_a_week_is_never_torn_between_learning_and_stopping() -> None:
    """All flights of a week are on the same side of a bag, and every bag holds some weeks back."""
    days = np.repeat(np.arange(17_000, 17_140), 3)
    bags = boosting_machine.week_bags(days)

    for bag in bags.T:
        assert set(bag.tolist()) == {1, -1}
        assert all(len(set(bag[days // 7 == week].tolist())) == 1 for week in np.unique(days // 7))


def test_every_interval_holds_flights_and_equal_values_are_never_torn() -> None:
    """Counts, constants and gaps are cut as they come; a feature never known has one interval."""
    rng = np.random.default_rng(8)
    x = np.column_stack([rng.integers(0, 3, 900), np.full(900, 7.0), np.full(900, np.nan), rng.exponential(5, 900)])
    cut = Cut.of(x)
    places = cut.places(x)

    assert [len(edges) for edges in cut.edges[:3]] == [2, 0, 0]
    assert np.isnan(places[:, 2]).all()
    for feature in (0, 1, 3):
        assert set(places[:, feature].tolist()) == set(range(len(cut.edges[feature]) + 1))
        assert (np.diff(cut.means[feature]) > 0).all()


def test_a_mean_of_tables_is_the_mean_of_their_log_odds() -> None:
    """Weighted, and over the bias too."""
    given = lesson(1500)
    one, other = splines.learn(given), stumps.learn(given, rounds=30)
    mean = mean_of([one, other], [3, 1])

    expected = 0.75 * one.log_odds(given.places) + 0.25 * other.log_odds(given.places)
    assert np.abs(mean.log_odds(given.places) - expected).max() < 1e-12
