"""Answers of one model as they go over the wire, and those given lately.

Systems ask for the same flights again and again. While the model is the same and no state is known, so is the answer
but for its id; a table of the latest ones gives it without reading the flight again. A new model begins a new table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from atraso.artefact.scorer import Scorer
from atraso.core.flights import Flight, FlightTable
from atraso.core.prediction import Prediction
from atraso.serving.wire import Exceeds, FlightQuestion, PredictionAnswer, Quantiles, ReasonAnswer

# Some 5 MB a worker. All are forgotten together when there are more, so nobody's questions can fill the memory.
MAX_REMEMBERED = 4096

_encode = msgspec.json.Encoder().encode
_NO_ID = b'{"id":""'


class GivenAnswer(NamedTuple):
    """The answer for one flight but for its id: its probability, the flight as it was understood, and the JSON."""

    probability: float
    flight: bytes
    after_id: bytes

    def named(self, identifier: str) -> bytes:
        """Return the answer's JSON with its id."""
        return b'{"id":"%b"%b' % (identifier.encode(), self.after_id)


class Answers:
    """Answers questions with one *scorer*; raises FieldError where one cannot be used."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._remembered: dict[FlightQuestion, GivenAnswer] = {}

    def one(self, question: FlightQuestion, *, explain: bool, notes: tuple[str, ...]) -> GivenAnswer:
        """Answer one flight; *notes* about the request stand among its warnings."""
        plain = not explain and not notes
        if plain and (given := self._remembered.get(question)) is not None:
            return given
        flight, warnings = self._resolved(question)
        given = _given(flight, self._scorer.predict(flight, explain=explain), (*warnings, *notes))
        if plain:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[question] = given
        return given

    def many(self, questions: Sequence[FlightQuestion], *, explain: bool, notes: tuple[str, ...]) -> list[GivenAnswer]:
        """Answer many flights in one sweep; the same numbers as one by one."""
        resolved = [self._resolved(question) for question in questions]
        table = self._scorer.predict_many(FlightTable.of([flight for flight, _ in resolved]), explain=explain)
        return [
            _given(flight, table.prediction(row), (*warnings, *notes))
            for row, (flight, warnings) in enumerate(resolved)
        ]

    def _resolved(self, question: FlightQuestion) -> tuple[Flight, tuple[str, ...]]:
        return self._scorer.resolve(
            question.airline,
            question.flight_number,
            question.destination,
            question.scheduled_departure,
            question.origin,
        )


def told(identifier: str, answer: Prediction, warnings: tuple[str, ...]) -> PredictionAnswer:
    """Return *answer* in the wire's form."""
    return PredictionAnswer(
        identifier,
        answer.delay_probability,
        answer.delayed,
        answer.base_rate,
        answer.basis,
        answer.lead,
        Exceeds(*answer.exceeds),
        Quantiles(*answer.minutes),
        tuple([ReasonAnswer(r.group, r.value, r.effect) for r in answer.reasons]),
        warnings,
    )


def _given(flight: Flight, answer: Prediction, warnings: tuple[str, ...]) -> GivenAnswer:
    encoded = _encode(told("", answer, warnings))
    return GivenAnswer(answer.delay_probability, _encode(flight), encoded.removeprefix(_NO_ID))
