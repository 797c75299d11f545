"""The only place where the parts of the service are joined."""

from __future__ import annotations

import contextlib
import functools
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.artefact.store import Store, artefact_stamp
from atraso.bootstrap.access import Access, Entrance, directory_servers
from atraso.bootstrap.challenger_choice import chosen_challenger
from atraso.bootstrap.challenger_process import Challenger
from atraso.bootstrap.ledger_side import LedgerSide
from atraso.bootstrap.model_reference import ModelReference
from atraso.bootstrap.observed import observing_of, prepare_observing
from atraso.bootstrap.promised import SERVER, PromiseTold
from atraso.core.errors import SettingsError
from atraso.ledger.accounts import AccountsFile, Revocation
from atraso.ledger.command_socket import ask_running_writer
from atraso.ledger.commands import Report, Reported, Revoke, RevokeKey
from atraso.ledger.locks import WriterLock
from atraso.ledger.quality_report import QualityFile
from atraso.ledger.run import Mark
from atraso.ledger.shadow_progress import ShadowProgress
from atraso.ledger.spool import FOLDER as SPOOL_FOLDER
from atraso.ledger.spool import Spool
from atraso.ledger.status import StatusBoard
from atraso.serving import server
from atraso.serving.accounts import Accounts, RevocableKind
from atraso.serving.airport_state import StateSource
from atraso.serving.app import Worker, create_app, create_routes
from atraso.serving.books import Books
from atraso.serving.bulletin import Bulletin
from atraso.serving.front import Front
from atraso.serving.gate import ServerLimits
from atraso.serving.guard import Guard
from atraso.serving.internal import Internal
from atraso.serving.key_usage import KeyUsage
from atraso.serving.predictions import Limits
from atraso.serving.processors import processors_for
from atraso.serving.swap import ModelFollower, ModelWatch
from atraso.serving.workers import slots_for
from atraso.settings import Settings
from atraso.telemetry.audit import Audit, audit_to, no_audit
from atraso.telemetry.cells import Board, Recorder

log = logging.getLogger("atraso")

# The writer may just begin, and its database be locked for a moment.
ASK_WITHIN_S = 10.0
# A service that is just ending gives its writer so long.
FREE_WITHIN_S = 5.0


def load_model(settings: Settings) -> Scorer:
    """Return the scorer of the model that *settings* name; raise ArtefactError where it is refused."""
    return load_scorer(model_folder(settings), verify_key=settings.model_verify_key)


def model_store(settings: Settings) -> Store:
    """Return the models at hand in the data folder."""
    return Store(settings.data / "models")


def model_folder(settings: Settings) -> Path:
    """Return where the model to use lies now: the one that is named, or else the active one of the data folder."""
    return settings.model or model_store(settings).in_use()


def create_worker(
    settings: Settings,
    access: Access | None,
    *,
    audit: Audit,
    board: Board,
    recorder: Recorder,
    bulletin: Bulletin,
    ledger: StatusBoard | None = None,
    mark: Mark | None = None,
    state: StateSource | None = None,
    shadowed: ShadowProgress | None = None,
    since_s: float | None = None,
) -> Worker:
    """Return what one process serves with, besides the model.

    *mark* is where it shows how much it has counted; *board* counts since *since_s* (since 1970), or since now.
    """
    spool = None
    if settings.ledger == "spool":
        spool = Spool(settings.data / SPOOL_FOLDER, fsync=settings.ledger_fsync, mark=mark)
    return Worker(
        limits=Limits(max_body_bytes=settings.max_body_bytes),
        guard=_guard(settings, access, audit, recorder),
        accounts=_accounts(settings, access, audit, recorder),
        board=board,
        books=Books(recorder, spool, refuse=settings.ledger_when_full == "refuse"),
        models=model_store(settings),
        bulletin=bulletin,
        ledger=ledger,
        shadowed=shadowed,
        state=state or StateSource(),
        report=functools.partial(_report, settings.data) if _has_ledger(settings) else None,
        quality=QualityFile(settings.data).read if settings.ledger != "off" else None,
        promised=_promised(settings, time.time() if since_s is None else since_s),
        observing=observing_of(settings),
    )


def _promised(settings: Settings, since_s: float) -> PromiseTold:
    prometheus = settings.prometheus_url
    return PromiseTold("" if prometheus is None else prometheus.reveal(), since_s)


