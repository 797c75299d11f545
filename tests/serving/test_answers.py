"""Answers given lately are the same as new ones, and no more than a few thousand are held."""

from __future__ import annotations

import json

import pytest

from atraso.artefact.live import NOTHING_KNOWN, Moment
from atraso.artefact.scorer import load_scorer
from atraso.serving.answers import MAX_REMEMBERED, Answers
from atraso.serving.app import create_app
from atraso.serving.identifiers import Identifiers
from atraso.serving.wire import FlightQuestion
from tests.serving.asgi import post
from tests.serving.fakes import flight, scorer


def question(number: int = 282, **more: str) -> FlightQuestion:
    facts = flight(flight_number=str(number), **more)
    return FlightQuestion(**facts)


def rows(encoded: bytes) -> list[dict[str, object]]:
    """The answers without their ids."""
    found: list[dict[str, object]] = json.loads(b"[%b]" % encoded)
    for row in found:
        del row["id"]
    return found


def test_a_remembered_answer_is_the_one_that_was_made() -> None:
    """Nothing differs but the id, and in a sweep the numbers are the same; with the bundled model."""
    answers = Answers(load_scorer(), Identifiers())
    asked = [question(n) for n in range(1, 60)]
    fresh, again = (answers.few(asked, NOTHING_KNOWN, explain=False, notes=()) for _ in "ab")
    swept = answers.many(asked, NOTHING_KNOWN, explain=False, notes=())
    assert rows(fresh.encoded) == rows(again.encoded)
    assert fresh.flights == again.flights == swept.flights
    assert fresh.probabilities == again.probabilities
    for one, other in zip(rows(fresh.encoded), rows(swept.encoded), strict=True):
        assert numbers(one) == pytest.approx(numbers(other), abs=1e-9)
        assert {k: one[k] for k in ("basis", "lead", "reasons", "warnings", "delayed")} == {
            k: other[k] for k in ("basis", "lead", "reasons", "warnings", "delayed")
        }


def numbers(row: dict[str, object]) -> list[object]:
    return [row["delay_probability"], row["base_rate"], *row["exceeds"].values(), *row["minutes"].values()]  # type: ignore[attr-defined]


def test_reasons_are_those_of_one_by_one_in_a_sweep_too() -> None:
    """In the same order, with the same effects."""
    answers = Answers(load_scorer(), Identifiers())
    asked = [question(n) for n in range(1, 30)]
    alone = rows(answers.few(asked, NOTHING_KNOWN, explain=True, notes=("a note",)).encoded)
    swept = rows(answers.many(asked, NOTHING_KNOWN, explain=True, notes=("a note",)).encoded)
    for one, other in zip(alone, swept, strict=True):
        assert one["warnings"] == other["warnings"]
        assert "a note" in one["warnings"]  # type: ignore[operator]
        found = [{r["group"]: (r["value"], round(r["effect"], 9)) for r in row["reasons"]} for row in (one, other)]  # type: ignore[attr-defined]
        assert found[0] == found[1]


def test_each_answer_has_an_id_of_its_own() -> None:
    """Also the one that is given a second time; nothing else differs."""
    app = create_app(scorer())
    content = {"flights": [flight(), flight()], "as_of": "2018-01-01T00:00"}
    one, two = (post(app, "/v1/predictions", content).json for _ in "ab")
    ids = [p.pop("id") for content in (one, two) for p in content["predictions"]]
    assert len(set(ids)) == 4
    assert json.dumps(one) == json.dumps(two)


def test_what_stands_beside_the_flight_is_not_mixed_up() -> None:
    """Reasons only where they are asked for, and a note about one request is not told in another."""
    app = create_app(load_scorer())

    def asked(**more: object) -> dict[str, object]:
        content = post(app, "/v1/predictions", {"flights": [flight()], **more}).json["predictions"][0]
        assert isinstance(content, dict)
        return content

    twice = "2017-05-13T23:30:00"
    plain, explained, noted = asked(), asked(explain=True), asked(as_of=twice)
    for _ in range(2):
        assert (
            (asked()["reasons"], asked()["warnings"])
            == (plain["reasons"], plain["warnings"])
            == ([], plain["warnings"])
        )
        assert asked(explain=True)["reasons"] == explained["reasons"] != []
        assert asked(as_of=twice)["warnings"] == noted["warnings"] != plain["warnings"]


def test_only_so_many_are_remembered() -> None:
    """Whoever asks for ever new flights cannot fill the memory."""
    answers = Answers(scorer(), Identifiers())
    for n in range(MAX_REMEMBERED + 100):
        asked = [question(n % 9999 + 1, destination="SPJC" if n < 9999 else "SCTE")]
        answers.few(asked, NOTHING_KNOWN, explain=False, notes=())
    assert len(answers._remembered) <= MAX_REMEMBERED


def test_only_answers_about_the_present_are_remembered() -> None:
    """Questions about other moments, or about the schedule where there is a state, take nothing from the others."""
    answers = Answers(scorer(), Identifiers())
    present, another = Moment(1, None), Moment(2, None)
    answers.at_present(present)
    answers.few([question(1)], present, explain=False, notes=())
    answers.few([question(2)], another, explain=False, notes=())
    answers.few([question(2)], NOTHING_KNOWN, explain=False, notes=())
    assert set(answers._remembered) == {question(1)}
    answers.at_present(present)
    assert answers._remembered
    answers.at_present(another)
    assert not answers._remembered
