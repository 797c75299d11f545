"""What the state adds per key is what the scorecards say of flights with those keys."""

import numpy as np
import pytest

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.artefact.state_sums import StateSums
from atraso.core.features import FEATURE_BY_NAME, STATE
from atraso.core.flights import FlightTable
from atraso.core.keys import Columns, codes_of
from atraso.core.replay import Replay
from atraso.sources.registry import read
from tests.flights_at_hand import generated_scl_file


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return the bundled model."""
    return load_scorer()


@pytest.mark.parametrize("schedule", [True, False])
def test_the_sums_of_the_keys_are_the_scorecard_s_own(scorer: Scorer, schedule: bool) -> None:
    """At a moment, every live card's log-odds are those of its other steps and what each key adds; unseen keys too."""
    departures = read("scl", str(generated_scl_file())).departures
    replay = Replay(departures, schedule=schedule)
    cards = [card for (lead, _), card in scorer.scorecards.items() if lead != "schedule"]
    now = int(np.quantile(departures.flights.scheduled_utc, 0.6))
    soon = departures.take(np.abs(departures.flights.scheduled_utc - now - 200) < 150).flights
    offset = soon.scheduled_local - soon.scheduled_utc
    assert len(soon) > 10 and len(set(offset.tolist())) == 1
    strangers = FlightTable(
        np.where(np.arange(len(soon)) % 3, soon.airline, "ZZZ"), soon.flight_number, soon.origin,
        np.where(np.arange(len(soon)) % 2, soon.destination, "ZZZZ"), soon.scheduled_utc, soon.scheduled_local,
    )  # fmt: skip
    flights = FlightTable.concat([soon, strangers])

    sums = StateSums(cards).at(replay, now, {"SCEL": int(offset[0])})
    added = np.zeros((len(flights), len(cards), len(cards[0].bias)))
    columns = Columns.of(flights)
    for kind, of_kind in sums.items():
        code = codes_of(columns.key(kind), of_kind.keys)
        added += np.where((code >= 0)[:, None, None], of_kind.of_key[code], of_kind.of_unseen[0])[
            :, :, : added.shape[2]
        ]

    known = scorer.schedule_features(flights) | replay.crowding(flights)
    state = replay.state(flights, np.full(len(flights), now))
    everything = known | state
    compared = 0
    for place, card in enumerate(cards):
        if not set(card.features) <= set(everything):
            continue  # it needs the published schedule, and there is none
        steps = [s for s in card.steps if STATE not in FEATURE_BY_NAME[s.feature].needs]
        rest = card.bias + sum(step.at(everything[step.feature]) for step in steps)
        assert np.abs(rest + added[:, place] - card.log_odds(everything)).max() < 1e-9
        assert np.ptp(added[:, place, :], axis=0).max() > 0.1, "the state says the same of every flight"
        compared += 1
    assert compared == (len(cards) if schedule else len(cards) // 2)
