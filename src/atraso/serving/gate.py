"""What the connections of one worker share: limits, the bytes held for all, the clock for the slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from atraso.serving.books import NOT_KEPT
from atraso.serving.outbox import Outbox
from atraso.serving.refusals import refusal
from atraso.serving.returns import EVERY_WAIT_S, Returns
from atraso.telemetry.cells import Recorder

if TYPE_CHECKING:
    from atraso.serving.observing import Observing

Headers = Sequence[tuple[bytes, bytes]]

KIB = 1024
MIB = 1024 * KIB

# An honest large body needs longer than a small one: each 256 KiB that arrived buys one more second.
BODY_BYTES_PER_SECOND = 256 * KIB
# A client that reads its answer more slowly than this in each write timeout is not reading it.
MIN_WRITE_PROGRESS_BYTES = 4 * KIB
# After a refusal we read on for a moment, because closing on unread bytes makes the kernel reset the
# connection and the client lose the answer. Both bounds keep that courtesy from becoming a hole.
LINGER_S = 2.0
LINGER_BYTES = 16 * MIB
MAX_LINGERING = 1000
# Together at most 2 MiB a worker.
MAX_HEADS_REMEMBERED = 1024
MAX_HEAD_REMEMBERED_BYTES = 2 * KIB
BUSY = "The service is answering as many requests as it can; try again shortly."


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one worker accepts of its clients; times in seconds, sizes in bytes, counts per worker.

    `max_concurrency` counts complete requests that are being answered, not clients that are still sending.
    `max_buffered_bytes` is the memory that the bodies of all connections may hold together.
    """

    head_timeout_s: float = 5.0
    body_timeout_s: float = 5.0
    keep_alive_timeout_s: float = 60.0
    write_timeout_s: float = 10.0
    shutdown_timeout_s: float = 1.5
    max_head_bytes: int = 16 * KIB
    max_body_bytes: int = 4 * MIB
    max_buffered_bytes: int = 32 * MIB
    max_connections: int = 16_000
    max_concurrency: int = 1000

    @property
    def sweep_interval_s(self) -> float:
        """Return how often to look at deadlines: every 0.25 s, or four times within the shortest of them."""
        clients = min(self.head_timeout_s, self.body_timeout_s, self.keep_alive_timeout_s)
        return min(0.25, clients / 4, self.write_timeout_s / 4)


class Expiring(Protocol):
    """A connection with a moment (of the monotonic clock) at which it wants to be looked at."""

    deadline: float
    transport: asyncio.Transport

    def expire(self, now: float) -> None:
        """Do what is due: close, refuse, or name a later deadline."""


class KnownHead(NamedTuple):
    """What the parser made of a head: the length of its body, its route in the metrics, and what answers it."""

    body_bytes: int
    route: int
    answering: Callable[[bytes], bytes | None]


class Heads(dict[bytes, KnownHead]):
    """Heads of requests that were parsed and answered before, by their bytes: the same bytes mean the same again.

    A client that keeps its connection sends the same few heads over and over; looking one up costs a hundredth of
    parsing it.
    """

    def learn(self, head: bytes, known: KnownHead) -> None:
        """Keep *head*, unless it is long; all are forgotten when there are too many."""
        if len(head) <= MAX_HEAD_REMEMBERED_BYTES:
            if len(self) >= MAX_HEADS_REMEMBERED:
                self.clear()
            self[head] = known


class Gate:
    """Shared by all connections of a worker; one timer looks after all their deadlines.

    A timer per request would cost more than the request's own parsing, so each connection only writes a
    number and the sweep compares it.
    """

    def __init__(
        self,
        limits: ServerLimits,
        recorder: Recorder | None = None,
        settle: Callable[[], bool] | None = None,
        observing: Observing | None = None,
    ) -> None:
        self.limits = limits
        self.observing = observing
        self.recorder = recorder or Recorder()
        self.outbox = Outbox(self.recorder, settle, self.not_kept)
        self.heads = Heads()
        self.buffered_bytes = 0
        self.working = 0
        self.lingering: set[Expiring] = set()
        self.returns = Returns()
        self._watching = False
        self._head_for: Headers = ()
        self._head = b""
        self._busy_for: object = None
        self._busy: dict[int, bytes] = {}

    def head_of(self, default_headers: Headers, answer_headers: Headers) -> bytes:
        """Return the head of an answer at once, up to its length; made anew when the date in the defaults changes."""
        if self._head_for is not default_headers:
            lines = [b"%b: %b\r\n" % header for header in (*default_headers, *answer_headers)]
            self._head = b"".join((b"HTTP/1.1 200 OK\r\n", *lines, b"content-length: "))
            self._head_for = default_headers
        return self._head

    def busy(self, default_headers: Headers) -> bytes:
        """Return a whole refusal of one request too many; made anew when the date in the defaults changes."""
        if self._busy_for is not default_headers:
            self._busy = {
                seconds: refusal(503, BUSY, (*default_headers, (b"retry-after", b"%d" % seconds)), close=False)
                for seconds in EVERY_WAIT_S
            }
            self._busy_for = default_headers
        return self._busy[self.returns.next_s()]

    def not_kept(self) -> bytes:
        """Return a whole refusal of a request whose answer was at hand and cannot be kept."""
        retry_after = (b"retry-after", b"%d" % self.returns.next_s())
        return refusal(503, NOT_KEPT, (*self._head_for, retry_after), close=False)

    def end_work(self, _: object) -> None:
        """Count one piece of work less."""
        self.working -= 1

    def watch(self, loop: asyncio.AbstractEventLoop, connections: Set[Expiring]) -> None:
        """Start the sweep over *connections* (a living set) on *loop*, once."""
        if not self._watching:
            self._watching = True
            self.returns.connections = connections
            self._sweep(loop, connections)

    def _sweep(self, loop: asyncio.AbstractEventLoop, connections: Set[Expiring]) -> None:
        loop.call_later(self.limits.sweep_interval_s, self._sweep, loop, connections)
        now = time.monotonic()
        due = [connection for connection in connections if connection.deadline <= now]
        due += [connection for connection in self.lingering if connection.deadline <= now]
        for connection in due:
            connection.expire(now)
