"""What the service spools is what the ledger understands."""

from __future__ import annotations

from datetime import UTC, datetime

from atraso.artefact.live import NOTHING_KNOWN
from atraso.bootstrap import load_model
from atraso.identity.principal import Principal
from atraso.ledger.intake import Intake
from atraso.ledger.records import COLUMNS
from atraso.ledger.schema import PREDICTIONS
from atraso.ledger.spool import Spool
from atraso.serving.answers import Answers
from atraso.serving.books import Books
from atraso.serving.identifiers import Identifiers
from atraso.serving.wire import FlightQuestion
from atraso.settings import load_settings
from atraso.telemetry.cells import Recorder
from tests.ledger.places import Place


def test_an_answer_of_the_service_is_stored_whole(place: Place) -> None:
    """With one flight or many, with reasons or without, every number as it was sent."""
    answers = Answers(load_model(load_settings({})), Identifiers())
    spool = Spool(place.spools)
    books = Books(Recorder(), spool)
    questions = [FlightQuestion("LAN", str(number), "SPJC", "2017-07-14T08:30:00") for number in range(1, 4)]
    opening = b'{"model":{"airport":"SCEL","version":"v"},"as_of":"2017-07-14T05:30:00-04:00","predictions":['
    for given in (
        answers.few(questions[:1], NOTHING_KNOWN, explain=True, notes=("a note",)),
        answers.many(questions[1:], NOTHING_KNOWN, explain=False, notes=()),
    ):
        books.note(Principal("desk", frozenset()), given, opening + given.encoded + b"]}")
    books.settle()
    spool.close()
    before_ms = datetime.now(UTC).timestamp() * 1000
    assert Intake(place.spools, place.engine).take().new_rows == 3
    one, two, three = place.rows()
    assert (one.airline, one.flight_number, one.origin, one.destination) == ("LAN", "1", "SCEL", "SPJC")
    assert one.scheduled_local == "2017-07-14T08:30:00-04:00"
    assert (one.delay_probability, one.lead, one.basis) == (one.exceeds_15, "schedule", "schedule")
    assert '"a note"' in one.warnings
    assert one.reasons.startswith('[{"group":')
    assert (two.reasons, three.flight_number) == (None, "3")
    assert abs(one.asked_ms - before_ms) < 60_000


def test_the_order_of_a_row_is_that_of_the_table() -> None:
    """Rows are stored by place, not by name."""
    assert tuple(PREDICTIONS.columns.keys()) == COLUMNS
