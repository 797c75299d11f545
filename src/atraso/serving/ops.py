"""What operators and machines ask: is it alive, is it ready, and which model answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.artefact.manifest import Manifest
from atraso.core.leads import SCHEDULE
from atraso.serving.wire import HealthAnswer, ModelCard, ModelList, ModelName, ReadyAnswer
from atraso.telemetry.cells import Board
from atraso.telemetry.names import MODEL_CREATED, MODEL_INFO, WORKERS, Metric


def ops_routes(manifest: Manifest, openapi: bytes, board: Board) -> list[Route]:
    """Return the routes; all their answers but the metrics are made once, because they change with the model only."""
    card = model_card(manifest)
    name = ModelName(manifest.airport, manifest.version)
    return [
        _constant("/health", HealthAnswer("OK")),
        _constant("/health/live", HealthAnswer("alive")),
        _constant("/health/ready", ReadyAnswer("ready", name)),
        _constant("/v1/model", card),
        _constant("/v1/models", ModelList((card,))),
        _constant("/openapi.json", msgspec.Raw(openapi)),
        Route("/metrics", _metrics(manifest, board), methods=["GET"]),
    ]


def model_card(manifest: Manifest) -> ModelCard:
    """Return what the world is told about the model of *manifest*."""
    return ModelCard(**{name: getattr(manifest, name) for name in ModelCard.__struct_fields__})


def _constant(path: str, answer: msgspec.Struct | msgspec.Raw) -> Route:
    content = msgspec.json.encode(answer)

    async def tell(request: Request) -> Response:
        return Response(content, media_type="application/json", headers={"cache-control": "no-cache"})

    return Route(path, tell, methods=["GET"])


def _metrics(manifest: Manifest, board: Board) -> Callable[[Request], Awaitable[Response]]:
    created = datetime.fromisoformat(manifest.created_at).timestamp()

    async def tell(request: Request) -> Response:
        from atraso.telemetry.exposition import CONTENT_TYPE, exposition  # noqa: PLC0415 - not needed to be ready

        gauges: dict[Metric, list[tuple[tuple[str, ...], float]]] = {
            WORKERS: [((), board.workers)],
            MODEL_INFO: [((manifest.version, SCHEDULE.name), 1.0)],
            MODEL_CREATED: [((), created)],
        }
        text = exposition(board.totals(), gauges)
        return Response(text, headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})

    return tell
