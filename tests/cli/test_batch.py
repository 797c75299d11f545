"""Answering in bulk is answering one by one, only faster."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.cli.batch import ANSWER_COLUMNS, IDENTIFYING_COLUMNS, BatchPredictor
from atraso.core.errors import FieldError
from atraso.core.flights import FlightTable
from atraso.sources.questions import QuestionChunk

AIRLINES = ("LAN", "LA", "Grupo LATAM", "sky airline", "XXX", "nobody at all", "")
NUMBERS = ("282", "LA 0282", "282.0", "989P", "12/3", "")
DESTINATIONS = ("SPJC", "LIM", "SCFA", "ZZZZ", "SCEL", "???")
ORIGINS = ("", "", "SCEL", "scl", "KJFK")
TIMES = (
    "2017-07-14 08:30:00",
    "2017-07-14T08:30",
    "2017-07-14T08:30:00.5",
    "2017-07-14T08:30:00-04:00",
    "2017-07-14T12:30Z",
    "2017-05-13 23:30",  # happens twice
    "2017-08-13 00:30",  # does not happen
    "2017-08-13 11:00",
    "1975-01-01 10:00",  # long before the holidays that are known
    "2150-01-01 10:00",
    "2017-07-14",
    "2017-02-30 10:00",
    "soon",
    "",
)
NAMES = st.tuples(*map(st.sampled_from, (AIRLINES, NUMBERS, ORIGINS, DESTINATIONS)))
# Few names and many times, so that what was remembered of a name is used again.
QUESTIONS = st.lists(NAMES, min_size=1, max_size=3).flatmap(
    lambda names: st.lists(
        st.tuples(st.sampled_from([*names, ("LAN", "282", "", "SPJC")]), st.sampled_from(TIMES)).map(
            lambda question: (*question[0], question[1])
        ),
        min_size=1,
        max_size=20,
    )
)


@cache
def scorer() -> Scorer:
    """Load the bundled model once for all tests of this file."""
    return load_scorer()


class Watched(Scorer):
    """The bundled model, counting how often names are read and keeping the flights it is asked about."""

    def __init__(self) -> None:
        vars(self).update(vars(scorer()))
        self.resolved = 0
        self.flights: FlightTable | None = None

    def resolve(self, *names, **more):
        """Count, and read the names."""
        self.resolved += 1
        return super().resolve(*names, **more)

    def predict_many(self, flights, **more):
        """Keep the flights, and answer."""
        self.flights = flights
        return super().predict_many(flights, **more)


def chunk_of(questions: list[tuple[str, ...]], first_row: int = 1) -> QuestionChunk:
    """Return *questions* as the reader would give them."""
    airline, number, origin, destination, scheduled = map(list, zip(*questions, strict=True)) if questions else [[]] * 5
    rows = list(range(first_row, first_row + len(questions)))
    lines = [",".join(question) for question in questions]
    return QuestionChunk(rows, lines, airline, number, origin, destination, scheduled)


@settings(max_examples=150, deadline=None)
@given(QUESTIONS)
def test_bulk_answers_are_the_plain_ones(questions):
    """Any rows, good and bad, get the answers, warnings and refusals that asking one by one gives."""
    watched = Watched()
    columns, rejects = BatchPredictor(watched).answer(chunk_of(questions))
    flights = []
    refused = {reject.row: reject.reason for reject in rejects}
    answers = iter(zip(*columns.values(), strict=True))
    for row, (airline, number, origin, destination, scheduled) in enumerate(questions, start=1):
        try:
            flight, warnings = scorer().resolve(airline, number, destination, scheduled, origin or None)
        except FieldError as error:
            assert refused.pop(row) == str(error)
            continue
        flights.append(flight)
        plain = scorer().predict(flight, warnings=warnings)
        answer = dict(zip(columns, next(answers), strict=True))
        assert [answer[name] for name in IDENTIFYING_COLUMNS] == [
            airline,
            number,
            origin or flight.origin,
            destination,
            scheduled,
        ]
        numbers = [plain.delay_probability, *plain.exceeds, *plain.minutes]
        given_numbers = [value for name, value in answer.items() if name.startswith(("delay_", "exceeds_", "p"))]
        assert given_numbers == pytest.approx(numbers, abs=1e-6)
        assert (answer["delayed"], answer["basis"], answer["lead"]) == (plain.delayed, plain.basis, plain.lead)
        assert answer["warnings"] == plain.warnings
        assert answer["model"] == scorer().manifest.version
    assert refused == {}
    assert next(answers, None) is None
    if flights:
        asked, meant = watched.flights, FlightTable.of(flights)
        assert all(
            getattr(asked, column.name).tolist() == getattr(meant, column.name).tolist() for column in fields(asked)
        )


@settings(max_examples=50, deadline=None)
@given(QUESTIONS, st.integers(1, 5))
def test_where_chunks_end_does_not_matter(questions, size):
    """The answers are the same whether the rows come in one chunk or in many."""
    whole, whole_rejects = BatchPredictor(scorer()).answer(chunk_of(questions))
    batch, rejects = BatchPredictor(scorer()), []
    parts: dict[str, list] = {name: [] for name in whole}
    for start in range(0, len(questions), size):
        columns, refused = batch.answer(chunk_of(questions[start : start + size], start + 1))
        rejects += refused
        for name, values in columns.items():
            parts[name] += values
    assert parts == whole
    assert rejects == whole_rejects


def test_each_name_is_looked_up_once():
    """A thousand rows of two flights ask the model what names mean twice, not a thousand times."""
    watched = Watched()
    questions = [("LAN", str(100 + i % 2), "", "SPJC", f"2017-07-14 {i % 24:02}:30") for i in range(1000)]
    columns, _ = BatchPredictor(watched).answer(chunk_of(questions))
    assert len(columns["airline"]) == 1000
    assert watched.resolved == 2


def test_a_chunk_of_no_flights_has_the_columns():
    """No rows give all columns, empty: an output still gets its header."""
    columns, rejects = BatchPredictor(scorer()).answer(chunk_of([]))
    assert columns == {name: [] for name in (*IDENTIFYING_COLUMNS, *ANSWER_COLUMNS)}
    assert rejects == []
