"""The scorer alone, in process: what one flight, ten thousand, and a new state cost before any network."""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.artefact.state_sums import StateSums
from atraso.core.flights import DepartureTable, FlightTable
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.leads import LEAD_BY_NAME
from atraso.core.replay import Replay
from atraso.stress.questions import questions

REPEATS = 7
BATCH = 10_000
STATE_DEPARTURES = 60_000  # a year of an airport such as Santiago's
SEED = 2017


def measure(scorer: Scorer) -> dict[str, float]:
    """Return the best of several runs: microseconds a flight, seconds for 10,000, milliseconds for a new state."""
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
        "new_state_ms": _best_s(_new_state(scorer, batch)) * 1e3,
    }


def _new_state(scorer: Scorer, flights: FlightTable) -> Callable[[], object]:
    """Return what adds up all keys of every live scorecard for the state after a made-up year of departures."""
    dice = np.random.default_rng(SEED)
    row = dice.integers(0, len(flights), STATE_DEPARTURES)
    # the same flights again and again, on any day of the year before
    days_back = dice.integers(1, 365, STATE_DEPARTURES) * MINUTES_A_DAY
    past = flights.take(row)
    past = replace(past, scheduled_utc=past.scheduled_utc - days_back, scheduled_local=past.scheduled_local - days_back)
    delay = np.rint(dice.gamma(1.5, 12.0, STATE_DEPARTURES) - 10.0).astype(np.int64)
    replay = Replay(DepartureTable(past, past.scheduled_utc + delay))
    now = int(np.quantile(past.scheduled_utc, 0.9))
    offsets = {
        airport.icao: int(datetime.fromtimestamp(now * 60, ZoneInfo(airport.zone)).utcoffset().total_seconds()) // 60
        for airport in scorer.manifest.airports
    }
    sums = StateSums([card for card in scorer.scorecards.values() if LEAD_BY_NAME[card.lead].minutes is not None])
    return lambda: sums.at(replay, now, offsets)


def _best_s(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, number=1, repeat=REPEATS))


if __name__ == "__main__":
    print(json.dumps(measure(load_scorer()), indent=1))
