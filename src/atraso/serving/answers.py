"""Answers of one model as they go over the wire, and those given lately.

Systems ask for the same flights again and again. While the model and what is known of the airport are the same, so is
the answer but for its id; a table of the latest ones gives it without reading the flight again. A new model, a new
state, or a new minute where there is a state, begins a new table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from atraso.artefact.live import NOTHING_KNOWN, LiveScorer, Moment
from atraso.artefact.scorer import Scorer
from atraso.core.flights import Flight
from atraso.core.prediction import Reason
from atraso.serving.identifiers import Identifiers
from atraso.serving.wire import Exceeds, FlightQuestion, PredictionAnswer, Quantiles, ReasonAnswer

# Some 5 MB a worker. All are forgotten together when there are more, so nobody's questions can fill the memory.
MAX_REMEMBERED = 4096

_encode = msgspec.json.Encoder().encode
_NO_ID = b'{"id":""'


class Given(NamedTuple):
    """Answers as they are noted and sent: the probabilities, the flights as they were understood, and the JSON."""

    probabilities: Sequence[float]
    flights: Sequence[Flight]
    encoded: bytes


class _Remembered(NamedTuple):
    """The answer for one flight but for its id."""

    probability: float
    flight: Flight
    after_id: bytes


class Answers:
    """Answers questions with one *scorer*; *ids* names each answer. Raises FieldError for a useless question."""

    def __init__(self, scorer: Scorer, ids: Identifiers) -> None:
        self._scorer = scorer
        self._live = LiveScorer(scorer)
        self._ids = ids
        self._moment = NOTHING_KNOWN
        self._remembered: dict[FlightQuestion, _Remembered] = {}

    def at_present(self, moment: Moment) -> None:
        """Take note of the *moment* that most questions are about: their answers are remembered while it lasts."""
        if moment is not self._moment:
            self._remembered.clear()
            self._moment = moment

    def few(
        self, questions: Sequence[FlightQuestion], moment: Moment, *, explain: bool, notes: tuple[str, ...]
    ) -> Given:
        """Answer one flight after the other at *moment*; *notes* about the request stand among the warnings of each."""
        found = [self._one(question, moment, explain, notes) for question in questions]
        return Given(
            [one.probability for one in found],
            [one.flight for one in found],
            b",".join([b'{"id":"%b"%b' % (self._ids().encode(), one.after_id) for one in found]),
        )

    def many(
        self, questions: Sequence[FlightQuestion], moment: Moment, *, explain: bool, notes: tuple[str, ...]
    ) -> Given:
        """Answer many flights in one sweep; the same numbers as one by one."""
        resolved = [self._resolved(question) for question in questions]
        flights = [flight for flight, _ in resolved]
        noted = [(*warnings, *notes) if notes else warnings for _, warnings in resolved]
        table = self._live.predict_each(flights, moment, noted, explain=explain)
        probabilities = table.delay_probability.tolist()
        columns = (table.delayed, table.base_rate, table.exceeds, table.minutes)
        rows = zip(
            self._ids.many(len(flights)),
            probabilities,
            *(column.tolist() for column in columns),
            table.basis,
            table.lead,
            table.reasons or ((),) * len(table),
            table.warnings,
            strict=True,
        )
        answers = [
            PredictionAnswer(
                name,
                p,
                delayed,
                base,
                basis,
                lead,
                Exceeds(*e),
                Quantiles(*m),
                _told(why) if why else (),
                warnings,
            )
            for name, p, delayed, base, e, m, basis, lead, why, warnings in rows
        ]
        return Given(probabilities, flights, _encode(answers)[1:-1])

    def _one(self, question: FlightQuestion, moment: Moment, explain: bool, notes: tuple[str, ...]) -> _Remembered:
        plain = not explain and not notes and moment is self._moment
        if plain and (remembered := self._remembered.get(question)) is not None:
            return remembered
        flight, warnings = self._resolved(question)
        answer = self._live.predict(flight, moment, explain=explain, warnings=(*warnings, *notes))
        encoded = _encode(
            PredictionAnswer(
                "",
                answer.delay_probability,
                answer.delayed,
                answer.base_rate,
                answer.basis,
                answer.lead,
                Exceeds(*answer.exceeds),
                Quantiles(*answer.minutes),
                _told(answer.reasons),
                answer.warnings,
            )
        )
        given = _Remembered(answer.delay_probability, flight, encoded.removeprefix(_NO_ID))
        if plain:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[question] = given
        return given

    def _resolved(self, question: FlightQuestion) -> tuple[Flight, tuple[str, ...]]:
        return self._scorer.resolve(
            question.airline,
            question.flight_number,
            question.destination,
            question.scheduled_departure,
            question.origin,
        )


def _told(reasons: Sequence[Reason]) -> tuple[ReasonAnswer, ...]:
    return tuple([ReasonAnswer(r.group, r.value, r.effect) for r in reasons])
