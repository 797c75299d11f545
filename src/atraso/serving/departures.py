"""`POST /v1/departures`: what was reported of flights, told to the ledger's writer and answered once it is stored."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec
from starlette.types import Scope

from atraso.artefact.scorer import Scorer
from atraso.core.errors import FieldError, LedgerUnavailableError
from atraso.ledger.commands import FlightReport, Report, Reported
from atraso.serving.books import Books
from atraso.serving.places import CrowdedError, Places, decoded, read_fields
from atraso.serving.predictions import AT_A_TIME, Limits
from atraso.serving.problems import NotJsonError, UnavailableError, WrongPlacesError
from atraso.serving.reports import Reports
from atraso.serving.turns import Turns
from atraso.serving.wire import DepartureReport, DeparturesAnswer, DeparturesRequest, Place, StateVersion

log = logging.getLogger("atraso.ledger")

# Each takes a thread and a connection to the writer, which has 16 for all workers.
MAX_ASKING = 4
# Reports that wait, some 400 bytes each.
MAX_WAITING = 20_000
RETRY_AFTER_S = 2.0
COMPLAIN_EVERY_S = 10.0
# All that is told to whoever reports: where the ledger lies and what is wrong with it is for the log.
CANNOT_NOW = "the ledger cannot be used now: report the same again"
NO_LEDGER_RETRY_S = 3600.0

_request = msgspec.json.Decoder(DeparturesRequest)
_encode = msgspec.json.Encoder().encode


class Departures:
    """Takes reports of flights whose names *scorer* reads; *now* tells the time in seconds since 1970.

    *report* asks the ledger's writer, blocks meanwhile and raises LedgerUnavailableError; None stands for no ledger.
    """

    def __init__(
        self,
        scorer: Scorer,
        limits: Limits,
        now: Callable[[], float],
        report: Callable[[Report], Reported] | None,
        books: Books,
    ) -> None:
        self._reports = Reports(scorer)
        self._limits = limits
        self._now = now
        self._report = report
        self._books = books
        self._turns = Turns()
        self._free = asyncio.Semaphore(MAX_ASKING)
        self._waiting = 0
        self._complain_at = 0.0

    async def post(self, scope: Scope, body: bytes) -> bytes:
        """Answer `POST /v1/departures`; raises NotJsonError, WrongPlacesError and UnavailableError."""
        if self._report is None:
            raise UnavailableError(
                "this service keeps no ledger, so departures cannot be reported to it: ATRASO_LEDGER=spool turns it on",
                NO_LEDGER_RETRY_S,
            )
        now_s = self._now()
        flights, warnings = await self._read(body, now_s)
        report = Report(scope["principal"].name, int(now_s * 1000), tuple(flights))
        reported = await self._ask(self._report, report)
        new = reported.departures + reported.scheduled
        self._books.reported(new=reported.departures, scheduled=reported.scheduled, repeated=max(len(flights) - new, 0))
        return _encode(DeparturesAnswer(len(flights), new, StateVersion(reported.version), tuple(warnings)))

    async def _ask(self, tell: Callable[[Report], Reported], report: Report) -> Reported:
        """Tell the writer in a thread, a few at once; the others wait, and too many are sent away."""
        if self._waiting and self._waiting + len(report.flights) > MAX_WAITING:
            raise UnavailableError("too many departures are being reported at once: try again", RETRY_AFTER_S)
        self._waiting += len(report.flights)
        try:
            async with self._free:
                return await asyncio.to_thread(tell, report)
        except LedgerUnavailableError as error:
            self._complain(error)
            raise UnavailableError(CANNOT_NOW, RETRY_AFTER_S) from None
        finally:
            self._waiting -= len(report.flights)

    def _complain(self, error: LedgerUnavailableError) -> None:
        """Log what is wrong, now and then."""
        now = time.monotonic()
        if now >= self._complain_at:
            self._complain_at = now + COMPLAIN_EVERY_S
            log.error("Departures cannot be taken now: %s", error)

    async def _read(self, body: bytes, now_s: float) -> tuple[list[FlightReport], list[Place]]:
        """Return what a body reports, and warnings; all of it is refused where one place is wrong."""
        try:
            request = decoded(body, _request)
        except CrowdedError as error:
            self._books.reported(refused=1)
            raise WrongPlacesError([error.first]) from None
        except NotJsonError:
            self._books.reported(refused=1)
            raise
        if request is None or not 1 <= len(request.departures) <= self._limits.max_flights:
            raise WrongPlacesError(await self._wrong_places(body, now_s))
        flights: list[FlightReport] = []
        warnings: list[Place] = []
        try:
            for row, report in enumerate(request.departures):
                if row and row % AT_A_TIME == 0:
                    await self._turns.next()
                flight, notes = self._reports.read(report, now_s)
                flights.append(flight)
                warnings += [Place(f"/departures/{row}", note) for note in notes]
        except FieldError:
            raise WrongPlacesError(await self._wrong_places(body, now_s)) from None
        return flights, warnings

    async def _wrong_places(self, body: bytes, now_s: float) -> list[Place]:
        """Read a refused body again and return all its wrong places, at most `MAX_PLACES`."""
        places = Places()
        reports = read_fields(body, DeparturesRequest, "", places).get("departures")
        self._books.reported(refused=max(len(reports or ()), 1))
        if reports is not None and not 1 <= len(reports) <= self._limits.max_flights:
            places.add(
                "/departures", f"holds {len(reports)} reports; one request takes 1 to {self._limits.max_flights}"
            )
            reports = None
        for row, raw in enumerate(reports or ()):
            if row % AT_A_TIME == 0:
                await self._turns.next()
            if places.full:
                break
            pointer = f"/departures/{row}"
            self._reports.tell_wrong(read_fields(raw, DepartureReport, pointer, places), pointer, places, now_s)
        return places.told()
