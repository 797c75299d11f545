"""The fit of one scorecard: learners that share the features' intervals, their mean, and steps for every threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atraso.core.scorecard import ANCHOR, THRESHOLDS_MINUTES, Steps
from atraso.training.learners import stumps
from atraso.training.learners.lesson import Cut, Floats, Ints, Lesson, Terms, mean_of
from atraso.training.recipe import Part, recency_weights

# The other thresholds start from a scaled copy of the anchor's scorecard and learn only where they differ from it.
FURTHER = {**stumps.PARAMETERS, "learning_rate": 0.1}
FURTHER_ROUNDS = 100


def fit_steps(
    names: Sequence[str], matrix: Floats, delay_minutes: Floats, days: Ints, parts: Sequence[Part]
) -> tuple[Floats, tuple[Steps, ...]]:
    """Fit every threshold; return bias (thresholds,) and one `Steps` per feature that matters.

    *matrix* is (flights, features) in the order of *names*, NaN where unknown; *days* are local days since 1970. The
    anchor threshold is the weighted mean of the *parts*.
    """
    labels = delay_minutes[:, None] > np.array(THRESHOLDS_MINUTES)
    cut = Cut.of(matrix)
    places = cut.places(matrix)
    shelf: dict[str, Any] = {}

    def lesson(part: Part, threshold: int) -> Lesson:
        return Lesson(cut, places, labels[:, threshold], days, recency_weights(days, part.memory_days), shelf)

    learnt = [part.learn(lesson(part, ANCHOR)) for part in parts]
    anchor = mean_of(learnt, [part.weight for part in parts]).with_unknown_as_usual(places)
    score = anchor.log_odds(places)
    thresholds = []
    for k in range(len(THRESHOLDS_MINUTES)):
        if k == ANCHOR:
            thresholds.append(anchor)
            continue
        further = lesson(parts[0], k)
        shift, slope = fit_line(score, further.late, further.weight)
        booster = stumps.boosted(further, FURTHER, FURTHER_ROUNDS, shift + slope * score)
        more = stumps.terms_of(booster, cut).with_unknown_as_usual(places)
        values = tuple(slope * a + b for a, b in zip(anchor.values, more.values, strict=True))
        thresholds.append(Terms(shift + slope * anchor.bias + more.bias, values))
    bias = np.array([terms.bias for terms in thresholds])
    columns = [np.column_stack(values) for values in zip(*(terms.values for terms in thresholds), strict=True)]
    steps = [_steps(name, edges, column) for name, edges, column in zip(names, cut.edges, columns, strict=True)]
    return bias, tuple(step for step in steps if step.values.any())


def fit_line(score: Floats, label: NDArray[np.bool_], weight: Floats | None = None) -> tuple[float, float]:
    """Return (shift, slope) of the logistic regression of *label* on *score* alone, by Newton's method.

    This is Platt's calibration (1999); it starts from slope 1 and needs both classes to be present. *weight* says how
    much each row counts (all alike if None).
    """
    weight = np.ones(len(score)) if weight is None else weight
    rate = float(np.clip(np.average(label, weights=weight), 1e-6, 1 - 1e-6))
    place = np.array([np.log(rate / (1 - rate)) - np.average(score, weights=weight), 1.0])
    loss = _loss(place, score, label, weight)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(place[0] + place[1] * score, -40, 40)))
        w = weight * p * (1 - p)
        gradient = np.array([(weight * (p - label)).sum(), (weight * (p - label) * score).sum()])
        hessian = np.array([[w.sum(), (w * score).sum()], [(w * score).sum(), (w * score * score).sum()]])
        step = np.linalg.solve(hessian + np.eye(2) * 1e-9, gradient)
        while (ahead := _loss(place - step, score, label, weight)) > loss and np.abs(step).max() > 1e-12:
            step /= 2  # Newton's step may go too far where the score is far from the truth
        place, loss = place - step, ahead
        if np.abs(step).max() < 1e-10:
            break
    return float(place[0]), float(place[1])


def _loss(place: Floats, score: Floats, label: NDArray[np.bool_], weight: Floats) -> float:
    z = place[0] + place[1] * score
    return float((weight * (np.logaddexp(0.0, z) - label * z)).sum())


def _steps(name: str, edges: Floats, columns: Floats) -> Steps:
    """Return the steps of one feature; neighbours on which every threshold's numbers are equal become one."""
    values = columns[:-1]
    differs = (values[1:] != values[:-1]).any(axis=1)
    return Steps(name, edges[differs], values[np.concatenate([[True], differs])], columns[-1])
