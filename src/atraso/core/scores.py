"""Scores of probabilities against what happened, used by training and by the ledger alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

ECE_BINS = 15
# With the true late rate of the day's other flights, which nobody can know, a model of SCL's flights the day before has
# 0.74; the best honest one an hour before has that too.
SUSPICIOUS_AUC = 0.80
LEAST_FLIGHTS_TO_SUSPECT = 1000


def brier_score(late: Labels, probability: Floats) -> float:
    """Return the mean squared distance between *probability* and what happened (Brier 1950)."""
    return float(np.mean((probability - late) ** 2))


def brier_skill(late: Labels, probability: Floats, base_rate: float | Floats) -> float:
    """Return 1 minus the Brier score over that of always saying *base_rate*; 0 is no skill, 1 is perfect.

    The base rate is one number, or one per flight.
    """
    return 1.0 - brier_score(late, probability) / float(np.mean((base_rate - late) ** 2))


def log_loss(late: Labels, probability: Floats) -> float:
    """Return the mean negative log-likelihood in nats; probabilities are clipped to 1e-15."""
    return float(np.mean(log_losses(late, probability)))


def log_losses(late: Labels, probability: Floats) -> Floats:
    """Return the negative log-likelihood of each in nats; probabilities are clipped to 1e-15."""
    p = np.clip(probability, 1e-15, 1 - 1e-15)
    return np.asarray(-np.where(late, np.log(p), np.log1p(-p)), dtype=np.float64)


def auc(late: Labels, score: Floats) -> float:
    """Return the chance that a late flight has the higher score, ties counting half; NaN if one class is empty."""
    n_late = int(late.sum())
    n_other = len(late) - n_late
    if n_late == 0 or n_other == 0:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last_rank = np.cumsum(counts)
    mean_rank = last_rank - (counts - 1) / 2.0
    return float((mean_rank[inverse][late].sum() - n_late * (n_late + 1) / 2.0) / (n_late * n_other))


def average_precision(late: Labels, score: Floats) -> float:
    """Return the precision averaged over the recall gained at each distinct score, highest first."""
    n_late = int(late.sum())
    if n_late == 0:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    hits = np.cumsum(late[order])
    last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    precision = hits[last_of_tie] / (last_of_tie + 1.0)
    recall_gain = np.diff(hits[last_of_tie], prepend=0) / n_late
    return float((precision * recall_gain).sum())


def ece(late: Labels, probability: Floats, bins: int = ECE_BINS) -> float:
    """Return the expected calibration error over *bins* of equal mass (Naeini et al. 2015)."""
    order = np.argsort(probability, kind="stable")
    total = len(order)
    error = 0.0
    for members in np.array_split(order, min(bins, total)):
        error += len(members) / total * abs(float(probability[members].mean()) - float(late[members].mean()))
    return error


def reliability(late: Labels, probability: Floats, bins: int = ECE_BINS) -> list[dict[str, float]]:
    """Return *bins* of equal mass (or one a flight): n, the mean probability `said`, the share that left `late`."""
    order = np.argsort(probability, kind="stable")
    return [
        {"n": len(rows), "said": float(probability[rows].mean()), "late": float(late[rows].mean())}
        for rows in np.array_split(order, min(bins, len(order)) or 1)
        if len(rows)
    ]


def best_f1_threshold(late: Labels, probability: Floats) -> float:
    """Return the probability above which calling a flight delayed gives the best F1 of the delayed class."""
    order = np.argsort(-probability, kind="stable")
    ordered = probability[order]
    hits = np.cumsum(late[order])
    last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    f1 = 2.0 * hits[last_of_tie] / (last_of_tie + 1 + late.sum())
    best = last_of_tie[int(np.argmax(f1))]
    below = ordered[best + 1] if best + 1 < len(ordered) else ordered[best]
    return float((ordered[best] + below) / 2.0)


def class_scores(late: Labels, called: Labels) -> dict[str, float]:
    """Return F1, precision and recall of the delayed class for flights *called* delayed; 0 where there are none."""
    hits = float((late & called).sum())
    n_late, n_called = float(late.sum()), float(called.sum())
    return {
        "f1": 2.0 * hits / (n_late + n_called) if n_late + n_called else 0.0,
        "precision": hits / n_called if n_called else 0.0,
        "recall": hits / n_late if n_late else 0.0,
    }


def score_card(late: Labels, probability: Floats, base_rate: float) -> dict[str, float]:
    """Return the scores every report shows, as fractions; skill is against always saying *base_rate*."""
    return {
        "n": len(late),
        "base_rate": float(late.mean()),
        "auc": auc(late, probability),
        "average_precision": average_precision(late, probability),
        "brier_score": brier_score(late, probability),
        "brier_skill": brier_skill(late, probability, base_rate),
        "log_loss": log_loss(late, probability),
        "ece": ece(late, probability),
    }


def leak_alarms(scores: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """Return a sentence for each of *scores* whose AUC is too good to be true, none where all is well.

    An AUC of 0.80 or more over at least a thousand flights is a leak until shown otherwise.
    """
    return tuple(
        f"{name}: AUC {found['auc']:.3f} is {SUSPICIOUS_AUC:.2f} or more: a leak until shown otherwise; look for a "
        "feature that knows when the flight, or its day, really left"
        for name, found in scores.items()
        if found["n"] >= LEAST_FLIGHTS_TO_SUSPECT and found["auc"] >= SUSPICIOUS_AUC
    )