def _has_ledger(settings: Settings) -> bool:
    return bool(settings.ways) or settings.ledger != "off"


def _report(data: Path, report: Report) -> Reported:
    reported = ask_running_writer(data, report, ASK_WITHIN_S)
    assert isinstance(reported, Reported)
    return reported


def create_service(settings: Settings, scorer: Scorer) -> Front:
    """Return the application of a process that stands alone."""
    audit = audit_to()
    recorder = Recorder()
    access = Entrance(settings, audit).open(recorder=recorder) if settings.ways else None
    return create_app(
        scorer, create_worker(settings, access, audit=audit, board=Board(), recorder=recorder, bulletin=Bulletin())
    )


def _guard(settings: Settings, access: Access | None, audit: Audit, recorder: Recorder) -> Guard:
    return Guard(access.ways if access else None, audit, metrics_open=settings.metrics_open, recorder=recorder)


def _accounts(settings: Settings, access: Access | None, audit: Audit, recorder: Recorder) -> Accounts:
    if access is None:
        return Accounts()

    def revoke(kind: RevocableKind, value: str, by: str) -> None:
        command = RevokeKey(value) if kind == "key" else Revoke(Revocation(kind, value, int(time.time()), by))
        ask_running_writer(settings.data, command, ASK_WITHIN_S)

    def activate(version: str) -> tuple[str, str]:
        manifest = model_store(settings).activate(version, verify_key=settings.model_verify_key)
        return manifest.airport, manifest.version

    return Accounts(
        log_in=access.log_in,
        jwks=access.tokens.jwks if access.tokens else None,
        revoke=revoke,
        passwords="basic" in settings.ways,
        activate=None if settings.model else activate,
        audit=audit,
        recorder=recorder,
    )


class Service:
    """What the processes of a running service share; made before the workers are forked."""

    def __init__(self, settings: Settings, listeners: server.Listeners) -> None:
        self._settings = settings
        self._since_s = time.time()
        self._board = Board(slots_for(settings.workers), directory_servers(settings))
        self._bulletin = Bulletin()
        prepare_observing(settings)
        self._audit: Audit = audit_to() if settings.ways else no_audit
        self._entrance = Entrance(settings, self._audit) if settings.ways else None
        self.watch = ModelWatch(
            load_model(settings),
            where=functools.partial(model_folder, settings),
            stamp=functools.partial(_model_stamp, settings),
            load=functools.partial(_load_tried, verify_key=settings.model_verify_key),
            bulletin=self._bulletin,
            recorder=self._board.supervisor,
        )
        challenger = chosen_challenger(settings, model_store(settings), self.watch.scorer.manifest)
        self._ledger = self._new_ledger(listeners, challenger) if _has_ledger(settings) else None

    def _new_ledger(self, listeners: server.Listeners, challenger: Challenger | None) -> LedgerSide:
        settings = self._settings
        reference = ModelReference(functools.partial(_model_stamp, settings), functools.partial(load_model, settings))
        return LedgerSide(settings, reference, listeners.close, challenger)

    def in_worker(self, slot: int) -> tuple[Front, Internal, Recorder, Callable[[], None]]:
        """Return a worker's application, that of its internal port, where it counts, and what to do at each beat."""
        recorder = self._board.slot(slot)
        usage = KeyUsage(Spool(self._settings.data / SPOOL_FOLDER))
        access = self._entrance.open(usage, recorder) if self._entrance else None
        worker = create_worker(
            self._settings,
            access,
            audit=self._audit,
            board=self._board,
            recorder=recorder,
            bulletin=self._bulletin,
            ledger=self._ledger.status if self._ledger else None,
            mark=self._ledger.run.mark(slot) if self._ledger else None,
            state=self._ledger.state if self._ledger else None,
            shadowed=self._ledger.shadowed if self._ledger else None,
            since_s=self._since_s,
        )
        scorer = self.watch.scorer
        front = create_app(scorer, worker)
        follower = ModelFollower(
            front,
            scorer.manifest.checksum,
            functools.partial(load_model, self._settings),
            functools.partial(create_routes, worker=worker),
            self._bulletin,
        )

        def at_beat() -> None:
            follower.look()
            usage.look()
            worker.books.look()
            if access is not None:
                access.look()

        return front, Internal(front), recorder, at_beat

    def start(self) -> None:
        """Start what stands beside the workers."""
        if self._ledger is not None:
            self._ledger.look(self.watch.scorer)

    def stop(self) -> None:
        """Stop what stands beside the workers, which have ended."""
        if self._ledger is not None:
            self._ledger.stop()

    def forget_worker(self, slot: int) -> None:
        """Take note that the worker in *slot* has ended, however it ended."""
        if self._ledger is not None:
            self._ledger.bury(slot)

    def tell_workers(self, count: int) -> None:
        """Take note of how many workers are ready."""
        self._board.tell_workers(count)

    def look(self, asked: bool) -> None:
        """Take another model where there is one, read keys again that have changed, and see to what stands beside."""
        self.start()
        if self._entrance is not None:
            self._entrance.look()
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
    _check(settings)
    tls = _tls(settings)
    guarded = bool(settings.ways)
    if settings.ways and not settings.ways & {"ldap", "basic", "oidc", "mtls"}:
        _say_if_nobody_has_a_key(settings)
    with contextlib.ExitStack() as opened:
        main = opened.enter_context(
            server.bind(settings.host, settings.port, guarded=guarded, insecure=settings.insecure)
        )
        internal = None
        if settings.metrics_port is not None:
            internal = opened.enter_context(server.bind(settings.host, settings.metrics_port, guarded=True))
        listeners = server.Listeners(main, internal, tls)
        url = server.url(main, tls=tls is not None)
        if _has_ledger(settings):
            _refuse_beside_another(settings)
        service = Service(settings, listeners)
        service.start()
        opened.callback(service.stop)
        manifest = service.watch.scorer.manifest
        card = f"model {manifest.airport} {manifest.version}"
        count = f"{settings.workers} worker{'s' if settings.workers > 1 else ''}"
        if internal is not None:
            card = f"{card}, metrics {server.url(internal)}/metrics"
        return server.run(
            service,
            listeners,
            workers=settings.workers,
            limits=server_limits(settings),
            processors=processors_for(settings.workers, settings.cpu_affinity),
            on_ready=lambda: announce(f"Atraso is ready: {url}  ({card}, {count}; stop with Ctrl-C)"),
        )


