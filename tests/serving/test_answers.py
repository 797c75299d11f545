"""Answers given lately are the same as new ones, and no more than a few thousand are held."""

from __future__ import annotations

import json

from atraso.artefact.scorer import load_scorer
from atraso.serving.answers import MAX_REMEMBERED, Answers
from atraso.serving.app import create_app
from atraso.serving.wire import FlightQuestion
from tests.serving.asgi import post
from tests.serving.fakes import flight, scorer


def question(number: int = 282, **more: str) -> FlightQuestion:
    facts = flight(flight_number=str(number), **more)
    return FlightQuestion(**facts)


def test_a_remembered_answer_is_the_one_that_was_made() -> None:
    """Byte for byte but for the id, and the same as in a sweep; with the bundled model."""
    answers = Answers(load_scorer())
    fresh = [answers.one(question(n), explain=False, notes=()) for n in range(1, 60)]
    again = [answers.one(question(n), explain=False, notes=()) for n in range(1, 60)]
    swept = answers.many([question(n) for n in range(1, 60)], explain=False, notes=())
    assert fresh == again
    assert [a.flight for a in swept] == [a.flight for a in fresh]
    assert max(abs(a.probability - b.probability) for a, b in zip(swept, fresh, strict=True)) < 1e-12


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
    answers = Answers(scorer())
    for n in range(MAX_REMEMBERED + 100):
        answers.one(question(n % 9999 + 1, destination="SPJC" if n < 9999 else "SCTE"), explain=False, notes=())
    assert len(answers._remembered) <= MAX_REMEMBERED
