"""`/v1/predictions`: one flight or thousands in, an answer out."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from starlette.types import Scope

from atraso.artefact.scorer import Scorer
from atraso.artefact.times import moment_of
from atraso.core.errors import FieldError
from atraso.core.flights import FlightTable
from atraso.core.prediction import Prediction
from atraso.serving.identifiers import Identifiers
from atraso.serving.places import CrowdedError, Places, check_values, decoded, pointer_to, read_fields
from atraso.serving.problems import NotJsonError, WrongPlacesError
from atraso.serving.wire import (
    Answer,
    Exceeds,
    FlightQuery,
    FlightQuestion,
    ModelName,
    Place,
    PredictionAnswer,
    PredictionRequest,
    Quantiles,
    ReasonAnswer,
)

ONE_BY_ONE = 16  # flights; above this a sweep over columns is cheaper
AT_A_TIME = 500  # flights between two looks at other requests
MAX_QUERY_NAMES = 32

_request = msgspec.json.Decoder(PredictionRequest)
_query = msgspec.json.Decoder(FlightQuery)
_encode = msgspec.json.Encoder().encode
_LOST_PLUS = re.compile(r".*T.* \d\d:?\d\d", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold."""

    max_body_bytes: int = 4 * 1024 * 1024
    max_flights: int = 10_000


DEFAULT_LIMITS = Limits()


