"""Predictions are judged by what happened: each flight once per lead, by hand and by the scores of the core."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text

from atraso.core import scores
from atraso.core.errors import LedgerError
from atraso.ledger import quality_rows
from atraso.ledger.database import ledger_url
from atraso.ledger.quality import judge_ledger
from atraso.ledger.quality_report import Counts, Quality
from atraso.ledger.quality_rows import Window
from atraso.ledger.schema import DEPARTURES, LATEST, PREDICTIONS
from tests.ledger.judged import MODEL, MONDAY, NOW_S, judged, keep, left, said
from tests.ledger.places import Place, identifier

DAY = 1440


def test_four_flights_by_hand(place: Place) -> None:
    """Brier 0.125, base rate's 0.34, AUC 1, and what was said and came."""
    keep(
        place,
        [said(1, 0.5), said(2, 0.5), said(3, 0.0, due=MONDAY + DAY), said(4, 0.0, due=MONDAY + DAY)],
        [left(1, 16), left(2, 60), left(3, 15, due=MONDAY + DAY), left(4, -10, due=MONDAY + DAY)],
    )
    found = judged(place)
    assert found.counts == Counts(judged=4, waiting=0, without_departure=0, already_left=0, cancelled=0)
    assert list(found.leads) == ["3h"]
    lead = found.leads["3h"]
    assert (lead.n, lead.delayed, lead.said, lead.brier_score, lead.auc) == (4, 2, 0.25, 0.125, 1.0)
    # Always saying 0.2: (0.8² + 0.8² + 0.2² + 0.2²) / 4 = 0.34.
    assert lead.brier_skill == pytest.approx(1 - 0.125 / 0.34)
    # Four parts of one flight each: 0, 0, 0.5 and 0.5 from what came.
    assert lead.ece == 0.25
    assert [(b.n, b.said, b.delayed) for b in lead.reliability] == [(1, 0, 0), (1, 0, 0), (1, 0.5, 1), (1, 0.5, 1)]
    assert found.drift == {}
    assert found.model_version == MODEL
    assert found.made_at == "2026-11-09T00:00:00+00:00"


def test_many_flights_are_scored_as_the_core_does(place: Place) -> None:
    """In all, and by lead, basis, airline and week; intervals hold the score; bins add up to all flights."""
    rng = np.random.default_rng(7)
    predictions, departures, table = [], [], []
    for number in range(400):
        due = MONDAY - 7 * DAY + int(rng.integers(0, 14 * DAY - 400))
        airline, p = ("LAN", "SKU")[number % 2], float(rng.uniform(0, 1))
        late = bool(rng.random() < p)
        for lead, basis in (("24h", "live"), ("schedule", "schedule")):
            p_lead = p if lead == "24h" else 0.5 * p + 0.1
            predictions.append(said(number, p_lead, due=due, airline=airline, lead=lead, basis=basis))
            week = "2026-W45" if due >= MONDAY else "2026-W44"
            table.append((lead, airline, week, p_lead, late))
        departures.append(left(number, 30 if late else 3, due=due, airline=airline))
    # An id is of one answer.
    predictions = [(row[0][:-4] + f"{i:04d}", *row[1:]) for i, row in enumerate(predictions)]  # type: ignore[index]
    keep(place, predictions, departures)
    found = judged(place, days=14)
    assert list(found.leads) == ["schedule", "24h"]
    for name, lead in found.leads.items():
        rows = [row for row in table if row[0] == name]
        p, late = np.array([r[3] for r in rows]), np.array([r[4] for r in rows])
        assert lead.n == 400
        assert lead.brier_score == pytest.approx(scores.brier_score(late, p))
        assert lead.brier_skill == pytest.approx(scores.brier_skill(late, p, 0.2))
        assert lead.auc == pytest.approx(scores.auc(late, p))
        assert lead.ece == pytest.approx(scores.ece(late, p))
        assert sum(b.n for b in lead.reliability) == 400
        assert len(lead.reliability) == 15
        for value, interval in (
            (lead.brier_score, lead.brier_score_95),
            (lead.brier_skill, lead.brier_skill_95),
            (lead.auc, lead.auc_95),
        ):
            assert interval is not None
            assert value is not None
            assert interval[0] < value < interval[1]
        for place_of, parts in ((1, lead.by_airline), (2, lead.by_week)):
            assert sorted(parts) == sorted({r[place_of] for r in rows})
            for key, part in parts.items():
                of = np.array([r[place_of] == key for r in rows])
                assert part.n == of.sum()
                assert part.brier_score == pytest.approx(scores.brier_score(late[of], p[of]))
                assert part.auc == pytest.approx(scores.auc(late[of], p[of]))
    assert list(found.leads["24h"].by_basis) == ["live"]
    assert list(judged(place, days=14, lead="24h").leads) == ["24h"]


