"""What operators and machines ask: is it alive, is it ready, and which model answers."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from atraso.artefact.manifest import Manifest
from atraso.serving.wire import HealthAnswer, ModelCard, ModelList, ModelName, ReadyAnswer


def ops_routes(manifest: Manifest, openapi: bytes) -> list[Route]:
    """Return the routes; all their answers are made once, because nothing in them changes while the service lives."""
    card = model_card(manifest)
    name = ModelName(manifest.airport, manifest.version)
    return [
        _constant("/health", HealthAnswer("OK")),
        _constant("/health/live", HealthAnswer("alive")),
        _constant("/health/ready", ReadyAnswer("ready", name)),
        _constant("/v1/model", card),
        _constant("/v1/models", ModelList((card,))),
        _constant("/openapi.json", msgspec.Raw(openapi)),
    ]


def model_card(manifest: Manifest) -> ModelCard:
    """Return what the world is told about the model of *manifest*."""
    return ModelCard(**{name: getattr(manifest, name) for name in ModelCard.__struct_fields__})


def _constant(path: str, answer: msgspec.Struct | msgspec.Raw) -> Route:
    content = msgspec.json.encode(answer)

    async def tell(request: Request) -> Response:
        return Response(content, media_type="application/json", headers={"cache-control": "no-cache"})

    return Route(path, tell, methods=["GET"])
