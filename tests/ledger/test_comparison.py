"""Whether to change models is said by what happened, on the same questions, and not before enough of it did."""

from __future__ import annotations

import random
from math import log

import pytest

from atraso.core.scores import brier_score, log_loss
from atraso.ledger.comparison import NOT_DECIDED, STAY, SWITCH, TOO_FEW, Comparison, compare
from atraso.ledger.quality_rows import Window
from atraso.ledger.records import Row
from tests.ledger.judged import MODEL, MONDAY, NOW_S, keep, left, said
from tests.ledger.places import Place
from tests.ledger.test_shadow import OTHER, beside, shadowed, waiting

DAY = 1440
DAYS, A_DAY = 10, 60
SINCE = MONDAY - 4 * DAY


def compared(place: Place, *, champion: str = MODEL, challenger: str = OTHER, days: int = 14) -> Comparison:
    with place.reader().connect() as connection:
        return compare(connection, Window(NOW_S, days, champion, other_version=challenger))


def asked(days: int = DAYS, leads: tuple[str, ...] = ("3h", "1h")) -> tuple[list[Row], list[Row], dict[str, bool]]:
    """Return answers of 0.3 about flights, their departures, and which were late: 3 of 10, more on some days."""
    chance, predictions, departures, late = random.Random(5), [], [], {}
    for day in range(days):
        share = chance.uniform(0.1, 0.5)
        for each in range(A_DAY):
            number, due = day * A_DAY + each, SINCE + day * DAY + each * 10
            late[str(number)] = chance.random() < share
            departures.append(left(number, 40 if late[str(number)] else 0, due=due))
            predictions += [
                said(number, 0.3, due=due, lead=lead, asked_before=180 if lead == "3h" else 60) for lead in leads
            ]
    return predictions, departures, late


def answered(place: Place, knows: float, lead: str | None = None, **shape: int) -> dict[str, bool]:
    """Have both answer; the challenger's is nearer to what came by *knows* (of one *lead*, or of all)."""
    predictions, departures, late = asked(**shape)
    keep(place, predictions, departures)
    rows = []
    for one in waiting(place, most=10_000):
        towards = knows if lead in (None, one.lead) else 0.2
        rows.append(beside(one, 0.3 + towards * ((0.9 if late[one.flight_number] else 0.1) - 0.3)))
    shadowed(place, *rows)
    return late


def test_a_better_one_is_to_be_changed_to(place: Place) -> None:
    """By the whole interval; the losses are those of the core, the difference that of their means."""
    late = answered(place, 0.2)
    found = compared(place)
    assert (found.verdict, found.flights, found.judged_days, found.unpaired) == (SWITCH, 600, DAYS, 0)
    assert found.complete
    assert found.overall is not None
    loss, brier = found.overall.log_loss, found.overall.brier_score
    import numpy as np

    came = np.array(list(late.values()))
    says = np.where(came, 0.3 + 0.2 * 0.6, 0.3 - 0.2 * 0.2)
    assert found.overall.n == 1200
    assert (loss.champion, loss.challenger) == pytest.approx((log_loss(came, 0.3 + 0.0 * says), log_loss(came, says)))
    assert brier.challenger == pytest.approx(brier_score(came, says))
    assert loss.difference == pytest.approx(loss.challenger - loss.champion)
    assert loss.low is not None
    assert loss.high is not None
    assert loss.low < loss.difference < loss.high < 0
    assert list(found.leads) == ["3h", "1h"]
    assert found.leads["1h"].n == 600
    swapped = compared(place, champion=OTHER, challenger=MODEL)
    assert (swapped.verdict, swapped.overall is not None) == (STAY, True)


def test_an_equal_one_makes_no_difference(place: Place) -> None:
    """Nothing is said to be better that says the same."""
    answered(place, 0.0)
    found = compared(place)
    assert found.verdict == NOT_DECIDED
    assert found.overall is not None
    loss = found.overall.log_loss
    assert (loss.difference, loss.low, loss.high) == (0.0, 0.0, 0.0)


def test_one_that_differs_by_chance_is_not_decided(place: Place) -> None:
    """Its interval holds 0."""
    predictions, departures, _ = asked()
    keep(place, predictions, departures)
    chance = random.Random(3)
    shadowed(place, *(beside(one, 0.3 + chance.choice((-0.005, 0.005))) for one in waiting(place, most=10_000)))
    found = compared(place)
    assert found.overall is not None
    loss = found.overall.log_loss
    assert loss.low is not None
    assert loss.high is not None
    assert loss.low < 0 < loss.high
    assert found.verdict == NOT_DECIDED


def test_a_worse_one_is_not_changed_to(place: Place) -> None:
    """By the whole interval."""
    answered(place, -0.2)
    assert compared(place).verdict == STAY


def test_one_lead_that_is_worse_holds_the_change_back(place: Place) -> None:
    """Although it is better over all leads."""
    answered(place, -0.05, lead="1h")
    found = compared(place)
    assert found.overall is not None
    assert found.overall.log_loss.better
    assert found.leads["1h"].log_loss.worse
    assert found.verdict == NOT_DECIDED


@pytest.mark.parametrize(("days", "told"), [(6, (360, 6)), (8, (480, 8))])
def test_few_flights_or_days_say_nothing(place: Place, days: int, told: tuple[int, int]) -> None:
    """However much better it looks."""
    answered(place, 0.9, days=days)
    found = compared(place)
    assert found.overall is not None
    assert found.overall.log_loss.better
    assert (found.verdict, (found.flights, found.judged_days)) == (TOO_FEW, told)


def test_nothing_is_too_few(place: Place) -> None:
    """Neither scores nor leads."""
    place.engine.dispose()
    found = compared(place)
    assert (found.verdict, found.overall, found.leads) == (TOO_FEW, None, {})


def test_only_the_same_question_is_compared(place: Place) -> None:
    """Not answers of other moments, flights that had left, were cancelled or are not known; each once per lead."""
    keep(
        place,
        [
            said(1, 0.2),
            said(1, 0.4, basis="schedule", asked_before=300),
            said(2, 0.2),
            said(3, 0.2, asked_before=-50),
            said(4, 0.2),
            said(5, 0.2),
        ],
        [left(1, 20), left(2, 20), left(3, 30), left(4, None, cancelled=True)],
    )
    shadowed(place, *(beside(one, 0.8) for one in waiting(place)))
    keep(place, [said(2, 0.3, asked_before=500)])
    found = compared(place)
    assert (found.flights, found.unpaired) == (1, 2)
    assert found.overall is not None
    assert found.overall.n == 1
    assert found.overall.log_loss.champion == pytest.approx(-log(0.4)), "the later of the two bases"
    assert (found.overall.log_loss.low, found.verdict) == (None, TOO_FEW)
