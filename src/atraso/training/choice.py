"""The choice among candidates at one lead, from what each said of months it had not seen.

All are put on one footing, the product's: the log-odds of a month are calibrated in their spread by what the same
candidate said of the last quarter of the months before, months it had not seen either; at the schedule's lead they
are averaged over a month's luck. Comparing raw log-odds would judge a learner by how far its defaults happen to shrink,
and that is what the product corrects anyway. The scorecard brings its own calibration, made by the same rule inside its
training.

The best has the lowest log loss. The winner is the simplest whose distance to the best is within one standard error
of that distance, over whole days and paired: the standard error of a log loss alone is the luck of the days, which
all candidates share, and by it nearly everything is as good as anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atraso.core.day_blocks import DayBlocks, Estimate
from atraso.core.flights import DELAYED_AFTER_MINUTES
from atraso.core.leads import SCHEDULE
from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES
from atraso.core.scores import auc, brier_score, ece, log_loss
from atraso.training.calibrate import EVENED, spread_lines
from atraso.training.candidates.candidate import Candidate
from atraso.training.candidates.registry import SCORECARD

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labels = NDArray[np.bool_]
ByMonth = Mapping[int, Floats]

# A candidate with interactions that is better than the scorecard by more AUC than this makes pairs worth shipping.
PAIRS_WORTH_AUC = 0.005
CALIBRATION_PART = 4  # the last quarter of what came before, as in training


@dataclass(frozen=True, slots=True)
class Month:
    """What happened in one month: per flight whether it left late and on which day; the late rate before it."""

    late: Labels
    days: Ints
    base_rate: float


@dataclass(frozen=True, slots=True)
class Scored:
    """One candidate's scores; `to_best` is its log loss less that of the best, on the same draws of days."""

    name: str
    additive: bool
    log_loss: Estimate
    to_best: Estimate
    log_loss_raw: float
    auc: float
    brier_skill: float
    ece: float
    fit_cpu_s: float


@dataclass(frozen=True, slots=True)
class Interacting:
    """The candidate with interactions that has most AUC, and how much more than the scorecard, paired by days."""

    name: str
    auc_gain: Estimate

    @property
    def worth_pairs(self) -> bool:
        """Whether the gain is large enough for pairs to be shipped."""
        return self.auc_gain.value > PAIRS_WORTH_AUC


@dataclass(frozen=True, slots=True)
class Choice:
    """The candidates at one lead in the order of simplicity; `failed` maps those without scores to the reason."""

    lead: str
    months: tuple[int, ...]
    n: int
    late_rate: float
    candidates: tuple[Scored, ...]
    best: str
    chosen: str
    interacting: Interacting | None
    failed: Mapping[str, str]

    def in_words(self) -> list[str]:
        """Return sentences: the simplest that is good enough, whether interactions are worth having, what failed."""
        words = [f"{self.lead}: the simplest within one standard error of the best ({self.best}) is {self.chosen}."]
        if self.interacting is None:
            words.append(f"{self.lead}: the scorecard was not compared with a candidate that has interactions.")
        else:
            gain, worth = self.interacting.auc_gain, self.interacting.worth_pairs
            unsure = "" if gain.low > PAIRS_WORTH_AUC else ", though the interval holds the margin"
            words.append(
                f"{self.lead}: the best candidate with interactions ({self.interacting.name}) "
                f"{'beats' if worth else 'does not beat'} the scorecard by more than {PAIRS_WORTH_AUC} AUC: "
                f"{gain.value:+.4f} [{gain.low:+.4f} {gain.high:+.4f}]"
                f"{'; pairs are to be shipped' + unsure if worth else ''}."
            )
        return words + [f"{self.lead}: {name} has no scores: {why}" for name, why in self.failed.items()]


