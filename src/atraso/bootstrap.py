"""The only place where the parts of the service are joined."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.artefact.store import Store, artefact_stamp
from atraso.identity.keys import KeyFile
from atraso.ledger.spool import Spool
from atraso.serving import server
from atraso.serving.app import Worker, create_app, create_routes
from atraso.serving.books import Books
from atraso.serving.bulletin import Bulletin
from atraso.serving.front import Front
from atraso.serving.gate import ServerLimits
from atraso.serving.guard import Guard
from atraso.serving.predictions import Limits
from atraso.serving.swap import ModelFollower, ModelWatch
from atraso.serving.workers import slots_for
from atraso.settings import Settings
from atraso.telemetry.cells import Board, Recorder

log = logging.getLogger("atraso")


def load_model(settings: Settings) -> Scorer:
    """Return the scorer of the model that *settings* name; raise ArtefactError where it is refused."""
    return load_scorer(model_folder(settings), verify_key=settings.model_verify_key)


def model_store(settings: Settings) -> Store:
    """Return the models at hand in the data folder."""
    return Store(settings.data / "models")


def model_folder(settings: Settings) -> Path:
    """Return where the model to use lies now: the one that is named, or else the active one of the data folder."""
    return settings.model or model_store(settings).in_use()


def create_worker(settings: Settings, guard: Guard, board: Board, recorder: Recorder, bulletin: Bulletin) -> Worker:
    """Return what one process serves with, besides the model."""
    spool = Spool(settings.data / "spool") if settings.ledger == "spool" else None
    return Worker(
        limits=Limits(max_body_bytes=settings.max_body_bytes),
        guard=guard,
        board=board,
        books=Books(recorder, spool),
        models=model_store(settings),
        bulletin=bulletin,
    )


def create_service(settings: Settings, scorer: Scorer) -> Front:
    """Return the application of a process that stands alone."""
    return create_app(scorer, create_worker(settings, _guard(settings), Board(), Recorder(), Bulletin()))


def _guard(settings: Settings) -> Guard:
    return Guard(KeyFile(settings.data) if settings.auth == "keys" else None)


class Service:
    """What the processes of a running service share; made before the workers are forked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._board = Board(slots_for(settings.workers))
        self._bulletin = Bulletin()
        self._guard = _guard(settings)
        self._guard.look()
        self.watch = ModelWatch(
            load_model(settings),
            where=functools.partial(model_folder, settings),
            stamp=functools.partial(_model_stamp, settings),
            load=functools.partial(_load_tried, verify_key=settings.model_verify_key),
            bulletin=self._bulletin,
            recorder=self._board.supervisor,
        )

    def in_worker(self, slot: int) -> tuple[Front, Recorder, Callable[[], None]]:
        """Return a worker's application, where it counts, and what it is to do at each beat."""
        recorder = self._board.slot(slot)
        worker = create_worker(self._settings, self._guard, self._board, recorder, self._bulletin)
        scorer = self.watch.scorer
        front = create_app(scorer, worker)
        follower = ModelFollower(
            front,
            scorer.manifest.checksum,
            functools.partial(load_model, self._settings),
            functools.partial(create_routes, worker=worker),
            self._bulletin,
        )
        return front, recorder, follower.look

    def tell_workers(self, count: int) -> None:
        """Take note of how many workers are ready."""
        self._board.tell_workers(count)

    def look(self, asked: bool) -> None:
        """Take another model where there is one, and read the keys again where they have changed."""
        self._guard.look()
        self.watch.look(asked=asked)


def _model_stamp(settings: Settings) -> object:
    """Return what changes when another model is to be used, or the same one again, or when its files are others."""
    chosen = None if settings.model else model_store(settings).stamp()
    return chosen, artefact_stamp(model_folder(settings))


def _load_tried(folder: Path, verify_key: Path | None) -> Scorer:
    """Return the model in *folder*, after making with it all that a worker makes."""
    scorer = load_scorer(folder, verify_key=verify_key)
    create_routes(scorer, Worker())
    return scorer


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
        service = Service(settings)
        manifest = service.watch.scorer.manifest
        card = f"model {manifest.airport} {manifest.version}"
        count = f"{settings.workers} worker{'s' if settings.workers > 1 else ''}"
        return server.run(
            service,
            listener,
            workers=settings.workers,
            limits=server_limits(settings),
            on_ready=lambda: announce(f"Atraso is ready: {url}  ({card}, {count}; stop with Ctrl-C)"),
        )
