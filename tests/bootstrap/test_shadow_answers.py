"""A challenger answers what the champion was asked, as the champion would: the same model says the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from atraso.artefact.live import LiveScorer, Moment
from atraso.artefact.scorer import Scorer, load_scorer
from atraso.artefact.snapshot import Snapshot
from atraso.bootstrap.shadow_answers import ShadowAnswers
from atraso.bootstrap.state_keeper import StateKeeper
from atraso.core.flights import Flight, local_minutes
from atraso.core.live import KnownFlight
from atraso.ledger.commands import ShadowRow
from atraso.ledger.shadow import Asked

NOW = datetime(2017, 7, 14, 12, 0, tzinfo=UTC)
AT = int(NOW.timestamp()) // 60
VERSION = "2018.1+abcdef"


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """The bundled model."""
    return load_scorer()


@pytest.fixture(scope="module")
def keeper(scorer: Scorer) -> StateKeeper:
    """The state after nine days of departures, late ones in the last hour, with published flights around."""
    zone = scorer.zones["SCEL"]

    def known(number: int, scheduled: datetime, late: int | None, *, published: bool) -> KnownFlight:
        due = int(scheduled.timestamp()) // 60
        local = local_minutes(scheduled.astimezone(zone))
        actual = None if late is None else due + late
        return KnownFlight("LAN", str(number), "SCEL", "KMIA", due, local, actual, cancelled=False, published=published)

    flights = [known(600 + h % 24, NOW - timedelta(hours=h + 1), 0, published=True) for h in range(9 * 24)]
    flights += [known(700 + n, NOW - timedelta(minutes=100 - n), 45, published=True) for n in range(20)]
    flights += [known(800 + n, NOW + timedelta(minutes=40 + n), None, published=True) for n in range(8)]
    told = [(1, flights)]
    keeper = StateKeeper(scorer, lambda _: told.pop() if told else (1, []), lambda *_: None)
    keeper.follow()
    return keeper


@pytest.fixture
def answers(scorer: Scorer, keeper: StateKeeper) -> ShadowAnswers:
    """The bundled model beside itself, under another version."""
    return ShadowAnswers(renamed(scorer), scorer, keeper.snapshot)


def renamed(scorer: Scorer) -> Scorer:
    other = load_scorer()
    other.manifest = msgspec.structs.replace(scorer.manifest, version=VERSION)
    return other


def asked(scorer: Scorer, flight: Flight, moment: Moment, **changes: Any) -> Asked:
    """Return what the ledger holds of the champion's answer."""
    said = LiveScorer(scorer).predict(flight, moment)
    values = {
        "id": "01BMZ0000000000000000000AA",
        "as_of_s": moment.at_utc * 60 + 17,
        "airline": flight.airline,
        "flight_number": flight.flight_number,
        "origin": flight.origin,
        "destination": flight.destination,
        "scheduled_utc": flight.scheduled_utc_minutes,
        "scheduled_local": flight.scheduled_departure.isoformat(),
        "lead": said.lead,
        "basis": said.basis,
        "delay_probability": said.delay_probability,
        "base_rate": said.base_rate,
    }
    return Asked(**(values | changes))


def flight_in(scorer: Scorer, minutes: int, number: str = "803") -> Flight:
    scheduled = (NOW + timedelta(minutes=minutes)).astimezone(scorer.zones["SCEL"])
    return Flight("LAN", number, "SCEL", "KMIA", scheduled)


@pytest.mark.parametrize("minutes", [-20, 15, 43, 100, 400, 1000, 3000])
@pytest.mark.parametrize("how", ["live", "silent", "schedule"])
def test_the_same_model_says_the_same(
    scorer: Scorer, keeper: StateKeeper, answers: ShadowAnswers, minutes: int, how: str
) -> None:
    """On the state, where it was too old with crowding, and where the schedule's answer alone was asked for."""
    moment = Moment(AT, None)
    if how != "schedule":
        moment = Moment(AT, Snapshot(keeper.snapshot(AT)), fresh=how == "live")
    flight = flight_in(scorer, minutes)
    one = asked(scorer, flight, moment)
    (row,) = answers.answer([one])
    assert row.delay_probability == row.exceeds_15 == pytest.approx(one.delay_probability, abs=1e-12)
    assert (row.model_version, row.id, row.lead, row.basis) == (VERSION, one.id, one.lead, one.basis)
    assert (row.as_of_s, row.base_rate, row.scheduled_local) == (one.as_of_s, one.base_rate, one.scheduled_local)


def test_the_three_differ(scorer: Scorer, keeper: StateKeeper) -> None:
    """The state and the crowd of flight 803 say something: else the test above would show nothing."""
    snapshot, flight = Snapshot(keeper.snapshot(AT)), flight_in(scorer, 43)
    moments = (Moment(AT, None), Moment(AT, snapshot), Moment(AT, snapshot, fresh=True))
    assert len({LiveScorer(scorer).predict(flight, moment).delay_probability for moment in moments}) == 3


@pytest.mark.parametrize(
    "changes",
    [{"origin": "KJFK"}, {"lead": "3h"}, {"scheduled_utc": 10**15}, {"id": "short"}, {"base_rate": 7.0}],
    ids=str,
)
def test_what_cannot_be_answered_is_passed_over(
    scorer: Scorer, keeper: StateKeeper, answers: ShadowAnswers, changes: dict[str, Any]
) -> None:
    """Rows of a file that was imported may hold anything; those beside them are answered."""
    moment = Moment(AT, Snapshot(keeper.snapshot(AT)), fresh=True)
    good = asked(scorer, flight_in(scorer, 43), moment)
    found = answers.answer([good._replace(**changes), good])
    assert [row.id for row in found] == [good.id]
    assert isinstance(found[0], ShadowRow)
