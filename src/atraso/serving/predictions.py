"""`/v1/predictions`: one flight or thousands in, an answer out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from starlette.types import Scope

from atraso.artefact.live import NOTHING_KNOWN, Moment
from atraso.artefact.scorer import Scorer
from atraso.artefact.times import moment_of
from atraso.core.errors import FieldError
from atraso.core.flights import utc_minutes
from atraso.identity.principal import REPORT, Principal
from atraso.serving.airport_state import AirportState
from atraso.serving.answers import Answers, Given
from atraso.serving.books import NOT_KEPT, Books
from atraso.serving.identifiers import Identifiers
from atraso.serving.marks import is_probe
from atraso.serving.places import CrowdedError, Places, check_values, decoded, pointer_to, read_fields
from atraso.serving.probes import Probes
from atraso.serving.problems import NotAllowedError, NotJsonError, UnavailableError, WrongPlacesError
from atraso.serving.turns import Turns
from atraso.serving.wire import (
    Answer,
    FlightQuery,
    FlightQuestion,
    ModelName,
    Place,
    PredictionRequest,
)

ONE_BY_ONE = 16  # flights; above this a sweep over columns is cheaper
AT_A_TIME = 1000  # flights between two looks at other requests: some 12 ms
MAX_QUERY_NAMES = 32
NOT_KEPT_RETRY_AFTER_S = 2

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


class _When(NamedTuple):
    """The moment of a prediction as it is echoed, notes about how it was read, and what is known then."""

    as_of: str
    notes: tuple[str, ...]
    moment: Moment


class Predictions:
    """Answers questions about flights with one scorer; *now* tells the time in seconds since 1970.

    What is answered is noted in *books* before it is given, unless a probe asked it.
    """

    def __init__(
        self,
        scorer: Scorer,
        limits: Limits,
        now: Callable[[], float],
        books: Books,
        next_id: Identifiers,
        *,
        state: AirportState,
    ) -> None:
        self._scorer = scorer
        self._answers = Answers(scorer, next_id)
        self._limits = limits
        self._turns = Turns()
        self._now = now
        self._state = state
        self._books = books
        self._probes = Probes(scorer.manifest)
        self._zone = ZoneInfo(scorer.manifest.airports[0].zone)
        self._model = ModelName(scorer.manifest.airport, scorer.manifest.version)
        self._second = -1
        self._moment = ""
        self._opening_of = ""
        self._opened = b""

    async def post(self, scope: Scope, body: bytes) -> bytes:
        """Answer `POST /v1/predictions`; raises NotJsonError and WrongPlacesError."""
        try:
            request = decoded(body, _request)
        except CrowdedError as error:
            raise WrongPlacesError([error.first]) from None
        if request is None or not 1 <= len(request.flights) <= self._limits.max_flights:
            raise WrongPlacesError(await self._wrong_places(body))
        try:
            when = await self._when(scope["principal"], request)
            noted_of = self._noted_of(scope, request)
            if len(request.flights) <= ONE_BY_ONE:
                answer = self._few(request, noted_of, when)
            else:
                answer = await self._many(request, noted_of, when)
        except FieldError:
            raise WrongPlacesError(await self._wrong_places(body)) from None
        self._keep()
        return answer

    def at_once(self, body: bytes, principal: Principal) -> bytes | None:
        """Answer the body of a POST about a few flights now; None for others, and for what is to be refused.

        Whoever sends the answer settles the books before.
        """
        try:
            request = _request.decode(body)
            if request.as_of is not None or not 1 <= len(request.flights) <= min(ONE_BY_ONE, self._limits.max_flights):
                return None
            return self._few(request, principal, self._at_present(request))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, FieldError):
            return None

    async def get(self, scope: Scope, body: bytes) -> bytes:
        """Answer `GET /v1/predictions` from its query; raises NotJsonError and WrongPlacesError."""
        raw = _encode(query_of(scope["query_string"]))
        request = self._request_of(raw)
        try:
            when = await self._when(scope["principal"], request)
            answer = self._few(request, self._noted_of(scope, request), when)
        except FieldError:
            raise WrongPlacesError(self._wrong_in_query(raw)) from None
        self._keep()
        return answer

    def ask(self, query: Mapping[str, object]) -> Answer:
        """Answer one flight given by the names of `FlightQuery`, and note nothing; raises WrongPlacesError.

        Of another moment than now only the timetable is known.
        """
        raw = _encode(query)
        request = self._request_of(raw)
        try:
            text = request.as_of
            when = self._at_present(request) if text is None else self._at_another(text, NOTHING_KNOWN)
            _, answer = self._told(request, when)
        except FieldError:
            raise WrongPlacesError(self._wrong_in_query(raw)) from None
        return msgspec.json.decode(answer, type=Answer)

    def _keep(self) -> None:
        """See to it that what was noted is kept before it is given; raises UnavailableError where it may not be."""
        if not self._books.settle():
            raise UnavailableError(NOT_KEPT, NOT_KEPT_RETRY_AFTER_S)

    def _request_of(self, raw: bytes) -> PredictionRequest:
        """Return the request that a query, written as JSON, means; raises WrongPlacesError."""
        asked = decoded(raw, _query)
        if asked is None:
            raise WrongPlacesError(self._wrong_in_query(raw))
        return PredictionRequest((asked,), asked.explain, asked.basis, asked.as_of)

    def _wrong_in_query(self, raw: bytes) -> list[Place]:
        """Return all that is wrong with a query, not only what was met first."""
        places = Places()
        usable = read_fields(raw, FlightQuery, "", places)
        self._check_as_of(usable, places)
        self._check_flight(usable, "", places)
        return places.told()

    def _noted_of(self, scope: Scope, request: PredictionRequest) -> Principal | None:
        """Return whose request it is noted as, None for a probe; raises WrongPlacesError for what is no probe."""
        if not is_probe(scope):
            principal: Principal = scope["principal"]
            return principal
        self._probes.check(request)
        return None

    def _few(self, request: PredictionRequest, noted_of: Principal | None, when: _When) -> bytes:
        """Answer a few flights, and note it; raises FieldError."""
        given, answer = self._told(request, when)
        if noted_of is not None:
            self._books.note(noted_of, given, answer)
        return answer

    def _told(self, request: PredictionRequest, when: _When) -> tuple[Given, bytes]:
        given = self._answers.few(request.flights, when.moment, explain=request.explain, notes=when.notes)
        return given, b"%b[%b]}" % (self._opening(when.as_of), given.encoded)

    async def _many(self, request: PredictionRequest, noted_of: Principal | None, when: _When) -> bytes:
        """Answer many flights, a chunk at a time so that no step takes long for all; raises FieldError."""
        chunks = []
        for start in range(0, len(request.flights), AT_A_TIME):
            await self._turns.next()
            chunk = request.flights[start : start + AT_A_TIME]
            chunks.append(self._answers.many(chunk, when.moment, explain=request.explain, notes=when.notes))
        answer = b"".join((self._opening(when.as_of), b"[", b",".join([chunk.encoded for chunk in chunks]), b"]}"))
        given = Given(
            [probability for chunk in chunks for probability in chunk.probabilities],
            [flight for chunk in chunks for flight in chunk.flights],
            answer,
        )
        if noted_of is not None:
            self._books.note(noted_of, given, answer)
        return answer

    def _opening(self, as_of: str) -> bytes:
        """Return an answer up to its list of predictions."""
        if self._opening_of != as_of:
            self._opening_of = as_of
            self._opened = _encode(Answer(self._model, as_of, [])).removesuffix(b"[]}")
        return self._opened

    def _at_present(self, request: PredictionRequest) -> _When:
        """Return what a request about now is answered from."""
        now = self._now()
        second = int(now)
        if second != self._second:
            self._second, self._moment = second, datetime.fromtimestamp(second, self._zone).isoformat()
        if request.basis == "schedule":
            return _When(self._moment, (), NOTHING_KNOWN)
        moment = self._state.now(now)
        self._answers.at_present(moment)
        return _When(self._moment, (), moment)

    async def _when(self, principal: Principal, request: PredictionRequest) -> _When:
        """Return what a request is answered from; raises FieldError.

        Raises NotAllowedError for who may not choose the moment, UnavailableError where its state is not told.
        """
        if request.as_of is None:
            return self._at_present(request)
        if REPORT not in principal.roles:
            raise NotAllowedError(f"as_of needs the role {REPORT}, which you do not have: leave it out")
        as_of, _ = moment_of(request.as_of, self._zone, "as_of")
        known = NOTHING_KNOWN if request.basis == "schedule" else await self._state.at(utc_minutes(as_of))
        return self._at_another(request.as_of, known)

    def _at_another(self, text: str, known: Moment) -> _When:
        as_of, note = moment_of(text, self._zone, "as_of")
        return _When(as_of.isoformat(timespec="seconds"), (note,) if note else (), known)

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
                await self._turns.next()
            if places.full:
                break
            pointer = f"/flights/{row}"
            fields = read_fields(raw, FlightQuestion, pointer, places)
            self._check_flight(fields, pointer, places)
        return places.told()

    def _check_as_of(self, usable: Mapping[str, Any], places: Places) -> None:
        try:
            if (text := usable.get("as_of")) is not None:
                moment_of(text, self._zone, "as_of")
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
