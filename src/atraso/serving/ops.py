"""What operators and machines ask: is it alive, is it ready, and which model answers."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.artefact.live import LIVE, Moment
from atraso.artefact.manifest import Manifest
from atraso.artefact.snapshot import SnapshotHead
from atraso.artefact.store import Store
from atraso.core.leads import SCHEDULE
from atraso.ledger.quality_report import Quality
from atraso.ledger.shadow_progress import ShadowProgress
from atraso.ledger.status import Status, StatusBoard
from atraso.serving.bulletin import Bulletin
from atraso.serving.problems import UnavailableError
from atraso.serving.quality import quality_gauges
from atraso.serving.wire import HealthAnswer, ModelCard, ModelList, ModelName, ReadyAnswer
from atraso.telemetry.cells import Board, tell_rows
from atraso.telemetry.names import (
    CHALLENGER_ANSWERS,
    CHALLENGER_BEHIND,
    DEPARTURE_NEWEST,
    LEDGER_ERRORS,
    LEDGER_FAILING,
    LEDGER_QUEUED,
    LEDGER_QUEUED_ROWS,
    LEDGER_SET_ASIDE,
    LEDGER_SIZE,
    LEDGER_STORED,
    LEDGER_SUCCESS,
    LEDGER_UNFORCED,
    MODEL_CREATED,
    MODEL_INFO,
    STATE_AT,
    STATE_VERSION,
    WORKERS,
    Metric,
)

Tell = Callable[[Request], Awaitable[Response]]


def ops_routes(
    manifest: Manifest,
    openapi: bytes,
    board: Board,
    *,
    models: Store | None,
    bulletin: Bulletin,
    ledger: StatusBoard | None,
    state: Callable[[], tuple[Moment, SnapshotHead | None]],
    quality: Callable[[], Quality | None] | None = None,
    shadowed: ShadowProgress | None = None,
    knows: Callable[[], bool] = lambda: True,
) -> list[Route]:
    """Return the routes; most of their answers are made once, because they change with the model only.

    *ledger* tells how its writer is doing, where there is one; *state* what this worker knows of the airport; *quality*
    how right the predictions were, *shadowed* how far a challenger has come. It is ready where it *knows* who may come
    in: a balancer that sent requests to a new replica before would have them refused.
    """
    card = model_card(manifest)
    name = ModelName(manifest.airport, manifest.version)
    return [
        _constant("/health", HealthAnswer("OK")),
        _constant("/health/live", HealthAnswer("alive")),
        Route("/health/ready", _ready(name, bulletin, knows), methods=["GET"]),
        _constant("/v1/model", card),
        Route("/v1/models", _models(card, models), methods=["GET"]),
        _constant("/openapi.json", msgspec.Raw(openapi)),
        Route(
            "/metrics",
            _metrics(manifest, board, ledger=ledger, state=state, quality=quality, shadowed=shadowed),
            methods=["GET"],
        ),
    ]


def model_card(manifest: Manifest) -> ModelCard:
    """Return what the world is told about the model of *manifest*."""
    return ModelCard(**{name: getattr(manifest, name) for name in ModelCard.__struct_fields__})


def _constant(path: str, answer: msgspec.Struct | msgspec.Raw) -> Route:
    content = msgspec.json.encode(answer)

    async def tell(request: Request) -> Response:
        return Response(content, media_type="application/json", headers={"cache-control": "no-cache"})

    return Route(path, tell, methods=["GET"])


def _ready(name: ModelName, bulletin: Bulletin, knows: Callable[[], bool]) -> Tell:
    async def tell(request: Request) -> Response:
        if not knows():
            raise UnavailableError("the ledger has not told yet who has a key; this takes a moment after the start", 1)
        news = bulletin.read()
        return _json(ReadyAnswer("ready", name, (news.trouble if news else "") or None))

    return tell


def _models(card: ModelCard, models: Store | None) -> Tell:
    async def tell(request: Request) -> Response:
        others = [manifest for _, manifest in models.manifests()] if models else []
        return _json(ModelList((card, *(model_card(m) for m in others if m.checksum != card.checksum))))

    return tell


def _json(answer: msgspec.Struct) -> Response:
    content = msgspec.json.encode(answer)
    return Response(content, media_type="application/json", headers={"cache-control": "no-cache"})


def _metrics(
    manifest: Manifest,
    board: Board,
    *,
    ledger: StatusBoard | None,
    state: Callable[[], tuple[Moment, SnapshotHead | None]],
    quality: Callable[[], Quality | None] | None,
    shadowed: ShadowProgress | None,
) -> Tell:
    created = datetime.fromisoformat(manifest.created_at).timestamp()

    async def tell(request: Request) -> Response:
        from atraso.telemetry.exposition import CONTENT_TYPE, exposition  # noqa: PLC0415 - not needed to be ready

        gauges: dict[Metric, list[tuple[tuple[str, ...], float]]] = {
            WORKERS: [((), board.workers)],
            MODEL_INFO: [((manifest.version, SCHEDULE.name), 1.0)],
            MODEL_CREATED: [((), created)],
        }
        moment, head = state()
        gauges |= state_gauges(head)
        if moment.fresh:
            gauges[MODEL_INFO].append(((manifest.version, LIVE), 1.0))
        status = ledger.read() if ledger else Status()  # before the totals: it follows them
        totals = board.totals()
        queued = tell_rows(
            totals, stored=status.rows_stored, set_aside=status.rows_aside, recovered=status.rows_recovered
        )
        if ledger is not None:
            gauges |= ledger_gauges(status)
            gauges[LEDGER_QUEUED_ROWS] = [((), queued)]
            gauges[LEDGER_UNFORCED] = [((), ledger.run.unforced_s(time.monotonic_ns()))]
        if quality is not None:
            gauges |= quality_gauges(quality)
        if shadowed is not None:
            gauges[CHALLENGER_BEHIND] = [((), shadowed.behind_s(time.time()))]
            gauges[CHALLENGER_ANSWERS] = [((), shadowed.answers)]
        text = exposition(totals, gauges, board.servers)
        return Response(text, headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})

    return tell


def state_gauges(head: SnapshotHead | None) -> dict[Metric, list[tuple[tuple[str, ...], float]]]:
    """Return what is known of the airport as metrics: nothing before there is a state."""
    if head is None:
        return {}
    newest = head.newest_departure_utc
    return {
        DEPARTURE_NEWEST: [] if newest is None else [((), newest * 60.0)],
        STATE_AT: [((), head.at_utc * 60.0)],
        STATE_VERSION: [((), head.version)],
    }


def ledger_gauges(status: Status) -> dict[Metric, list[tuple[tuple[str, ...], float]]]:
    """Return what the ledger's writer says of itself as metrics."""
    return {
        LEDGER_STORED: [((), status.rows_stored + status.rows_recovered)],
        LEDGER_SET_ASIDE: [
            (("refused",), status.refused),
            (("torn",), status.torn),
            (("damaged",), status.damaged),
        ],
        LEDGER_ERRORS: [((), status.errors)],
        LEDGER_FAILING: [((), status.failing)],
        LEDGER_QUEUED: [((), status.queued_bytes)],
        LEDGER_SIZE: [((), status.database_bytes)],
        LEDGER_SUCCESS: [((), status.last_success_ms / 1000)],
    }
