"""Steps are the learner's own numbers, written down."""

import lightgbm
import numpy as np
import pytest

from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Scorecard
from atraso.training import fit
from atraso.training.fit import fit_line, fit_steps, read_stumps

NAMES = ["rate.airline", "rate.route", "minute_of_day", "late.airport.60m"]


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features (two with gaps) and delays that depend on them."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.random(n), rng.random(n), rng.integers(0, 1440, n), rng.random(n)])
    x[rng.random(n) < 0.1, 3] = np.nan
    x[rng.random(n) < 0.05, 1] = np.nan
    push = 20 * x[:, 0] + np.where(x[:, 2] > 700, 8, 0) + np.nan_to_num(10 * x[:, 3], nan=4)
    return x, push + rng.exponential(15, n) - 20


def test_the_steps_equal_the_learner_on_ten_thousand_rows_with_missing_and_unseen_values() -> None:
    """Read as steps, a booster of stumps gives its own raw scores, also for values and gaps it was never shown."""
    x, delay = rows(6000, 1)
    booster = lightgbm.train(
        {**fit.STUMPS, "min_child_samples": 20}, lightgbm.Dataset(x, (delay > 15).astype(float)), 200
    )
    bias, stumps = read_stumps(booster, len(NAMES))
    fresh, _ = rows(10_000, 2)
    fresh *= 3.0  # beyond the range of training
    fresh[::7, 0] = np.nan  # missing where training never was
    fresh[::11, 2] = -5.0
    total = np.full(len(fresh), bias)
    for feature, of_feature in stumps.items():
        steps = fit._steps(NAMES[feature], [of_feature] * len(THRESHOLDS_MINUTES))
        total += steps.at(fresh[:, feature])[:, ANCHOR]

    assert len(stumps) == len(NAMES)
    assert np.abs(total - booster.predict(fresh, raw_score=True)).max() < 1e-9


def test_every_threshold_is_fitted_to_its_own_rate() -> None:
    """The mean probability of each threshold on the training rows is the rate at which it was passed."""
    x, delay = rows(6000, 3)
    bias, steps = fit_steps(NAMES, x, delay, 300)
    card = Scorecard("1h", True, bias, steps, {}, {})
    log_odds = card.log_odds({name: x[:, i] for i, name in enumerate(NAMES)})

    for k, minutes in enumerate(THRESHOLDS_MINUTES):
        passed = (delay > minutes).mean()
        assert (1 / (1 + np.exp(-log_odds[:, k]))).mean() == pytest.approx(passed, abs=0.01), minutes


def test_a_fit_can_be_repeated_bit_for_bit() -> None:
    """The same rows give the same numbers, every bit of them."""
    x, delay = rows(3000, 4)
    first, again = fit_steps(NAMES, x, delay, 300), fit_steps(NAMES, x, delay, 300)

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


def test_the_steps_of_every_threshold_equal_the_learners_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scorecard's log-odds are its boosters' raw scores on 10,000 rows with missing and unseen values.

    The anchor's are its own; every other threshold's are those of its booster on top of the scaled anchor's.
    """
    boosters: list[lightgbm.Booster] = []
    learn = lightgbm.train

    def recorded(*arguments: object, **named: object) -> lightgbm.Booster:
        boosters.append(learn(*arguments, **named))
        return boosters[-1]

    monkeypatch.setattr(lightgbm, "train", recorded)
    x, delay = rows(6000, 6)
    bias, steps = fit_steps(NAMES, x, delay, 300)
    fresh, _ = rows(10_000, 7)
    fresh *= 3.0  # beyond the range of training
    fresh[::7, 0] = np.nan  # missing where training never was
    fresh[::11, 2] = -5.0
    fresh[::13, :] = np.nan
    fresh[::17, 1] = np.inf
    log_odds = Scorecard("1h", True, bias, steps, {}, {}).log_odds({n: fresh[:, i] for i, n in enumerate(NAMES)})

    anchor, *further = boosters
    others = [k for k in range(len(THRESHOLDS_MINUTES)) if k != ANCHOR]
    start = anchor.predict(fresh, raw_score=True)
    assert np.abs(log_odds[:, ANCHOR] - start).max() < 1e-9
    for k, booster in zip(others, further, strict=True):
        # LightGBM keeps a booster's init_score out of its predictions
        shift, slope = fit_line(anchor.predict(x, raw_score=True), delay > THRESHOLDS_MINUTES[k])
        learnt = booster.predict(fresh, raw_score=True)

        assert np.abs(learnt).max() > 1e-3, "this threshold learnt nothing of its own"
        assert np.abs(log_odds[:, k] - (shift + slope * start + learnt)).max() < 1e-9, THRESHOLDS_MINUTES[k]