def test_the_last_report_is_the_truth(place: Place) -> None:
    """Whatever order reports came in; a cancelled flight is not judged, and is again when that is taken back."""
    keep(
        place,
        [said(1, 0.5), said(2, 0.5), said(3, 0.5)],
        [
            left(1, 50, reported=30),
            left(1, 5, reported=20),
            left(2, 5, reported=10),
            left(2, None, reported=11, cancelled=True),
            left(3, None, reported=10, cancelled=True),
            left(3, 20, reported=11),
        ],
    )
    found = judged(place)
    assert found.counts == Counts(judged=2, waiting=0, without_departure=0, already_left=0, cancelled=1)
    assert found.leads["3h"].delayed == 2


def test_what_is_not_judged_is_counted(place: Place) -> None:
    """Said at or after the actual departure; not due yet; just due; due long ago and never reported."""
    soon = NOW_S // 60
    keep(
        place,
        [
            said(1, 0.5, asked_before=5),  # left 10 minutes early: it was gone
            said(2, 0.5, asked_before=10),  # left at that very minute
            said(3, 0.5, asked_before=11),
            said(4, 0.5, due=soon + 60),
            said(4, 0.5, due=soon + 60, lead="1h", asked_before=601),
            said(5, 0.5, due=soon - 359),
            said(6, 0.5, due=soon - 361),
            said(7, 0.5, due=MONDAY - 1),  # before the window
        ],
        [left(1, -10), left(2, -10), left(3, -10), left(7, 5, due=MONDAY - 1)],
    )
    assert judged(place).counts == Counts(judged=1, waiting=3, without_departure=1, already_left=2, cancelled=0)


