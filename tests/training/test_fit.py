"""A scorecard is the mean of its learners at the anchor, and is fitted to its own rate at every threshold."""

from functools import partial

import numpy as np
import pytest

from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Scorecard
from atraso.training import fit
from atraso.training.fit import fit_line, fit_steps
from atraso.training.learners import boosting_machine, splines, stumps
from atraso.training.learners.lesson import Cut, Lesson
from atraso.training.recipe import Part, recency_weights
from tests.training.lessons import NAMES, rows

PARTS = (
    Part(partial(stumps.learn, rounds=120), 90, weight=2),
    Part(splines.learn, 365),
    Part(boosting_machine.learn, None),
)


def days_of(n: int) -> np.ndarray:
    """Return a day for each of *n* flights, thirty flights a day."""
    return 17_000 + np.arange(n) // 30


def test_the_anchor_is_the_weighted_mean_of_what_the_learners_say() -> None:
    """Each part learns with its own memory; their log-odds are averaged by weight, where nothing is unknown."""
    x, delay = rows(4000, 1)
    days = days_of(4000)
    bias, steps = fit_steps(NAMES, x, delay, days, PARTS)
    fresh = rows(10_000, 2)[0]
    fresh = np.nan_to_num(fresh, nan=0.4) * 1.5
    said = Scorecard("1h", True, bias, steps, {}, {}).log_odds({n: fresh[:, i] for i, n in enumerate(NAMES)})

    cut = Cut.of(x)
    places, late = cut.places(x), delay > 15
    alone = [
        part.learn(Lesson(cut, places, late, days, recency_weights(days, part.memory_days))).log_odds(cut.places(fresh))
        for part in PARTS
    ]
    assert np.abs(said[:, ANCHOR] - np.average(alone, axis=0, weights=(2, 1, 1))).max() < 1e-9
    assert np.abs(alone[0] - alone[1]).max() > 0.05, "the learners say the same: the mean shows nothing"


def test_what_is_unknown_counts_as_usual_whatever_training_saw_of_it() -> None:
    """A flight with a gap is moved by it neither up nor down, though all flights with gaps were late in training."""
    x, delay = rows(4000, 4)
    x[:, 3] = np.where(delay > 60, np.nan, x[:, 3])
    x[:400, 3] = np.nan
    _bias, steps = fit_steps(NAMES, x, delay, days_of(4000), PARTS[:2])
    (of_gap,) = [step for step in steps if step.feature == NAMES[3]]
    known = ~np.isnan(x[:, 3])

    assert of_gap.missing == pytest.approx(of_gap.at(x[known, 3]).mean(axis=0), abs=1e-9)


def test_every_threshold_is_fitted_to_its_own_rate() -> None:
    """The mean probability of each threshold on the training rows is the rate at which it was passed."""
    x, delay = rows(6000, 3)
    bias, steps = fit_steps(NAMES, x, delay, days_of(6000), PARTS[:2])
    card = Scorecard("1h", True, bias, steps, {}, {})
    log_odds = card.log_odds({name: x[:, i] for i, name in enumerate(NAMES)})

    for k, minutes in enumerate(THRESHOLDS_MINUTES):
        weight = recency_weights(days_of(6000), PARTS[0].memory_days)
        said = np.average(1 / (1 + np.exp(-log_odds[:, k])), weights=weight)
        assert said == pytest.approx(np.average(delay > minutes, weights=weight), abs=0.012), minutes


def test_a_fit_can_be_repeated_bit_for_bit() -> None:
    """The same rows give the same numbers, every bit of them."""
    x, delay = rows(3000, 4)
    first, again = (fit_steps(NAMES, x, delay, days_of(3000), PARTS) for _ in range(2))

    assert first[0].tobytes() == again[0].tobytes()
    assert [s.values.tobytes() for s in first[1]] == [s.values.tobytes() for s in again[1]]


def test_the_calibration_line_undoes_a_known_distortion() -> None:
    """Log-odds that were halved and shifted are put right by the fitted line."""
    rng = np.random.default_rng(5)
    true = rng.normal(-1.5, 1.2, 40_000)
    happened = rng.random(40_000) < 1 / (1 + np.exp(-true))
    shift, slope = fit_line(true / 2 + 0.7, happened)

    assert slope == pytest.approx(2.0, abs=0.08)
    assert shift == pytest.approx(-1.4, abs=0.08)


def test_every_other_threshold_is_the_scaled_anchor_and_what_its_own_stumps_add(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A threshold's log-odds are those of its booster on top of the anchor's, on 10,000 rows beyond those seen."""
    boosters, lines = [], []
    boosted = stumps.boosted

    def recorded(*arguments: object) -> object:
        boosters.append(boosted(*arguments))
        return boosters[-1]

    def recorded_line(*arguments: object) -> tuple[float, float]:
        lines.append(fit_line(*arguments))
        return lines[-1]

    x, delay = rows(6000, 6)
    monkeypatch.setattr(fit.stumps, "boosted", recorded)
    monkeypatch.setattr(fit, "fit_line", recorded_line)
    bias, steps = fit_steps(NAMES, x, delay, days_of(6000), (Part(splines.learn, None),))
    fresh = np.nan_to_num(rows(10_000, 7)[0], nan=0.3) * 3.0
    fresh[::17, 1] = np.inf
    log_odds = Scorecard("1h", True, bias, steps, {}, {}).log_odds({n: fresh[:, i] for i, n in enumerate(NAMES)})

    others = [k for k in range(len(THRESHOLDS_MINUTES)) if k != ANCHOR]
    for k, booster, (shift, slope) in zip(others, boosters, lines, strict=True):
        learnt = booster.predict(Cut.of(x).places(fresh), raw_score=True)  # its init_score is not in it

        assert np.abs(learnt).max() > 1e-3, "this threshold learnt nothing of its own"
        assert np.abs(log_odds[:, k] - (shift + slope * log_odds[:, ANCHOR] + learnt)).max() < 1e-9
