"""One client's connection: whose turn it is, its deadlines, and refusals that the client can read."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from atraso.serving.exchange import Exchange
from atraso.serving.gate import (
    BODY_BYTES_PER_SECOND,
    BUSY,
    LINGER_BYTES,
    LINGER_S,
    MAX_LINGERING,
    MIN_WRITE_PROGRESS_BYTES,
    Gate,
)
from atraso.serving.marks import PROBE
from atraso.serving.observe import outcome_of, route_of
from atraso.serving.problems import HIDDEN, refusal_of
from atraso.serving.refusals import refusal
from atraso.telemetry.names import ROUTES, Outcome
from atraso.telemetry.traces import Trace

# From the body of a request to the JSON of its answer, or None where that takes waiting.
Answering = Callable[[bytes], bytes | None]

# Where the bytes stand: between requests, in a head, in a body, or past caring.
IDLE, HEAD, BODY, REFUSED = range(4)
# How many requests that came together may be answered at once; after them other clients have their turn.
AT_ONCE_IN_A_ROW = 16
# How long an idle connection may still ask when the service stops: a client on a busy machine waits to be run.
IDLE_GRACE_S = 1.0


class Connection(HttpToolsProtocol):
    """Everything of a limited connection but the reading of requests, which is its subclass's."""

    deadline = inf
    url = b""  # of the request that is arriving, as far as it has come

    def __init__(
        self,
        gate: Gate,
        *,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.gate = gate
        self.limits = gate.limits
        self._first_look_s = min(self.limits.write_timeout_s, self.limits.keep_alive_timeout_s)
        self._phase = IDLE
        # Of the head or body that is arriving: when it was first seen incomplete (0: it was not), and how
        # many bytes were fed for it in whole pieces (negative inside the piece that began it).
        self._since = 0.0
        self._spent = 0
        self._announced = 0
        self._received = 0
        self._chunks: list[bytes] = []
        self._unfed: memoryview | None = None
        # Of the requests that are complete. The application may have answers that need no task of their own.
        self._once: Callable[[Any], Answering | None] | None = getattr(self.app, "once", None)
        self._at_once_left = AT_ONCE_IN_A_ROW
        self._at_work: Exchange | None = None
        self._task: asyncio.Task[None]
        self._waiting: deque[Exchange] = deque()
        self._held_bytes = 0
        # Of the end.
        self._stopping = False
        self._half_closed = False
        self._refusal = b""
        self._refused_as, self._refused_at = 0, 0.0
        self._discarded = 0
        self._answered_at = 0.0
        self._unsent = 0

    def _read_on(self) -> None:
        """Parse what was left unparsed while requests waited."""
        raise NotImplementedError

    # --- life and death -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the client in, or turn it away at once when the worker has as many as it may have."""
        full = len(self.connections) >= self.limits.max_connections
        super().connection_made(transport)
        # Of a client that showed a certificate, which was verified before this.
        self._certificate: Mapping[str, Any] | None = transport.get_extra_info("peercert") or None
        self.gate.watch(self.loop, cast("set[Connection]", self.connections))
        self.deadline = time.monotonic() + self.limits.head_timeout_s
        if full:
            self._refuse(503, "The service has as many connections as it can hold; try again shortly.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back everything that was held for this client."""
        self.deadline = inf
        self._phase = REFUSED
        self.connections.discard(self)
        self.gate.lingering.discard(self)
        self._release(self._held_bytes)
        if self._at_work is not None:
            # The application goes on for nobody; its work counts until it ends.
            self._at_work.leave()
            self._task.add_done_callback(self.gate.end_work)
        self._waiting.clear()
        self._chunks = []
        self._unfed = None
        self.flow.resume_writing()
        self.parser = None  # type: ignore[assignment]  # it holds our methods, and we it

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the way back open while an answer is due: a client may close its half after asking."""
        self._half_closed = True
        self.gate.outbox.send_all()
        if self._at_work is not None:
            self._end_after_last()
            return True
        if self._phase == BODY:
            self._refuse(400, f"The body ended after {self._received:,} bytes, before it was complete.")
        elif self._phase == HEAD:
            self._refuse(400, "The request ended before its head was complete.")
        return False

    def shutdown(self) -> None:
        """Finish what is complete and give half the stopping time to the rest; close when idle, after a moment.

        A client that asks again and again may have its next request under way: it is still answered, and told that
        the connection ends there.
        """
        self._stopping = True
        self.gate.outbox.send_all()
        idle = self._at_work is None and self._phase == IDLE and not self._spent
        grace_s = min(IDLE_GRACE_S if idle else inf, self.limits.shutdown_timeout_s / 2)
        self.deadline = min(self.deadline, time.monotonic() + grace_s)
        if self._at_work is not None:
            self._end_after_last()

    def _end_after_last(self) -> None:
        if self._at_work is not None and not self._waiting:
            self._at_work.keep_alive = False

    # --- turns ----------------------------------------------------------------------------------------------

    def _hold(self, size: int) -> bool:
        """Count *size* bytes as held for this client; False when the worker may not hold them."""
        self._held_bytes += size
        self.gate.buffered_bytes += size
        return self.gate.buffered_bytes <= self.limits.max_buffered_bytes

    def _release(self, size: int) -> None:
        self._held_bytes -= size
        self.gate.buffered_bytes -= size

    def _next(self) -> None:
        """Begin the oldest request that waits; one whose turn comes while the worker is full is refused."""
        while self._waiting:
            exchange = self._waiting.popleft()
            if self._stopping and not self._waiting:
                exchange.keep_alive = False
            if self.gate.working < self.limits.max_concurrency:
                if self._answered_at_once(exchange):
                    continue
                self._begin(exchange)
                return
            self._release(exchange.held_bytes)
            self.gate.outbox.send_all()
            keep_alive, with_body = exchange.keep_alive, exchange.scope["method"] != "HEAD"
            self.transport.write(self._render(503, BUSY, close=not keep_alive, with_body=with_body))
            now = self._count(route_of(exchange.scope["path"]), 503, exchange.arrived_at, exchange)
            if not keep_alive:
                self.transport.close()
                self._waiting.clear()
            self._rest(now)

    def _answered_at_once(self, exchange: Exchange) -> bool:
        """Answer a request whose answer needs no waiting; False where it is to take the ordinary way."""
        if self._once is None or not exchange.keep_alive or not self._at_once_left or self.flow.write_paused:
            return False
        if exchange.picked or (exchange.told and self._is_special(exchange)):
            return False
        answering = self._once(exchange.scope)
        if answering is None or exchange.body is None:
            return False
        self._at_once_left -= 1
        route = route_of(exchange.scope["path"])
        lag = self.gate.outbox.lag
        if exchange.arrived_at > lag.look_at and lag.too_many(exchange.arrived_at):
            self._release(exchange.held_bytes)
            self._refuse_at_once(route, exchange.arrived_at)
            return True
        if not self._answer(answering, route, exchange.body, exchange.arrived_at, exchange.trace):
            return False
        if exchange.held_bytes:
            self._release(exchange.held_bytes)
        if not exchange.told:  # what is told of one request is not told again
            self._learn(answering, route, exchange.body)
        return True

    def _is_special(self, exchange: Exchange) -> bool:
        """Return whether more has to be known of a request than an answer at once would tell."""
        observing = self.gate.observing
        return PROBE in exchange.told or (observing is not None and observing.follows(exchange.trace))

    def _answer(
        self, answering: Answering, route: int, body: bytes, arrived_at: float, trace: Trace | None = None
    ) -> bool:
        """Write the answer to *body* that needs no waiting; False where there is none."""
        try:
            content = answering(body)
        except Exception as error:
            # A fault that the ordinary way might not meet, so it is told here.
            self.gate.outbox.send_all()
            told = refusal_of(error, ROUTES[route])
            self.transport.write(self._render(told.status, HIDDEN, close=False, with_body=True))
            self._rest(self._count(route, told.status, arrived_at))
            return True
        if content is None:
            return False
        head = self.gate.head_of(self.server_state.default_headers, self.app.answer_headers)
        if trace is None:
            answer = b"%b%d\r\n\r\n%b" % (head, len(content), content)
        else:
            answer = b"%b%d\r\ntraceresponse: %b\r\n\r\n%b" % (head, len(content), trace.response(), content)
        self.gate.outbox.send(self.loop, self.transport, answer, route, arrived_at)
        self._rest(arrived_at)
        return True

    def _refuse_at_once(self, route: int, arrived_at: float) -> None:
        """Tell a client that the worker has too much to answer; the connection stays."""
        answer = self.gate.busy(self.server_state.default_headers)
        self.gate.outbox.send(self.loop, self.transport, answer, route, arrived_at, Outcome.SHED_503)
        self._rest(arrived_at)

    def _learn(self, answering: Answering, route: int, body: bytes) -> None:
        """Note the head of a request that came in one piece: the same bytes need not be parsed again."""
        raise NotImplementedError

    def _count(self, route: int, status: int, arrived_at: float, exchange: Exchange | None = None) -> float:
        """Count an answer, tell of it where that is wanted, and return the time."""
        now = time.monotonic()
        outcome, seconds = outcome_of(status), now - arrived_at
        self.gate.recorder.answered(route, outcome, seconds)
        if self.gate.observing is not None:
            self.gate.observing.answered(exchange, route, outcome, status=status, seconds=seconds)
        return now

    def _begin(self, exchange: Exchange) -> None:
        self._at_once_left = AT_ONCE_IN_A_ROW  # while the task waits for its turn, others have theirs
        self._at_work = exchange
        self.gate.working += 1
        if not self.flow.write_paused:
            self.deadline = inf
        self._task = task = self.loop.create_task(exchange.run(self.app))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def on_response_complete(self) -> None:
        """Go on with what waits: the next request, a refusal, or bytes not yet parsed."""
        self.gate.working -= 1
        exchange, self._at_work = self._at_work, None
        if exchange is not None:
            self._release(exchange.held_bytes)
            route = route_of(exchange.scope["path"])
            self._rest(self._count(route, exchange.status, exchange.arrived_at, exchange))
        if self.transport.is_closing():
            return
        if self._waiting:
            self._next()
            if self._at_work is not None:
                return
        if self._refusal:
            self._say_refusal()
        elif self._phase == BODY or self.flow.read_paused:
            self._read_on()

    def _rest(self, now: float) -> None:
        """Set the deadline of a connection that has had its answers *now*."""
        self._answered_at = now
        if self.flow.write_paused:
            return
        self._unsent = 0
        if self._since:
            self._since = now
            self.deadline = now + self.limits.head_timeout_s
        else:
            # The answer may not have left yet, so the first look is for that.
            self.deadline = now + self._first_look_s

    def pause_writing(self) -> None:
        """Make the application wait, and start the clock for the client to read."""
        super().pause_writing()
        self._unsent = self.transport.get_write_buffer_size()
        self.deadline = time.monotonic() + self.limits.write_timeout_s

    def resume_writing(self) -> None:
        """Let the application go on."""
        super().resume_writing()
        if self._at_work is not None:
            self.deadline = inf
        else:
            self._rest(time.monotonic())

    # --- deadlines ------------------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """Do what is due at the deadline."""
        unsent = self.transport.get_write_buffer_size()
        if self._refusal and self._at_work is None:
            self.transport.abort()
        elif unsent:
            self._expire_unread(now, unsent)
        elif self._at_work is not None:
            self.deadline = inf
        elif self.transport.is_closing():
            self.transport.abort()
        elif self._stopping and self._phase == IDLE and not self._spent:
            self.transport.close()
        elif self._stopping:
            self._refuse(503, "The service is stopping; try again shortly.")
        elif self._phase == BODY:
            self._expire_body(now)
        elif self._phase == HEAD or self._spent:
            self._refuse(408, f"The request head did not arrive within {self.limits.head_timeout_s:g} s.")
        elif self._answered_at and now < self._answered_at + self.limits.keep_alive_timeout_s:
            self.deadline = self._answered_at + self.limits.keep_alive_timeout_s
        else:
            self.transport.close()

    def _expire_unread(self, now: float, unsent: int) -> None:
        stalled = self._unsent and unsent > self._unsent - MIN_WRITE_PROGRESS_BYTES
        if stalled or self._stopping:
            self.transport.abort()
        self._unsent = unsent
        self.deadline = now + self.limits.write_timeout_s

    def _expire_body(self, now: float) -> None:
        allowed_s = self.limits.body_timeout_s + self._received / BODY_BYTES_PER_SECOND
        if now < self._since + allowed_s:
            self.deadline = self._since + allowed_s
        else:
            so_far = f"{self._received:,} of {self._announced:,}" if self._announced else f"{self._received:,}"
            self._refuse(408, f"The body did not arrive in time: {so_far} bytes in {allowed_s:.3g} s.")

    # --- refusals -------------------------------------------------------------------------------------------

    def _render(self, status: int, detail: str, *, close: bool, with_body: bool) -> bytes:
        headers = list(self.server_state.default_headers)
        if status == 503:
            headers.append((b"retry-after", b"%d" % self.gate.returns.next_s()))
        path = self.url.partition(b"?")[0].decode("latin-1")
        return refusal(status, detail, headers, close=close, with_body=with_body, path=path)

    def _refuse(self, status: int, detail: str) -> None:
        """Refuse what is arriving and all that follows; said after the answers to the requests before."""
        with_body = self._phase == IDLE or self.scope.get("method") != "HEAD"
        self._refusal = self._render(status, detail, close=True, with_body=with_body)
        self._refused_as, self._refused_at = status, time.monotonic()
        self._phase = REFUSED
        self._unfed = None
        self._chunks = []
        if self._at_work is None:
            self._say_refusal()

    def _say_refusal(self) -> None:
        transport, gate = self.transport, self.gate
        if transport.is_closing():
            return
        gate.outbox.send_all()
        transport.write(self._refusal)
        self._release(self._held_bytes)
        path = self.url.partition(b"?")[0].decode("latin-1")
        # What never arrived whole has no last byte to be timed from: the wait for it was the client's, not ours.
        now = self._count(route_of(path), self._refused_as, self._refused_at)
        self.deadline = now + LINGER_S
        if self._half_closed or not transport.can_write_eof() or len(gate.lingering) >= MAX_LINGERING:
            transport.close()
        else:
            # From here on it is leaving, and holds no place that another client could have.
            self.connections.discard(self)
            gate.lingering.add(self)
            transport.write_eof()
            self.flow.resume_reading()

    def _discard(self, size: int) -> None:
        """Read on after a refusal, for a while."""
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            self.transport.abort()
