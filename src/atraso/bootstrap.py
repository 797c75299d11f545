"""The only place where the parts of the service are joined."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.identity.keys import KeyFile
from atraso.ledger.spool import Spool
from atraso.serving import server
from atraso.serving.app import Worker, create_app
from atraso.serving.books import Books
from atraso.serving.front import Front
from atraso.serving.gate import ServerLimits
from atraso.serving.guard import Guard
from atraso.serving.predictions import Limits
from atraso.settings import Settings
from atraso.telemetry.cells import Board, Recorder

log = logging.getLogger("atraso")


def load_model(settings: Settings) -> Scorer:
    """Return the scorer of the model that *settings* name; raise ArtefactError where it is refused."""
    return load_scorer(settings.model, verify_key=settings.model_verify_key)


def create_service(
    settings: Settings, scorer: Scorer, board: Board | None = None, recorder: Recorder | None = None
) -> Front:
    """Return the application; each process makes its own. Its metrics are its own where none are given."""
    worker = Worker(
        limits=Limits(max_body_bytes=settings.max_body_bytes),
        guard=Guard(KeyFile(settings.data) if settings.auth == "keys" else None),
        board=board or Board(),
        books=Books(recorder or Recorder(), Spool(settings.data / "spool") if settings.ledger == "spool" else None),
    )
    return create_app(scorer, worker)


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
    guarded = settings.auth != "none"
    if guarded and not KeyFile(settings.data).read():
        log.warning("Nobody has a key yet: make one with `atraso keys create --name NAME --role predict`.")
    with server.bind(settings.host, settings.port, guarded=guarded, insecure=settings.insecure) as listener:
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
