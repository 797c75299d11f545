"""The scorer alone, in process: what one flight and ten thousand cost before any network."""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.core.flights import FlightTable
from benchmarks.questions import questions

REPEATS = 7
BATCH = 10_000


def measure(scorer: Scorer) -> dict[str, float]:
    """Return the best of several runs: microseconds a flight one by one, seconds for a batch of 10,000."""
    asked = questions(scorer.manifest)
    resolved = [scorer.resolve(**question) for question in asked]
    batch = FlightTable.of([resolved[row % len(resolved)][0] for row in range(BATCH)])

    def resolve() -> None:
        for question in asked:
            scorer.resolve(**question)

    sums = scorer.key_sums

    def score() -> None:
        for flight, _ in resolved:
            sums.log_odds(flight)

    def predict() -> None:
        for flight, warnings in resolved:
            scorer.predict(flight, warnings=warnings)

    return {
        "resolve_us": _best_s(resolve) / len(asked) * 1e6,
        "score_us": _best_s(score) / len(asked) * 1e6,
        "predict_us": _best_s(predict) / len(asked) * 1e6,
        "predict_many_10000_s": _best_s(lambda: scorer.predict_many(batch)),
    }


def _best_s(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, number=1, repeat=REPEATS))


if __name__ == "__main__":
    print(json.dumps(measure(load_scorer()), indent=1))
