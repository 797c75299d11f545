"""The choice: one footing for all, the simplest that is good enough, and what interactions are worth."""

import numpy as np
import pytest

from atraso.core.scores import log_loss
from atraso.training import choice as choice_module
from atraso.training.calibrate import EVENED
from atraso.training.candidates.candidate import Candidate
from atraso.training.candidates.registry import SCORECARD
from atraso.training.choice import Choice, Month, choose, months_to_calibrate

MONTHS = (1, 2, 3, 4, 5, 6)
JUDGED = (4, 5, 6)


def nothing(*_: object) -> None:
    """Stand for the fit of a candidate whose answers are given."""


ORDER = (
    Candidate("plain", True, "", nothing),
    Candidate(SCORECARD, True, ""),
    Candidate("rich", False, "", nothing),
    Candidate("mix", False, "", members=("plain", "rich")),
)


def a_year(seed: int = 1) -> tuple[dict[int, Month], dict[int, np.ndarray]]:
    """Return what happened in the months, and the true log-odds of each flight."""
    rng = np.random.default_rng(seed)
    truth, odds = {}, {}
    for month in MONTHS:
        odds[month] = rng.normal(-1.3, 1.0, 3000)
        late = rng.random(3000) < 1 / (1 + np.exp(-odds[month]))
        truth[month] = Month(late, month * 30 + np.arange(3000) // 100, 0.25)
    return truth, odds


def noisy(odds: dict[int, np.ndarray], noise: float, seed: int, spread: float = 1.0) -> dict[int, np.ndarray]:
    """Return the log-odds as a model of that much noise would give them, spread about their mean."""
    rng = np.random.default_rng(seed)
    return {m: -1.3 + spread * (z + 1.3 + rng.normal(0, noise, len(z))) for m, z in odds.items()}


def chosen_of(said: dict[str, dict[int, np.ndarray]], lead: str = "1h", failed: dict[str, str] | None = None) -> Choice:
    truth, _ = a_year()
    order = [c for c in ORDER if c.name in said or c.members or c.name in (failed or {})]
    took = dict.fromkeys(said, 2.0)
    return choose(
        lead,
        months=MONTHS,
        judged=JUDGED,
        truth=truth,
        candidates=order,
        said=said,
        fit_cpu_s=took,
        failed=failed or {},
    )


def test_the_simplest_within_one_standard_error_of_the_best_wins() -> None:
    """A simpler one that is nearly as good as the best wins; one that is clearly worse does not."""
    _, odds = a_year()
    best = {SCORECARD: noisy(odds, 0.1, 2), "rich": noisy(odds, 0.1, 3)}
    nearly = chosen_of({"plain": {m: z + 0.02 for m, z in noisy(odds, 0.1, 4).items()}, **best})
    worse = chosen_of({"plain": noisy(odds, 1.5, 4), **best})

    assert nearly.best != "plain"
    assert 0 < nearly.candidates[0].to_best.value <= nearly.candidates[0].to_best.se
    assert nearly.chosen == "plain"
    assert worse.candidates[0].to_best.low > 0
    assert worse.chosen == SCORECARD
    assert all(s.to_best.value >= 0 for s in worse.candidates)
    assert worse.n == 9000


def test_the_distance_to_the_best_is_surer_than_the_log_loss() -> None:
    """Days that are bad for all are no doubt about who is better."""
    _, odds = a_year()
    choice = chosen_of({"plain": noisy(odds, 0.5, 2), "rich": noisy(odds, 0.1, 3)})
    plain = choice.candidates[0]

    assert plain.to_best.se < plain.log_loss.se / 2


def test_a_candidate_spread_too_far_is_put_right_by_months_it_had_not_seen() -> None:
    """Twice the spread costs log loss raw, next to nothing calibrated; the schedule's lead is only drawn to even."""
    _, odds = a_year()
    said = {"plain": noisy(odds, 0.3, 2), "rich": noisy(odds, 0.3, 2, spread=2.0)}
    plain, rich, _ = chosen_of(said).candidates
    of_schedule = chosen_of(said, lead="schedule").candidates
    raw = np.concatenate([said["rich"][m] for m in JUDGED])
    late = np.concatenate([a_year()[0][m].late for m in JUDGED])

    assert rich.log_loss_raw > plain.log_loss_raw + 0.05
    assert rich.log_loss.value == pytest.approx(plain.log_loss.value, abs=0.01)
    assert of_schedule[1].log_loss_raw == rich.log_loss_raw
    assert of_schedule[1].log_loss.value == pytest.approx(log_loss(late, 1 / (1 + np.exp(-EVENED * raw))))


@pytest.mark.parametrize(("turned_from", "same"), [(4, True), (3, False)])
def test_calibration_reads_no_month_that_is_judged_or_later(turned_from: int, same: bool) -> None:
    """Other outcomes in April or later leave what is said of April as it was; other outcomes in March do not."""
    truth, odds = a_year()
    said = noisy(odds, 0.3, 2, spread=2.0)
    turned = {m: Month(~t.late if m >= turned_from else t.late, t.days, t.base_rate) for m, t in truth.items()}
    before, after = (choice_module._calibrated(said, t, MONTHS, 4) for t in (truth, turned))

    assert np.array_equal(before, after) is same


def test_a_blend_is_the_mean_of_its_members_log_odds() -> None:
    """Two models whose noise is independent are better together; the blend's time is that of both."""
    _, odds = a_year()
    choice = chosen_of({"plain": noisy(odds, 0.8, 2), "rich": noisy(odds, 0.8, 3)})
    plain, rich, mix = choice.candidates

    assert mix.log_loss.value < min(plain.log_loss.value, rich.log_loss.value)
    assert mix.fit_cpu_s == 4.0


def test_a_candidate_that_failed_takes_its_blends_with_it_and_is_named() -> None:
    """The others are judged all the same."""
    _, odds = a_year()
    choice = chosen_of({"plain": noisy(odds, 0.3, 2)}, failed={"rich": "month 5: MemoryError"})

    assert [s.name for s in choice.candidates] == ["plain"]
    assert set(choice.failed) == {"rich", "mix"}
    assert "1h: rich has no scores: month 5: MemoryError" in choice.in_words()


@pytest.mark.parametrize(("noise", "worth"), [(1.2, True), (0.31, False)])
def test_interactions_are_worth_shipping_only_beyond_a_margin_of_auc(noise: float, worth: bool) -> None:
    """The words say whether the best candidate with interactions beats the scorecard by more than 0.005, how sure."""
    _, odds = a_year()
    choice = chosen_of({"plain": noisy(odds, 1.5, 4), SCORECARD: noisy(odds, noise, 2), "rich": noisy(odds, 0.3, 3)})
    rival = choice.interacting

    assert rival is not None
    assert rival.name == "rich"
    assert rival.worth_pairs is worth
    assert rival.auc_gain.low < rival.auc_gain.value < rival.auc_gain.high
    said = next(words for words in choice.in_words() if "interactions" in words)
    assert ("; pairs are to be shipped" in said) is worth
    assert ("does not beat the scorecard" in said) is not worth


def test_without_the_scorecard_nothing_is_said_of_beating_it() -> None:
    """The words say that it was not compared."""
    _, odds = a_year()
    choice = chosen_of({"plain": noisy(odds, 0.3, 2), "rich": noisy(odds, 0.3, 3)})

    assert choice.interacting is None
    assert any("was not compared" in words for words in choice.in_words())


@pytest.mark.parametrize(("month", "expected"), [(5, [4]), (6, [4, 5]), (9, [7, 8]), (2, [1]), (1, [])])
def test_the_last_quarter_of_what_came_before_calibrates(month: int, expected: list[int]) -> None:
    """A quarter of the months before, rounded up, the latest of them."""
    assert months_to_calibrate(range(1, 10), month) == expected