def _check(settings: Settings) -> None:
    """Raise SettingsError for what would only fail later, in a process beside."""
    if settings.metrics_port and settings.metrics_port == settings.port:
        raise SettingsError(
            f"metrics_port is {settings.port}, which is the main port: choose another, or 0 for a free one."
        )
    if settings.prometheus_url is not None and not SERVER.fullmatch(settings.prometheus_url.reveal()):
        raise SettingsError("prometheus_url is not the address of a server, such as http://prometheus:9090.")
    if settings.ledger_url is not None:
        from atraso.ledger.database import ledger_url, open_engine  # noqa: PLC0415 - seldom needed here

        open_engine(ledger_url(settings.data, settings.ledger_url.reveal())).dispose()
    if _has_ledger(settings):
        try:
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"The data folder {settings.data} cannot be made: {error.strerror}.") from None


def _refuse_beside_another(settings: Settings) -> None:
    """Raise LedgerError where another process keeps writing to the same ledger: it would take in our spools as its own.

    One that is just ending is waited for. A folder that cannot be used now is the writer's to tell, and to wait for.
    """
    url = None
    if settings.ledger_url is not None:
        from atraso.ledger.database import ledger_url  # noqa: PLC0415 - seldom needed here

        url = ledger_url(settings.data, settings.ledger_url.reveal())
    lock = WriterLock(settings.data, url)
    try:
        with contextlib.suppress(OSError):
            lock.take(FREE_WITHIN_S)
    finally:
        lock.release()


def _say_if_nobody_has_a_key(settings: Settings) -> None:
    accounts = AccountsFile(settings.data)
    if accounts.stamp() is None or not accounts.read().keys:
        log.warning("Nobody has a key yet: make one with `atraso keys create --name NAME --role predict`.")


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None and settings.tls_key is None:
        return None
    if settings.tls_certificate is None or settings.tls_key is None:
        raise SettingsError("tls_certificate and tls_key belong together: set both, or neither.")
    return server.tls_context(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