class Predictions:
    """Answers questions about flights with one scorer; *now* tells the time in seconds since 1970."""

    def __init__(self, scorer: Scorer, limits: Limits, now: Callable[[], float] = time.time) -> None:
        self._scorer = scorer
        self._limits = limits
        self._now = now
        self._next_id = Identifiers()
        self._zone = ZoneInfo(scorer.manifest.airports[0].zone)
        self._model = ModelName(scorer.manifest.airport, scorer.manifest.version)
        self._second = -1
        self._moment = ""

    async def post(self, scope: Scope, body: bytes) -> bytes:
        """Answer `POST /v1/predictions`; raises NotJsonError and WrongPlacesError."""
        try:
            request = decoded(body, _request)
        except CrowdedError as error:
            raise WrongPlacesError([error.first]) from None
        if request is None or not 1 <= len(request.flights) <= self._limits.max_flights:
            raise WrongPlacesError(await self._wrong_places(body))
        try:
            as_of, notes = self._as_of(request.as_of)
            if len(request.flights) <= ONE_BY_ONE:
                predictions = [self._one(question, request.explain, notes) for question in request.flights]
                return _encode(Answer(self._model, as_of, predictions))
            chunks = await self._many(request.flights, request.explain, notes)
        except FieldError:
            raise WrongPlacesError(await self._wrong_places(body)) from None
        around = _encode(Answer(self._model, as_of, []))
        return b"".join((around.removesuffix(b"]}"), b",".join(chunks), b"]}"))

    def at_once(self, body: bytes) -> bytes | None:
        """Answer the body of a POST about a few flights; None for more of them, and for what is to be refused."""
        try:
            request = _request.decode(body)
            if not 1 <= len(request.flights) <= min(ONE_BY_ONE, self._limits.max_flights):
                return None
            as_of, notes = self._as_of(request.as_of)
            predictions = [self._one(question, request.explain, notes) for question in request.flights]
        except (msgspec.MsgspecError, FieldError):
            return None
        return _encode(Answer(self._model, as_of, predictions))

    async def get(self, scope: Scope, body: bytes) -> bytes:
        """Answer `GET /v1/predictions` from its query; raises NotJsonError and WrongPlacesError."""
        return _encode(self.ask(query_of(scope["query_string"])))

    def ask(self, query: Mapping[str, object]) -> Answer:
        """Answer one flight given by the names of `FlightQuery`; raises WrongPlacesError."""
        raw = _encode(query)
        asked = decoded(raw, _query)
        try:
            if asked is not None:
                as_of, notes = self._as_of(asked.as_of)
                return Answer(self._model, as_of, [self._one(asked, asked.explain, notes)])
        except FieldError:
            pass  # all that is wrong is told below, not only what was met first
        places = Places()
        usable = read_fields(raw, FlightQuery, "", places)
        self._check_as_of(usable, places)
        self._check_flight(usable, "", places)
        raise WrongPlacesError(places.told())

    def _one(self, question: FlightQuestion, explain: bool, notes: tuple[str, ...]) -> PredictionAnswer:
        flight, warnings = self._scorer.resolve(
            question.airline,
            question.flight_number,
            question.destination,
            question.scheduled_departure,
            question.origin,
        )
        return self._told(self._scorer.predict(flight, explain=explain, warnings=(*warnings, *notes)))

    async def _many(self, questions: Sequence[FlightQuestion], explain: bool, notes: tuple[str, ...]) -> list[bytes]:
        """Return the answers encoded in chunks, each a list without its brackets: no step takes long for all."""
        chunks = []
        resolve = self._scorer.resolve
        for start in range(0, len(questions), AT_A_TIME):
            await asyncio.sleep(0)
            resolved = [
                resolve(q.airline, q.flight_number, q.destination, q.scheduled_departure, q.origin)
                for q in questions[start : start + AT_A_TIME]
            ]
            table = self._scorer.predict_many(FlightTable.of([flight for flight, _ in resolved]), explain=explain)
            answers = [self._told(table.prediction(row), (*w, *notes)) for row, (_, w) in enumerate(resolved)]
            chunks.append(_encode(answers)[1:-1])
        return chunks

    def _told(self, answer: Prediction, warnings: tuple[str, ...] = ()) -> PredictionAnswer:
        return PredictionAnswer(
            self._next_id(),
            answer.delay_probability,
            answer.delayed,
            answer.base_rate,
            answer.basis,
            answer.lead,
            Exceeds(*answer.exceeds),
            Quantiles(*answer.minutes),
            tuple([ReasonAnswer(r.group, r.value, r.effect) for r in answer.reasons]),
            answer.warnings or warnings,
        )

    def _as_of(self, text: str | None) -> tuple[str, tuple[str, ...]]:
        """Return the moment of the prediction as it is echoed, and notes about how it was read."""
        if text is not None:
            moment, note = moment_of(text, self._zone, "as_of")
            return moment.isoformat(timespec="seconds"), (note,) if note else ()
        second = int(self._now())
        if second != self._second:
            self._second, self._moment = second, datetime.fromtimestamp(second, self._zone).isoformat()
        return self._moment, ()

    async def _wrong_places(self, body: bytes) -> list[Place]:
        """Read a refused body again and return all its wrong places, at most `MAX_PLACES`."""
        places = Places()
        usable = read_fields(body, PredictionRequest, "", places)
        self._check_as_of(usable, places)
        flights = usable.get("flights")
        if flights is not None and not 1 <= len(flights) <= self._limits.max_flights:
            places.add("/flights", f"holds {len(flights)} flights; one request takes 1 to {self._limits.max_flights}")
            flights = None
        for row, raw in enumerate(flights or ()):
            if row % AT_A_TIME == 0:
                await asyncio.sleep(0)
            if places.full:
                break
            pointer = f"/flights/{row}"
            fields = read_fields(raw, FlightQuestion, pointer, places)
            self._check_flight(fields, pointer, places)
        return places.told()

    def _check_as_of(self, usable: Mapping[str, Any], places: Places) -> None:
        try:
            self._as_of(usable.get("as_of"))
        except FieldError as error:
            places.add("/as_of", error.detail)

    def _check_flight(self, usable: Mapping[str, Any], pointer: str, places: Places) -> None:
        manifest = self._scorer.manifest
        good = {
            "airline": manifest.airlines[0].icao,
            "flight_number": "1",
            "destination": manifest.destinations[0].icao,
            "scheduled_departure": f"{manifest.trained_to}T12:00:00",
            "origin": manifest.airports[0].icao,
        }
        check_values(self._scorer.resolve, usable, good, pointer, places)


def query_of(query_string: bytes) -> dict[str, object]:
    """Return the names and values of a query; raises NotJsonError where it is no percent-encoded UTF-8.

    A name given twice and an offset whose plus sign was not encoded raise WrongPlacesError.
    """
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_NAMES
        )
    except UnicodeError:
        raise NotJsonError("the query is not percent-encoded UTF-8") from None
    except ValueError:
        raise NotJsonError(f"the query has more than {MAX_QUERY_NAMES} names") from None
    query: dict[str, object] = {}
    places = Places()
    for name, value in pairs:
        if name in query:
            places.add(pointer_to("", name), "is given more than once")
        query[name] = value == "true" if name == "explain" and value in ("true", "false") else value
        if name in ("scheduled_departure", "as_of") and _LOST_PLUS.fullmatch(value):
            places.add(pointer_to("", name), "a plus sign in a query means a space: write the one of the offset as %2B")
    if places.found:
        raise WrongPlacesError(places.found)
    return query
