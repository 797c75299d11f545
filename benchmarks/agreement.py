"""Whether the services answer alike: where they do not, their speeds say nothing."""

from __future__ import annotations

import json
from typing import Any

from atraso.stress.questions import CHALLENGE_PATH, PREDICTIONS
from benchmarks.processes import Service
from benchmarks.rivals import mlserver

COMPARED = 200


class WrongAnswersError(Exception):
    """A service does not give the answers that Atraso gives."""


def answers_of(service: Service, path: str, bodies: list[bytes]) -> list[bytes]:
    """Return the answers to the first of *bodies*; raises WrongAnswersError for any but a 200."""
    answers = []
    for body in bodies[:COMPARED]:
        status, answer = service.post(path, body)
        if status != 200:
            raise WrongAnswersError(f"{body!r} was answered with status {status}: {answer[:200]!r}")
        answers.append(answer)
    return answers


def compare(path: str, ours: list[bytes], theirs: list[bytes]) -> None:
    """Make sure that a rival computes what we compute; raises WrongAnswersError.

    The challenge's route is another model at the rival: there only the number of answers is compared.
    """
    for mine, other in zip(ours, theirs, strict=True):
        one, two = comparable(path, mine), comparable(path, other)
        if one != two:
            raise WrongAnswersError(f"a rival answers {two} where Atraso answers {one}")


def comparable(path: str, answer: bytes) -> Any:
    """Return what must be the same of an answer: everything but id and time."""
    if path == mlserver.PATH:
        return mlserver.outputs_of(answer)
    told = json.loads(answer)
    if path == CHALLENGE_PATH:
        return len(told["predict"])
    assert path == PREDICTIONS
    told.pop("as_of")
    for prediction in told["predictions"]:
        prediction.pop("id")
    return told