def months_to_calibrate(months: Sequence[int], month: int) -> list[int]:
    """Return the last quarter, rounded up, of those of the rising *months* that come before *month*."""
    before = [m for m in months if m < month]
    return before[len(before) - -(-len(before) // CALIBRATION_PART) :]


def choose(
    lead: str,
    *,
    months: Sequence[int],
    judged: Sequence[int],
    truth: Mapping[int, Month],
    candidates: Sequence[Candidate],
    said: Mapping[str, ByMonth],
    fit_cpu_s: Mapping[str, float],
    failed: Mapping[str, str],
) -> Choice:
    """Score the *candidates* over the *judged* months and choose.

    *said* has the raw log-odds of each fitted candidate by month: those judged and those they are calibrated by.
    *months* are all months that may take part, *failed* candidates are left out with the blends they belong to.
    """
    failed = dict(failed)
    for candidate in candidates:
        gone = [member for member in candidate.members if member in failed]
        if gone:
            failed[candidate.name] = f"its member {gone[0]} failed"
    able = [candidate for candidate in candidates if candidate.name not in failed]
    late = np.concatenate([truth[m].late for m in judged])
    blocks = DayBlocks(np.concatenate([truth[m].days for m in judged]))
    base_rate = np.concatenate([np.full(len(truth[m].late), truth[m].base_rate) for m in judged])
    reference = float(np.mean((base_rate - late) ** 2))
    probabilities, raw = {}, {}
    for candidate in able:
        log_odds = _mean_of(candidate, said)
        raw[candidate.name] = _probability(np.concatenate([log_odds[m] for m in judged]))
        shipped: ByMonth
        if candidate.as_shipped:
            shipped = log_odds
        elif lead == SCHEDULE.name:
            shipped = {m: EVENED * log_odds[m] for m in judged}
        else:
            shipped = {m: _calibrated(log_odds, truth, months, m) for m in judged}
        probabilities[candidate.name] = _probability(np.concatenate([shipped[m] for m in judged]))
    losses = {name: _losses(late, p) for name, p in probabilities.items()}
    best = min(losses, key=lambda name: float(losses[name].mean()))
    scored = tuple(
        Scored(
            name=candidate.name,
            additive=candidate.additive,
            log_loss=blocks.mean(losses[candidate.name]),
            to_best=blocks.mean(losses[candidate.name] - losses[best]),
            log_loss_raw=log_loss(late, raw[candidate.name]),
            auc=auc(late, probabilities[candidate.name]),
            brier_skill=1.0 - brier_score(late, probabilities[candidate.name]) / reference,
            ece=ece(late, probabilities[candidate.name]),
            fit_cpu_s=sum(fit_cpu_s[name] for name in candidate.members or (candidate.name,)),
        )
        for candidate in able
    )
    return Choice(
        lead=lead,
        months=tuple(judged),
        n=len(late),
        late_rate=float(late.mean()),
        candidates=scored,
        best=best,
        chosen=next(s.name for s in scored if s.name == best or s.to_best.value <= s.to_best.se),
        interacting=_interacting(scored, blocks, late, probabilities),
        failed=failed,
    )


def _interacting(
    scored: Sequence[Scored], blocks: DayBlocks, late: Labels, probabilities: Mapping[str, Floats]
) -> Interacting | None:
    auc_of = {s.name: s.auc for s in scored}
    rivals = [s.name for s in scored if not s.additive]
    if not rivals or SCORECARD not in auc_of:
        return None
    rival = max(rivals, key=auc_of.__getitem__)
    drawn = blocks.auc(late, probabilities[rival]) - blocks.auc(late, probabilities[SCORECARD])
    return Interacting(rival, Estimate.of(auc_of[rival] - auc_of[SCORECARD], drawn))


def _mean_of(candidate: Candidate, said: Mapping[str, ByMonth]) -> ByMonth:
    if not candidate.members:
        return said[candidate.name]
    parts = [said[member] for member in candidate.members]
    # an interrupted comparison has months that not every member has done
    done = set(parts[0]).intersection(*parts[1:])
    return {m: np.mean([part[m] for part in parts], axis=0) for m in done}


def _calibrated(log_odds: ByMonth, truth: Mapping[int, Month], months: Sequence[int], month: int) -> Floats:
    learnt_from = months_to_calibrate(months, month)
    score = np.concatenate([log_odds[m] for m in learnt_from])
    late = np.concatenate([truth[m].late for m in learnt_from])
    # told only as late or not, the delays leave one threshold to learn
    delay = np.where(late, DELAYED_AFTER_MINUTES + 1.0, float(DELAYED_AFTER_MINUTES))
    lines = spread_lines(np.repeat(score[:, None], len(THRESHOLDS_MINUTES), axis=1), delay)
    shift, slope = lines[ANCHOR]
    return np.asarray(shift + slope * log_odds[month], dtype=np.float64)


def _probability(log_odds: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)), dtype=np.float64)


def _losses(late: Labels, probability: Floats) -> Floats:
    p = np.clip(probability, 1e-15, 1 - 1e-15)
    return np.asarray(-np.where(late, np.log(p), np.log1p(-p)), dtype=np.float64)
