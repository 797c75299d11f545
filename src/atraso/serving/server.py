"""Runs an application on uvicorn in several worker processes behind one listening socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import gc
import ipaddress
import logging
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from uvicorn.config import Config
from uvicorn.server import Server

from atraso.core.errors import AtrasoError, SettingsError
from atraso.serving.accepting import Acceptor, Shares
from atraso.serving.gate import Gate, ServerLimits
from atraso.serving.protocol import LimitedProtocol
from atraso.serving.workers import BEAT_EVERY_S, Beat, Supervisor, slots_for
from atraso.telemetry.cells import Recorder

logger = logging.getLogger("atraso.serving")

# An ASGI application; what it takes and gives is checked by the application's own types.
Application = Callable[..., Any]

BACKLOG = 4096
# File descriptors of a worker that are not clients: sockets of the loop, pipes, files, lingering refusals.
OWN_FILES = 1100
USER_ERROR = 2
GARBAGE_AFTER = 20_000  # objects; Python's own is 700, which a batch of flights reaches a hundred times


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the service is reached: the main one, and where there is one, another for metrics and health alone."""

    main: socket.socket
    internal: socket.socket | None = None
    tls: ssl.SSLContext | None = None  # of the main one

    def listen(self) -> None:
        """Let clients queue."""
        self.main.listen(BACKLOG)
        if self.internal is not None:
            self.internal.listen(BACKLOG)

    def close(self) -> None:
        """Let no further clients queue."""
        self.main.close()
        if self.internal is not None:
            self.internal.close()


class Served(Protocol):
    """What is served: made before the workers are forked."""

    def in_worker(self, slot: int) -> tuple[Application, Application, Recorder, Callable[[], None]]:
        """Return a worker's application, the one for its internal port, where it counts, and what to do at each beat.

        Called in the worker's process.
        """

    def tell_workers(self, count: int) -> None:
        """Take note of how many workers are ready."""

    def forget_worker(self, slot: int) -> None:
        """Take note that the worker in *slot* has ended, before another takes its place."""

    def look(self, asked: bool) -> None:
        """Look whether something has changed; *asked* by a signal, or just now and then. Called in the supervisor."""


def run(
    served: Served,
    listeners: Listeners,
    *,
    workers: int,
    limits: ServerLimits,
    processors: Sequence[int],
    on_ready: Callable[[], None],
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, or that of workers that could not start.

    Each worker keeps to one of *processors*, where there are any. *on_ready* is called here once all workers accept.
    """
    limits = _within_file_limit(limits)
    listeners.listen()
    shares = Shares(slots_for(workers))

    def work(beat: Beat, slot: int) -> None:
        try:
            app, internal, recorder, at_beat = served.in_worker(slot)
        except AtrasoError as error:
            sys.stderr.write(f"atraso: {error}\n")
            sys.exit(USER_ERROR)
        server = LimitedServer(
            app,
            Gate(limits, recorder, getattr(app, "settle", None), getattr(app, "observing", None)),
            beat,
            at_beat,
            shares=shares,
            slot=slot,
            tls=listeners.tls,
            internal=(listeners.internal, internal) if listeners.internal else None,
        )
        signal.signal(signal.SIGTERM, server.handle_exit)
        # What the parent had is frozen; of what is new hardly anything is a cycle.
        gc.set_threshold(GARBAGE_AFTER)
        server.run(sockets=[listeners.main])

    def on_gone(slot: int) -> None:
        shares.forget(slot)
        served.forget_worker(slot)

    # A worker needs a moment besides the time it gives its clients: to notice, and to end its process.
    supervisor = Supervisor(
        work,
        workers,
        on_ready=on_ready,
        on_count=served.tell_workers,
        on_tick=served.look,
        on_gone=on_gone,
        stop_within_s=limits.shutdown_timeout_s + 0.2,
        processors=processors,
    )
    return supervisor.run(before_stop=listeners.close)


def bind(host: str, port: int, *, guarded: bool = False, insecure: bool = False) -> socket.socket:
    """Return a bound socket that does not listen yet; raise SettingsError with what to do instead.

    An address that other machines can reach is refused unless the service is *guarded*, or *insecure* says that this is
    meant.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(f"The host {host!r} is not an address of this machine: {error.strerror}.") from None
    if not all(ipaddress.ip_address(place[4][0]).is_loopback for place in found):
        if not guarded and not insecure:
            raise SettingsError(
                f"Listening on {host} would let other machines in, and nobody is asked who they are: set "
                "ATRASO_AUTH=keys, use 127.0.0.1, or say --insecure (ATRASO_INSECURE=true) where the network itself is "
                "guarded."
            )
        if not guarded:
            logger.warning("Whoever reaches %s may use this service: nobody is asked who they are.", host)
    # A name such as localhost may stand for both families; most clients try the older one.
    found.sort(key=lambda place: place[0] != socket.AF_INET)
    family, kind, protocol, _, where = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(where)
    except OSError as error:
        listener.close()
        raise SettingsError(_cannot_bind(host, port, error)) from None
    return listener


def url(listener: socket.socket, *, tls: bool = False) -> str:
    """Return the address of *listener* as a client would write it."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def tls_context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """Return how to serve HTTPS; with *client_ca* clients may show a certificate, which then has to be a good one.

    Raises SettingsError for files that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"The certificate {certificate} with the key {key} cannot be used: {error}.") from None
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"The authorities in {client_ca} cannot be used: {error}.") from None
        context.verify_mode = ssl.CERT_OPTIONAL  # who shows none may still have a token
    return context


