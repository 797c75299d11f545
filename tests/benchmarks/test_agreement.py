"""What the rivals answer is what Atraso answers, whatever server stands around it."""

from __future__ import annotations

import json

import pytest

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.serving.app import Worker, create_app
from atraso.stress.questions import CHALLENGE_PATH, PREDICTIONS, questions
from benchmarks.agreement import WrongAnswersError, comparable, compare
from benchmarks.rivals import mlserver
from benchmarks.rivals.answers import Answers
from benchmarks.session import bodies_of
from tests.serving.asgi import post


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """Return the bundled model."""
    return load_scorer()


def test_a_rivals_answer_is_ours(scorer: Scorer) -> None:
    """All of the answer but id and time is equal, name by name and bit by bit."""
    app, answers = create_app(scorer, Worker()), Answers()
    for flight in questions(scorer.manifest, 50):
        ours = post(app, PREDICTIONS, {"flights": [flight]})
        compare(PREDICTIONS, [ours.body], [json.dumps(answers.to([flight])).encode()])


def test_tensors_carry_the_same_answer(scorer: Scorer) -> None:
    """The body for MLServer is one that our own `/v2` takes, and holds the same flight."""
    app, (flight,) = create_app(scorer, Worker()), questions(scorer.manifest, 1)
    outputs = comparable(mlserver.PATH, post(app, mlserver.PATH, json.loads(mlserver.body_of(flight))).body)

    assert outputs["delay_probability"] == [Answers().of(**flight)["delay_probability"]]


def test_another_answer_is_refused() -> None:
    """A rival that answers another number is no rival; at the challenge's route only the count is compared."""
    one, two = (
        json.dumps({"as_of": str(n), "predictions": [{"id": str(n), "delay_probability": n}]}).encode() for n in (1, 2)
    )
    with pytest.raises(WrongAnswersError, match="a rival answers"):
        compare(PREDICTIONS, [one], [two])
    compare(CHALLENGE_PATH, [b'{"predict":[0]}'], [b'{"predict":[1]}'])


def test_bodies_differ(scorer: Scorer) -> None:
    """Flights and tensors are 2,000 different ones, the challenge's all that it can describe, the constant is one."""
    bodies = bodies_of(scorer.manifest)

    assert {name: len(set(lines)) for name, lines in bodies.items()} == {
        "flights": 2000,
        "one-flight": 1,
        "new-flights": 40_000,
        "batches": 1,
        "facts": len(scorer.manifest.challenge_airlines) * 2 * 12,
        "tensors": 2000,
    }
    app = create_app(scorer, Worker())
    for body in bodies["facts"][::50]:
        assert post(app, CHALLENGE_PATH, json.loads(body)).status == 200
