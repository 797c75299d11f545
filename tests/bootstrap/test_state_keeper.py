"""A service that was told what happened says what `evaluate` says, flight by flight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from atraso.artefact.live import LiveScorer, Moment
from atraso.artefact.scorer import Scorer, load_scorer
from atraso.artefact.snapshot import Snapshot
from atraso.bootstrap.state_keeper import StateKeeper
from atraso.core.flights import DepartureTable
from atraso.core.keys import MINUTES_A_DAY
from atraso.core.leads import LEADS
from atraso.core.live import KnownFlight
from atraso.core.prediction import logit
from atraso.core.scorecard import ANCHOR
from atraso.sources.registry import read
from atraso.training.evaluate import judged, log_odds
from tests.flights_at_hand import generated_scl_file


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return the bundled model."""
    return load_scorer()


@pytest.fixture(scope="module")
def departures() -> DepartureTable:
    """Return generated departures in the order of their schedule."""
    return read("scl", str(generated_scl_file())).departures


def known(table: DepartureTable, rows: Sequence[int], *, left: bool, published: bool) -> list[KnownFlight]:
    """Return what is known of some flights: that they have left, or that they are to leave."""
    some = table.take(np.array(rows, dtype=np.intp))
    each = zip(some.flights.identities(), some.flights.scheduled_local.tolist(), some.actual_utc.tolist(), strict=True)
    return [
        KnownFlight(*identity, local, actual if left else None, cancelled=False, published=published)
        for identity, local, actual in each
    ]


class Told:
    """A ledger that is told things."""

    def __init__(self) -> None:
        self.version = 0
        self.news: list[KnownFlight] = []

    def __call__(self, after: int) -> tuple[int, list[KnownFlight]]:
        news, self.news = self.news, []
        return self.version, news

    def hear(self, news: list[KnownFlight]) -> None:
        """Keep *news* until they are asked for."""
        self.news += news
        self.version += bool(news)


@pytest.mark.parametrize("published", [True, False])
def test_live_answers_are_those_of_evaluate(scorer: Scorer, departures: DepartureTable, published: bool) -> None:
    """At every lead, asked in the order of time while flights leave, on both sides of a clock change: equal to 1e-9."""
    ledger = Told()
    keeper = StateKeeper(scorer, ledger, lambda content, at: None)
    live = LiveScorer(scorer)
    flights = departures.flights
    everything = judged(departures, None, [], schedule=published)
    expected = {lead.name: log_odds(scorer, everything, lead.name)[:, ANCHOR] for lead in LEADS}
    offsets = flights.scheduled_local - flights.scheduled_utc
    change = int(np.flatnonzero(np.diff(offsets))[0])
    rows = [*range(change - 60, change + 60, 8), *range(change + 2000, change + 2200, 40)]
    early = {None: 2 * MINUTES_A_DAY}
    asked = sorted(
        (int(flights.scheduled_utc[row]) - early.get(lead.minutes, lead.minutes or 0), lead.name, row)
        for row in rows
        for lead in LEADS
    )
    if published:
        ledger.hear(known(departures, range(len(departures)), left=False, published=True))
    by_actual = np.argsort(departures.actual_utc, kind="stable")
    left = 0
    answered = []
    for at, lead, row in asked:
        until = int(np.searchsorted(departures.actual_utc[by_actual], at, side="right"))
        ledger.hear(known(departures, by_actual[left:until].tolist(), left=True, published=published))
        left = until
        keeper.look(at * 60.0)
        moment = Moment(at, Snapshot(keeper.snapshot(at)), fresh=True)
        answer = live.predict(flights.flight(row, scorer.zones), moment, explain=len(answered) % 7 == 0)
        assert answer.lead == lead
        assert logit(answer.delay_probability) == pytest.approx(expected[lead][row], abs=1e-9)
        if answer.reasons:
            effects = sum(reason.effect for reason in answer.reasons)
            assert answer.base_rate + effects == pytest.approx(answer.delay_probability, abs=1e-12)
            groups = {reason.group for reason in answer.reasons}
            assert ("live delays" in groups) == (lead != "schedule")
            assert ("crowding" in groups) == published
        answered.append(answer.basis)
    assert set(answered) == {"live", "schedule"}
    assert len(answered) == len(rows) * len(LEADS)
    many = live.predict_each([flights.flight(row, scorer.zones) for row in rows], moment, [()] * len(rows))
    each = [live.predict(flights.flight(row, scorer.zones), moment).delay_probability for row in rows]
    assert many.delay_probability.tolist() == pytest.approx(each, abs=1e-12)