def test_another_flight_s_departure_says_nothing(place: Place) -> None:
    """Airline, number, origin, destination and scheduled time must all be the same."""
    others = ({"airline": "SKU"}, {"origin": "SCFA"}, {"destination": "SCTE"}, {"flight_number": "2"})
    keep(place, [said(1, 0.5)], [left(1, 5, due=MONDAY + 1), *(left(1, 5, **other) for other in others)])
    assert judged(place).counts == Counts(judged=0, waiting=0, without_departure=1, already_left=0, cancelled=0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(
        st.tuples(st.integers(1, 4), st.integers(-60, 300), st.sampled_from(["3h", "1h"]), st.floats(0, 1)), max_size=15
    ),
    reported=st.lists(
        st.tuples(st.integers(1, 4), st.integers(-20, 90), st.integers(1, 99), st.booleans()),
        max_size=10,
        unique_by=lambda report: (report[0], report[2]),
    ),
    chance=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_makes_no_difference(
    place: Place,
    asked: list[tuple[int, int, str, float]],
    reported: list[tuple[int, int, int, bool]],
    chance: random.Random,
) -> None:
    """Predictions and departures in any order and batches, some twice: the same quality, to the last digit."""
    predictions = [
        said(number, p, asked_before=before, lead=lead, id=identifier(at, (MONDAY - before) * 60_000))
        for at, (number, before, lead, p) in enumerate(asked)
    ]
    departures = [
        left(number, None if cancelled else late, reported=moment, cancelled=cancelled)
        for number, late, moment, cancelled in reported
    ]
    found = []
    for _ in range(3):
        with place.engine.begin() as connection:
            for table in (LATEST, PREDICTIONS, DEPARTURES):
                connection.execute(delete(table))
        sent = [(row, None) for row in predictions] + [(None, row) for row in departures]
        sent += chance.sample(sent, len(sent) // 2)
        chance.shuffle(sent)
        while sent:
            part, sent = sent[: (count := chance.randint(1, len(sent)))], sent[count:]
            keep(place, [p for p, _ in part if p is not None], [d for _, d in part if d is not None])
        found.append(judged(place))
    assert found[0] == found[1] == found[2]


def test_a_flight_counts_once_per_lead_with_its_latest_prediction(place: Place) -> None:
    """Over bases and, where all are asked for, models; each basis has its own scores."""
    keep(
        place,
        [
            said(1, 0.9, basis="schedule", asked_before=500),
            said(1, 0.4, basis="live", asked_before=400),
            said(1, 0.1, basis="live", asked_before=300, model_version="2018.1+000000"),
        ],
        [left(1, 0)],
    )
    ours = judged(place)
    assert (ours.counts.judged, ours.leads["3h"].n, ours.leads["3h"].said) == (1, 1, 0.4)
    assert {basis: part.said for basis, part in ours.leads["3h"].by_basis.items()} == {"live": 0.4, "schedule": 0.9}
    assert judged(place, model="2018.1+000000").leads["3h"].said == 0.1
    every = judged(place, model=None)
    assert (every.model_version, every.leads["3h"].said, every.leads["3h"].n) == ("all", 0.1, 1)


def test_what_cannot_be_told_is_null_and_not_0(place: Place) -> None:
    """No AUC of one class, no skill against a base rate that is never wrong, no interval of one day."""
    keep(place, [said(1, 0.1, base_rate=0.0), said(2, 0.1, base_rate=0.0)], [left(1, 0), left(2, 0)])
    lead = judged(place).leads["3h"]
    assert (lead.auc, lead.brier_skill, lead.auc_95, lead.brier_score_95) == (None, None, None, None)
    assert msgspec.json.decode(msgspec.json.encode(judged(place)), type=Quality) == judged(place)


def test_an_empty_ledger_is_told_as_such(place: Place) -> None:
    """All counts are 0, and there is no lead."""
    assert place.engine
    found = judged(place)
    assert (found.leads, found.drift, found.counts) == ({}, {}, Counts(0, 0, 0, 0, 0))


def test_garbled_rows_of_a_file_do_no_harm(place: Place) -> None:
    """A time that is none is taken from the other column; a probability of 7 is passed over."""
    keep(
        place,
        [said(1, 0.5, scheduled_local="yesterday"), said(2, 7.0), said(3, 0.5, base_rate=-1.0)],
        [left(1, 0), left(2, 0), left(3, 0)],
    )
    found = judged(place)
    assert found.counts.judged == 1
    assert list(found.leads["3h"].by_week) == ["2026-W45"]


def test_a_window_that_is_too_full_is_cut_and_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those due last are judged."""
    keep(place, [said(n, 0.5, due=MONDAY + n) for n in range(9)], [left(n, n, due=MONDAY + n) for n in range(9)])
    assert judged(place).complete
    monkeypatch.setattr(quality_rows, "MOST_ROWS", 4)
    monkeypatch.setattr("atraso.ledger.quality.MOST_ROWS", 4)
    found = judged(place)
    assert (found.complete, found.counts.judged) == (False, 4)


def test_a_ledger_that_cannot_be_judged_says_why(place: Place) -> None:
    """None there yet, one of an older version, one that is no database."""
    window = Window(NOW_S, 7)
    url = ledger_url(place.data, place.url)
    if place.url is None:
        with pytest.raises(LedgerError, match="nothing has been kept yet"):
            judge_ledger(url, window, None)
    with place.engine.begin() as connection:
        connection.execute(text("DROP TABLE latest_predictions"))
    with pytest.raises(LedgerError, match="older version: start the service once"):
        judge_ledger(url, window, None)
    if place.url is None:
        place.close()
        (place.data / "ledger.sqlite3").write_bytes(b"x" * 4096)
        with pytest.raises(LedgerError, match="cannot be read now"):
            judge_ledger(url, window, None)