class LimitedServer(Server):
    """uvicorn's server for one worker, serving *app* through *gate*; it beats while its event loop runs."""

    def __init__(
        self,
        app: Application,
        gate: Gate,
        beat: Callable[[], bool],
        at_beat: Callable[[], None] = lambda: None,
        *,
        shares: Shares | None = None,
        slot: int = 0,
        tls: ssl.SSLContext | None = None,
        internal: tuple[socket.socket, Application] | None = None,
    ) -> None:
        self.gate = gate
        self._tls = tls
        self._internal = internal
        self._shares, self._slot = shares or Shares(1), slot
        self._acceptors: list[Acceptor] = []
        self._beat, self._at_beat = beat, at_beat
        super().__init__(_config(app, self.gate))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept clients, and begin to beat."""
        for listener in sockets or ():
            listener.listen(BACKLOG)
        await super().startup([])
        connections = self.server_state.connections
        for listener in sockets or ():
            self._acceptors.append(
                Acceptor(listener, connections, self._protocol, self._shares, self._slot, tls=self._tls)
            )
        if self._internal is not None:
            listener, app = self._internal
            config = _config(app, Gate(self.gate.limits, self.gate.recorder))
            config.load()
            make = functools.partial(self._protocol, config)
            self._acceptors.append(Acceptor(listener, (), make, Shares(1), 0))  # few come here: whoever is first
        self._keep_beating(asyncio.get_running_loop())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the clients end as they may, and cut off those that are left."""
        while self._acceptors:
            self._acceptors.pop().close()
        await super().shutdown(sockets)
        for connection in [*self.server_state.connections, *self.gate.lingering]:
            connection.transport.abort()
        await asyncio.sleep(0)
        if self.gate.observing is not None:
            self.gate.observing.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone: they are the worker's, and the supervisor's."""
        yield

    def _protocol(self, config: Config | None = None) -> asyncio.Protocol:
        config = config or self.config
        return config.http_protocol_class(  # type: ignore[call-arg]
            config=config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _keep_beating(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._beat():
            self.should_exit = True
        self._at_beat()
        for acceptor in self._acceptors:
            acceptor.tell()
        loop.call_later(BEAT_EVERY_S, self._keep_beating, loop)


def _config(app: Application, gate: Gate) -> Config:
    return Config(
        lambda: app,
        factory=True,
        interface="asgi3",
        http=functools.partial(LimitedProtocol, gate),  # type: ignore[arg-type]
        ws="none",
        loop="uvloop",
        lifespan="off",  # nothing needs it yet
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        # The protocol ends stuck clients in half of this; what is left over is work that takes too long.
        timeout_graceful_shutdown=max(gate.limits.shutdown_timeout_s - 0.3, 0.0),  # type: ignore[arg-type]
    )


def _within_file_limit(limits: ServerLimits) -> ServerLimits:
    """Raise the soft limit on open files as far as allowed, and lower the connections to what then fits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, limits.max_connections + OWN_FILES)
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    fits = max(soft - OWN_FILES, soft // 2)
    if fits < limits.max_connections:
        logger.warning("This machine allows %d open files, so a worker takes %d connections.", soft, fits)
        return replace(limits, max_connections=fits)
    return limits


def _cannot_bind(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return (
            f"Port {port} on {host} is already in use: stop what listens there, or choose another port "
            f"(atraso serve --port {other}, or make run PORT={other})."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} on {host} needs more rights than this user has: choose one above 1023 (PORT=5000)."
    return f"Cannot listen on {host}, port {port}: {error.strerror}."
