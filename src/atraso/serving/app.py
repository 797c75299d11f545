"""The whole service on one screen: the front's table, the routes, the middleware."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from atraso.artefact.scorer import Scorer
from atraso.artefact.store import Store
from atraso.core.errors import AtrasoError
from atraso.ledger.commands import Report, Reported
from atraso.ledger.quality_report import Quality
from atraso.ledger.shadow_progress import ShadowProgress
from atraso.ledger.status import StatusBoard
from atraso.serving.accounts import Accounts
from atraso.serving.airport_state import AirportState, StateSource
from atraso.serving.books import Books
from atraso.serving.bulletin import Bulletin
from atraso.serving.challenge import Challenge
from atraso.serving.departures import Departures
from atraso.serving.front import Front, Handler, Routes
from atraso.serving.guard import Guard
from atraso.serving.headers import SecurityHeaders
from atraso.serving.identifiers import Identifiers
from atraso.serving.inference import Inference
from atraso.serving.old_form import OldForm
from atraso.serving.openapi import openapi_document
from atraso.serving.ops import ops_routes
from atraso.serving.pages import page_routes
from atraso.serving.predictions import DEFAULT_LIMITS, Limits, Predictions
from atraso.serving.problems import MethodNotAllowedError, NoSuchRouteError, refusal_of
from atraso.serving.promise import Promised, nothing_promised, objectives_route
from atraso.serving.quality import quality_route
from atraso.serving.rendering import Pages
from atraso.serving.schedule import schedule_route
from atraso.serving.state_route import state_routes
from atraso.serving.static_files import StaticFiles
from atraso.serving.words import WEB
from atraso.telemetry.cells import Board, Recorder

if TYPE_CHECKING:
    from atraso.serving.observing import Observing


@dataclass(frozen=True, slots=True)
class Worker:
    """What one process serves with, besides the model; *now* tells the time in seconds since 1970."""

    limits: Limits = DEFAULT_LIMITS
    now: Callable[[], float] = time.time
    guard: Guard = field(default_factory=Guard)
    accounts: Accounts = field(default_factory=Accounts)
    board: Board = field(default_factory=Board)
    books: Books = field(default_factory=lambda: Books(Recorder()))
    models: Store | None = None
    ledger: StatusBoard | None = None
    shadowed: ShadowProgress | None = None
    report: Callable[[Report], Reported] | None = None
    quality: Callable[[], Quality | None] | None = None
    promised: Promised = nothing_promised
    bulletin: Bulletin = field(default_factory=Bulletin)
    state: StateSource = field(default_factory=StateSource)
    next_id: Identifiers = field(default_factory=Identifiers)
    observing: Observing | None = None


def create_app(scorer: Scorer, worker: Worker | None = None) -> Front:
    """Return the service as an ASGI callable; make it in the process that serves it."""
    worker = worker or Worker()
    front = Front(create_routes(scorer, worker), worker.limits.max_body_bytes, worker.guard, worker.books.settle_turn)
    front.observing = worker.observing
    return front


def create_routes(scorer: Scorer, worker: Worker) -> Routes:
    """Return all that is served with the model of *scorer*."""
    limits, now = worker.limits, worker.now
    airport = AirportState(worker.state, scorer.manifest.checksum)
    predictions = Predictions(scorer, limits, now, worker.books, worker.next_id, state=airport)
    departures = Departures(scorer, limits, now, worker.report, worker.books)
    challenge = Challenge(scorer, limits)
    inference = Inference(scorer, limits, now, airport)
    pages = Pages(scorer.manifest, StaticFiles(WEB / "static"))
    form = OldForm(scorer, pages)
    document = openapi_document(scorer, predictions, limits)
    routes = [
        *ops_routes(
            scorer.manifest,
            msgspec.json.encode(document),
            worker.board,
            models=worker.models,
            bulletin=worker.bulletin,
            ledger=worker.ledger,
            state=lambda: (airport.now(now()), airport.head),
            quality=worker.quality,
            shadowed=worker.shadowed,
            knows=worker.guard.knows,
        ),
        quality_route(worker.quality, scorer.manifest.version),
        *state_routes(airport, scorer.manifest, now),
        schedule_route(airport, scorer, now),
        objectives_route(worker.board, worker.promised),
        *inference.routes(),
        *worker.accounts.routes(),
        *page_routes(pages, scorer.manifest, predictions, document, now, asks=worker.accounts.page_asks),
    ]
    middleware = [Middleware(SecurityHeaders)]
    rest = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={HTTPException: _refuse, AtrasoError: _refuse, Exception: _refuse},
    )
    rest.router.redirect_slashes = False  # a redirect would be built from the client's own Host header
    table: dict[str, dict[str, Handler]] = {
        "/v1/predictions": {"GET": predictions.get, "HEAD": predictions.get, "POST": predictions.post},
        "/v1/departures": {"POST": departures.post},
        "/predict": {"GET": form.get, "HEAD": form.get, "POST": challenge.post},
        **inference.handlers(),
    }
    return Routes(
        table,
        rest,
        at_once={"/v1/predictions": predictions.at_once, "/predict": challenge.at_once},
        forms={"/predict": form.post},
        unannounced=frozenset(inference.handlers()),
        model=scorer.manifest.version,
    )


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer an error of a route, or the router's own 404 and 405."""
    if isinstance(error, HTTPException):
        error = _router_error(request, error)
    refusal = refusal_of(error, request.url.path)
    return Response(refusal.body, refusal.status, dict(refusal.headers))


def _router_error(request: Request, error: HTTPException) -> AtrasoError:
    if error.status_code == 405:
        return MethodNotAllowedError((error.headers or {}).get("Allow", "GET, HEAD").split(", "))
    return NoSuchRouteError("there is nothing at this path; /docs lists the routes")
