"""Drift is told of flights that have changed, and not of others."""

from __future__ import annotations

import pytest

from atraso.core.drift import AIRLINE, LEAD, NUMBER, ROUTE, SCORE, TIME, WEEKDAY, WEEKDAYS, Reference, Shares, slot_of
from atraso.ledger import drift
from tests.ledger.judged import MONDAY, judged, keep, said
from tests.ledger.places import Place

DAY = 1440
EVEN = {"LAN": 0.5, "SKU": 0.4, "others": 0.1, "new": 0.0}
REFERENCE = Reference(
    "2017.1+3f9c2a",
    {
        AIRLINE: Shares(EVEN, frozenset({"AFR", "KLM"})),
        ROUTE: Shares({"SCEL-SPJC": 1.0, "new": 0.0}),
        NUMBER: Shares({"known": 0.99, "new": 0.01}, frozenset({"SCEL|LAN|1", "SCEL|SKU|1", "SCEL|AFR|1"}), "known"),
        TIME: Shares(dict.fromkeys(map(slot_of, range(0, 24, 3)), 1 / 8)),
        WEEKDAY: Shares(dict.fromkeys(WEEKDAYS, 1 / 7)),
        SCORE: Shares({"0.0 to 20.0 %": 0.5, "20.0 to 100.0 %": 0.5}),
    },
    (0.2,),
)


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift.Population.drift, "__defaults__", (50,))
    monkeypatch.setattr(drift.lead_drift, "__defaults__", (50,))


def week(count: int = 560, **changes: object) -> list[tuple[object, ...]]:
    """Return predictions of flights that are spread as the reference is."""
    airlines = ["LAN"] * 5 + ["SKU"] * 4 + ["AFR"]
    rows = []
    for n in range(count):
        due = MONDAY + n % 7 * DAY + n // 7 % 8 * 180 + 10
        p = 0.1 if n % 2 else 0.3
        who = {"airline": airlines[n // 56 % 10], "flight_number": "1", "lead": "schedule", "destination": "SPJC"}
        # 560 flights of one number: two may be due in the same minute
        rows.append(said(n, p, due=due + n // 56, **(who | changes)))
    return rows


def test_flights_as_they_were_are_no_drift(place: Place) -> None:
    """Every group is told, none is an alarm."""
    keep(place, week())
    found = judged(place, reference=REFERENCE).drift
    assert list(found) == [AIRLINE, ROUTE, NUMBER, TIME, WEEKDAY, SCORE]
    for group, told in found.items():
        assert told.psi < 0.03, group
        assert not told.alarm
        assert told.n == 560


@pytest.mark.parametrize(
    ("changes", "group", "moved"),
    [
        ({"airline": "LAN"}, AIRLINE, "SKU"),
        ({"airline": "ZZZ"}, AIRLINE, "new"),
        ({"destination": "SCTE"}, ROUTE, "SCEL-SPJC"),
        ({"flight_number": "7"}, NUMBER, "known"),
        ({"delay_probability": 0.9}, SCORE, "0.0 to 20.0 %"),
    ],
)
def test_what_has_changed_is_an_alarm_that_names_it(
    place: Place, changes: dict[str, object], group: str, moved: str
) -> None:
    """Its group alone, and the value that moved most."""
    keep(place, week(**changes))
    found = judged(place, reference=REFERENCE).drift
    assert found[group].alarm
    assert found[group].psi > found[group].threshold  # type: ignore[operator]
    told = found[group].moved
    assert told.value == moved
    assert abs(told.found - told.expected) > 0.3
    others = {name for name, told in found.items() if told.alarm} - {group}
    assert others <= ({NUMBER} if group == AIRLINE else set())


def test_a_flight_counts_once_and_its_score_is_that_of_the_schedule(place: Place) -> None:
    """However many leads it was asked with; without an answer from the schedule there is no score to compare."""
    rows = week()
    live = [said(n, 0.99, due=row[8], airline=row[4], flight_number="1", asked_before=9) for n, row in enumerate(rows)]  # type: ignore[arg-type]
    keep(place, live)
    found = judged(place, reference=REFERENCE).drift
    assert SCORE not in found
    assert found[AIRLINE].n == 560
    keep(place, rows)
    found = judged(place, reference=REFERENCE).drift
    assert {told.n for told in found.values()} == {560}
    assert not found[SCORE].alarm


def test_the_mix_of_leads_is_compared_with_the_window_before(place: Place) -> None:
    """And is never an alarm: operators decide it."""
    last_week = [said(n, 0.3, due=MONDAY - 7 * DAY + n, lead="3h") for n in range(100)]
    keep(place, [*last_week, *(said(n, 0.3, due=MONDAY + n, lead="3h" if n % 2 else "24h") for n in range(100))])
    found = judged(place, reference=REFERENCE).drift[LEAD]
    assert (found.threshold, found.alarm, found.n) == (None, False, 100)
    assert found.psi > 0.5
    assert found.moved.value == "24h"


def test_too_few_flights_tell_nothing(place: Place) -> None:
    """A lead asked for on its own is no population either."""
    keep(place, week()[:49])
    assert judged(place, reference=REFERENCE).drift == {}
    keep(place, week())
    assert judged(place, reference=REFERENCE, lead="schedule").drift == {}
