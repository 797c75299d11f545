"""The only place where the parts of the service are joined."""

from __future__ import annotations

import functools
from collections.abc import Callable

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.serving import server
from atraso.serving.app import create_app
from atraso.serving.front import Front
from atraso.serving.gate import ServerLimits
from atraso.serving.predictions import Limits
from atraso.settings import Settings


def load_model(settings: Settings) -> Scorer:
    """Return the scorer of the model that *settings* name; raise ArtefactError where it is refused."""
    return load_scorer(settings.model, verify_key=settings.model_verify_key)


def create_service(settings: Settings, scorer: Scorer) -> Front:
    """Return the application; each process makes its own."""
    return create_app(scorer, limits=Limits(max_body_bytes=settings.max_body_bytes))


def server_limits(settings: Settings) -> ServerLimits:
    """Return what *settings* say of the limits of a worker."""
    return ServerLimits(
        head_timeout_s=settings.head_timeout_s,
        body_timeout_s=settings.body_timeout_s,
        keep_alive_timeout_s=settings.keep_alive_timeout_s,
        write_timeout_s=settings.write_timeout_s,
        shutdown_timeout_s=settings.shutdown_timeout_s,
        max_head_bytes=settings.max_head_bytes,
        max_body_bytes=settings.max_body_bytes,
        max_buffered_bytes=settings.max_buffered_bytes,
        max_connections=settings.max_connections,
        max_concurrency=settings.max_concurrency,
    )


def run_service(settings: Settings, announce: Callable[[str], None]) -> int:
    """Serve until told to stop and return the exit code; *announce* gets one line when the service is ready.

    The port is taken and the model is read here, once, before there are workers: what is wrong with either is
    raised once, and all workers, also later replacements, answer from the same model.
    """
    with server.bind(settings.host, settings.port, insecure=settings.insecure) as listener:
        url = server.url(listener)
        scorer = load_model(settings)
        card = f"model {scorer.manifest.airport} {scorer.manifest.version}"
        count = f"{settings.workers} worker{'s' if settings.workers > 1 else ''}"
        return server.run(
            functools.partial(create_service, settings, scorer),
            listener,
            workers=settings.workers,
            limits=server_limits(settings),
            on_ready=lambda: announce(f"Atraso is ready: {url}  ({card}, {count}; stop with Ctrl-C)"),
        )
