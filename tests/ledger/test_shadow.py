"""What a challenger has not answered is found, and its answers are kept as the champion's are: the latest stands."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atraso.core.errors import LedgerError
from atraso.ledger.command_socket import ask_running_writer
from atraso.ledger.commands import Shadow, ShadowRow
from atraso.ledger.database import ledger_url, open_engine
from atraso.ledger.schema import LATEST
from atraso.ledger.shadow import Asked, Versions, before, unanswered
from atraso.ledger.shadow_progress import ShadowProgress
from atraso.ledger.upkeep import prune
from atraso.ledger.verbs import execute
from tests.ledger.judged import MODEL, MONDAY, judged, keep, left, said
from tests.ledger.places import Place, running
from tests.ledger.test_latest import latest

OTHER = "2018.1+abcdef"
VERSIONS = Versions(MODEL, OTHER)


def beside(asked: Asked, probability: float, **changes: Any) -> ShadowRow:
    """Return a challenger's answer beside *asked*."""
    exceeds = (0.5, probability, 0.1, 0.05)
    row = (*asked[2:8], asked.lead, asked.basis, OTHER, asked.id, asked.as_of_s, probability, asked.base_rate, *exceeds)
    return msgspec.structs.replace(msgspec.convert(row, ShadowRow), **changes)


def shadowed(place: Place, *rows: ShadowRow) -> int:
    done = execute(Shadow(rows), place.engine, lambda: None)
    assert isinstance(done, int)
    return done


def waiting(place: Place, after: str = "", most: int = 100) -> list[Asked]:
    return unanswered(place.engine, VERSIONS, after, most)


def kept_of(place: Place) -> list[tuple[str, float]]:
    return [(row.id, row.delay_probability) for row in latest(place) if row.model_version == OTHER]


def test_the_fields_are_the_columns() -> None:
    """In their order, because rows travel as arrays."""
    assert list(ShadowRow.__struct_fields__) == [column.name for column in LATEST.columns]


def test_what_is_unanswered_is_found_until_it_is_answered(place: Place) -> None:
    """Oldest first, after an identifier, so many at a time; another model's predictions are not asked about."""
    keep(place, [said(number, 0.2, asked_before=600 - number) for number in range(4)])
    keep(place, [said(9, 0.2, model_version="2016.1+0000aa")])
    found = waiting(place)
    assert [asked.flight_number for asked in found] == ["0", "1", "2", "3"]
    assert (found[0].delay_probability, found[0].base_rate, found[0].lead) == (0.2, 0.2, "3h")
    assert waiting(place, most=2) == found[:2]
    assert waiting(place, after=found[1].id) == found[2:]
    assert waiting(place, after=before(found[2].asked_ms or 0)) == found[2:]
    assert shadowed(place, beside(found[0], 0.3), beside(found[2], 0.4)) == 2
    assert waiting(place) == [found[1], found[3]]
    keep(place, [said(0, 0.25, asked_before=60)])
    assert [asked.flight_number for asked in waiting(place)] == ["1", "3", "0"], "it was asked about again"


def test_answers_in_any_order_and_twice_leave_the_latest(place: Place) -> None:
    """As predictions do; and what was asked when the flight was due never takes the place of what was before."""
    answers = []
    for asked_before in (600, 60, 0, -20):
        keep(place, [said(1, 0.2, asked_before=asked_before, lead=str(asked_before))])
    for place_, asked in enumerate(waiting(place)):
        answers.append(beside(asked, 0.1 * (place_ + 1), lead="3h"))
    for order in itertools.permutations(answers):
        with place.engine.begin() as connection:
            connection.execute(LATEST.delete().where(LATEST.c.model_version == OTHER))
        for row in order:
            shadowed(place, row, row)
        assert kept_of(place) == [(answers[1].id, answers[1].delay_probability)]
        assert shadowed(place, *order) == 0, "nothing of it is news"


def test_a_flight_that_was_due_is_not_asked_about_for_ever(place: Place) -> None:
    """Where the challenger has said something in time under its own identifier, there is nothing to answer."""
    keep(place, [said(1, 0.3, asked_before=30, model_version=OTHER), said(1, 0.2, asked_before=-5)])
    assert waiting(place) == []


def test_both_are_judged_and_all_models_are_those_that_answered(place: Place) -> None:
    """What a challenger said beside is judged under its version, and is not an answer that was given."""
    keep(place, [said(1, 0.25)], [left(1, 30)])
    (asked,) = waiting(place)
    shadowed(place, beside(asked, 0.5))
    assert judged(place).leads["3h"].brier_score == 0.5625
    assert judged(place, model=OTHER).leads["3h"].brier_score == 0.25
    assert judged(place, model=None).leads["3h"].brier_score == 0.5625


def test_it_is_forgotten_with_the_predictions(place: Place) -> None:
    """It has their identifiers."""
    keep(place, [said(1, 0.25)])
    shadowed(place, *(beside(asked, 0.5) for asked in waiting(place)))
    prune(place.engine, 30, lambda: None, MONDAY * 60 + 31 * 86_400)
    assert latest(place) == []


def test_the_writer_does_it_while_it_runs(place: Place) -> None:
    """Over its socket; a row that is none is refused with all that came with it."""
    keep(place, [said(1, 0.25, due=int(time.time()) // 60 + 600)])
    (asked,) = waiting(place)
    place.close()
    with running(place):
        assert ask_running_writer(place.data, Shadow((beside(asked, 0.5),)), 20) == 1
        assert ask_running_writer(place.data, Shadow((beside(asked, 0.5),)), 20) == 0
        with pytest.raises(LedgerError, match="understand"):
            ask_running_writer(place.data, Shadow((beside(asked, 0.5), beside(asked, 0.5, delay_probability=1.5))), 20)
    assert kept_of(place) == [(asked.id, 0.5)]


def test_a_ledger_that_is_not_there_has_nothing_to_answer(tmp_path: Path) -> None:
    """And is not made by looking."""
    assert unanswered(open_engine(ledger_url(tmp_path), reading=True), VERSIONS, "", 10) == []
    assert list(tmp_path.iterdir()) == []


def test_a_challenger_that_stands_still_falls_behind() -> None:
    """By the clock of whoever asks; answers add up."""
    progress = ShadowProgress()
    assert progress.behind_s(time.time() + 60) == pytest.approx(60, abs=5)
    progress.tell(answers=3, until_ms=1_000_000)
    progress.tell(answers=2)
    assert (progress.answers, progress.behind_s(1010.0), progress.behind_s(1.0)) == (5, 10.0, 0.0)
