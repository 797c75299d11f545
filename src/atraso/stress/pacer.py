"""A load generator in a process of its own: `python -m atraso.stress.pacer`, a plan on standard input, figures out.

Plain sockets and one epoll, because it shares the processors with what it measures. With stages the loop is open: the
clock of a request starts when it was to be sent, whether or not there was a connection for it. Without, each client
asks again when it was answered, and one that was refused first waits as `Retry-After` says, if it heeds that. The clock
stops when the answer's last bytes had come to the client's kernel, which notes it (SO_TIMESTAMPNS): a client that is
busy reads them later, and that is no doing of the service. SIGINT ends it early, with what it met by then.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import select
import signal
import socket
import struct
import sys
import time
from collections import Counter, deque

import msgspec
import numpy as np
from numpy.typing import NDArray

from atraso.stress.answers import is_prediction

READ_BYTES = 64 * 1024
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; what comes with the bytes are seconds and nanoseconds since 1970
NOTED = struct.Struct("qq")
NOTED_BYTES = socket.CMSG_SPACE(NOTED.size)
CLOCKS_APART_EVERY_S = 1.0  # a clock that is set meanwhile would shift what the kernel notes
NEVER = float("inf")
RECONNECT_EVERY_S = 0.05
REST_S = 1.0
CONNECT_WITHIN_S = 10.0


class Order(msgspec.Struct, frozen=True):
    """What one process is to offer; see `atraso.stress.pace.Plan`.

    *stages* are (seconds, requests a second) of this process; *phase* of *phases* is its place among its equals.
    """

    host: str
    port: int
    requests: tuple[bytes, ...]
    connections: int
    seconds: float
    stages: tuple[tuple[float, float], ...]
    poisson: bool
    heed: bool
    flights: int
    raw: bool
    slow_s: float
    block_s: float
    drain_s: float
    begin_at: float
    seed: int
    phase: int
    phases: int


class Met(msgspec.Struct):
    """What one process met; `took` counts good answers by microseconds, one table for each block of time.

    The `by_s` count requests by the second in which they were due. `answers` are moment, seconds taken and status, kept
    where the order says so.
    """

    late_us: dict[int, int] = {}
    took: list[dict[int, int]] = []
    statuses: dict[int, int] = {}
    good_by_s: dict[int, int] = {}
    bad_by_s: dict[int, int] = {}
    slow_by_s: dict[int, int] = {}
    answers: list[tuple[float, float, int]] = []
    late_s: list[float] = []
    planned: int = 0
    broken: int = 0
    not_connected: int = 0
    wrong: int = 0
    silent_refusals: int = 0
    unanswered: int = 0
    processor_s: float = 0.0
    began: float = 0.0
    until: float = 0.0
    stopped: bool = False


class Pacer:
    """Runs one order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._epoll = select.epoll()  # first, so that its number is small enough for `select`
        self._sockets: dict[int, socket.socket] = {}
        self._free: deque[int] = deque()
        self._missing = 0
        self._reconnect_at = 0.0
        self._due_of: dict[int, float] = {}  # of what is on its way: when it was due
        self._got: dict[int, bytes] = {}
        self._resting: list[tuple[float, int]] = []  # clients that were told to come back: when, and which
        self._queue: deque[float] = deque()  # due, but every connection was busy
        self._asked = order.phase * 499
        self._apart_s, self._apart_until = 0.0, -NEVER  # the clock of the kernel's notes, beside the monotonic one
        self._began, self._until = 0.0, NEVER
        self.met = Met()
        self._statuses: Counter[int] = Counter()
        self._good: Counter[int] = Counter()
        self._bad: Counter[int] = Counter()
        self._slow: Counter[int] = Counter()
        self._late: Counter[int] = Counter()
        self._blocks: dict[int, Counter[int]] = {}
        for _ in range(order.connections):
            self._connect()

    def stop(self, *_: object) -> None:
        """End early."""
        self.met.stopped = True
        self._until = min(self._until, time.monotonic())

    def _connect(self) -> None:
        client = socket.create_connection((self._order.host, self._order.port), timeout=CONNECT_WITHIN_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        client.setblocking(False)
        self._sockets[client.fileno()] = client
        self._epoll.register(client.fileno(), select.EPOLLIN)
        self._free.append(client.fileno())

    def _dues(self) -> list[float]:
        """Return the moments at which requests of this process are due, from its beginning."""
        order = self._order
        dice = np.random.default_rng([order.seed, order.phase])
        found: list[NDArray[np.float64]] = []
        start = 0.0
        for seconds, rate in order.stages:
            if order.poisson:
                count = dice.poisson(rate * seconds)
                due = np.sort(dice.uniform(0.0, seconds, count))
            else:
                due = (np.arange(round(rate * seconds), dtype=np.float64) + order.phase / order.phases) / rate
            found.append(due + start)
            start += seconds
        return np.concatenate(found).tolist() if found else []

    def run(self) -> None:
        """Ask until the time is over, then wait a while for what is still on its way."""
        order = self._order
        dues = self._dues()
        open_loop = bool(order.stages)
        self._began = began = max(order.begin_at, time.monotonic() + 0.02)
        self._until = min(began + order.seconds, self._until)
        due, n, count = (began + dues[0] if dues else NEVER), 0, len(dues)
        now = time.monotonic()
        if not open_loop:
            while self._free:
                self._ask(self._free.popleft(), time.monotonic())
        while now < self._until:
            while due <= now:
                if self._free:
                    self._ask(self._free.popleft(), due)
                    self._note_lateness(time.monotonic() - due)
                else:
                    self._queue.append(due)
                n += 1
                due = began + dues[n] if n < count else NEVER
            while self._resting and self._resting[0][0] <= now:
                fd = heapq.heappop(self._resting)[1]
                if fd in self._sockets:
                    self._ask(fd, now)
            if self._missing and now >= self._reconnect_at:
                self._reconnect(now)
            self._listen(min(due, self._until, self._resting[0][0] if self._resting else NEVER))
            now = time.monotonic()
        if not self.met.stopped:
            self._offer_late(dues[n:])
            n = count
        self.met.planned = n
        drained = time.monotonic() + order.drain_s
        while (self._due_of or self._queue) and time.monotonic() < drained:
            if self._missing:
                self._reconnect(time.monotonic())
            self._listen(time.monotonic() + 0.1)

    def _offer_late(self, dues: list[float]) -> None:
        """Ask what was due in time, but not by this process."""
        for due in dues:
            if self._free:
                self._ask(self._free.popleft(), self._began + due)
            else:
                self._queue.append(self._began + due)
            self._note_lateness(time.monotonic() - self._began - due)

    def _note_lateness(self, late_s: float) -> None:
        if self._order.raw:
            self.met.late_s.append(late_s)
        self._late[round(late_s * 1e6)] += 1

    def _ask(self, fd: int, due: float) -> None:
        requests = self._order.requests
        text = requests[self._asked % len(requests)]
        self._asked += 1
        self._due_of[fd] = due
        try:
            sent = self._sockets[fd].send(text)
            while sent < len(text):  # a large batch
                select.select([], [fd], [], CONNECT_WITHIN_S)
                sent += self._sockets[fd].send(text[sent:])
        except OSError:
            self._break(fd)

    def _listen(self, until: float) -> None:
        # `select` waits for microseconds where `poll` counts whole milliseconds, by which a pacer would be late.
        if self._missing:
            until = min(until, self._reconnect_at)
        wait_s = until - time.monotonic()
        if wait_s > 0:
            select.select([self._epoll], [], [], min(wait_s, 1.0))
        for fd, _ in self._epoll.poll(0):
            if fd not in self._sockets:
                continue
            try:
                data, notes, _, _ = self._sockets[fd].recvmsg(READ_BYTES, NOTED_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data, notes = b"", []
            if not data:
                self._break(fd)
                continue
            if fd in self._got:
                data = self._got.pop(fd) + data
            head = data.find(b"\r\n\r\n") + 4
            if head >= 4 and not (data[:5] == b"HTTP/" and data[9:12].isdigit()):
                self._break(fd)  # whatever that is, it is no answer
                continue
            if head < 4 or len(data) < head + _length(data, head):
                self._got[fd] = data
                continue
            self._answered(fd, data, head, self._came(notes[0][2]) if notes else None)

    def _came(self, note: bytes) -> float:
        """Return when the kernel had what it sends this *note* with, on the monotonic clock."""
        now = time.monotonic()
        if now >= self._apart_until:
            self._apart_s, self._apart_until = time.time() - now, now + CLOCKS_APART_EVERY_S
        seconds, nanoseconds = NOTED.unpack(note)
        return float(seconds - self._apart_s + nanoseconds / 1e9)

    def _answered(self, fd: int, data: bytes, head: int, came: float | None) -> None:
        now = time.monotonic()
        due = self._due_of.pop(fd, None)
        if due is None:  # nobody asked: a server that says goodbye
            self._break(fd)
            return
        order, met = self._order, self.met
        status = int(data[9:12])
        took_s = max((now if came is None else min(came, now)) - due, 0.0)
        self._statuses[status] += 1
        if order.raw:
            met.answers.append((now, took_s, status))
        rest_s = 0.0
        good = False
        if status == 200:
            good = is_prediction(data, order.flights)
            met.wrong += not good
        elif status == 503:
            found = _header(data, head, b"retry-after: ")
            if found is None:
                met.silent_refusals += 1
            elif order.heed:
                rest_s = float(found) if found.isdigit() else REST_S  # a date, by another server's clock
        self._note(due, now, took_s, good)
        if b"onnection: close" in data[:head]:
            self._break(fd)
            return
        if self._queue:
            self._ask(fd, self._queue.popleft())
        elif order.stages or now >= self._until:
            self._free.append(fd)
        elif rest_s:
            heapq.heappush(self._resting, (now + rest_s, fd))
        else:
            self._ask(fd, now)

    def _note(self, due: float, now: float, took_s: float, good: bool) -> None:
        second = int(due - self._began)
        if not good:
            self._bad[second] += 1
            return
        self._good[second] += 1
        if took_s > self._order.slow_s:
            self._slow[second] += 1
        block = int((due - self._began) / self._order.block_s)
        if block not in self._blocks:
            self._blocks[block] = Counter()
        self._blocks[block][round(took_s * 1e6)] += 1

    def _break(self, fd: int) -> None:
        due = self._due_of.pop(fd, None)
        if due is not None:
            self.met.broken += 1
            self._bad[int(due - self._began)] += 1
        self._epoll.unregister(fd)
        self._sockets.pop(fd).close()
        self._got.pop(fd, None)
        if fd in self._free:
            self._free.remove(fd)
        self._missing += 1

    def _reconnect(self, now: float) -> None:
        """Make the connections that are missing; where the server takes none, what is due cannot be asked."""
        if now < self._reconnect_at:
            return
        self._reconnect_at = now + RECONNECT_EVERY_S
        try:
            while self._missing:
                self._connect()
                self._missing -= 1
        except OSError:
            if not self._free and not self._due_of:
                self.met.not_connected += len(self._queue)
                self._bad.update(int(due - self._began) for due in self._queue)
                self._queue.clear()
            return
        if not self._order.stages:
            while self._free and now < self._until:
                self._ask(self._free.popleft(), now)
        while self._queue and self._free:
            self._ask(self._free.popleft(), self._queue.popleft())

    def figures(self) -> Met:
        """Return what was met."""
        met = self.met
        met.late_us = dict(self._late)
        met.took = [dict(self._blocks.get(n, ())) for n in range(max(self._blocks, default=-1) + 1)]
        met.unanswered = len(self._due_of) + len(self._queue)
        for due in (*self._due_of.values(), *self._queue):
            self._bad[int(due - self._began)] += 1
        met.statuses = dict(self._statuses)
        met.good_by_s, met.bad_by_s, met.slow_by_s = dict(self._good), dict(self._bad), dict(self._slow)
        met.processor_s = time.process_time()
        met.began, met.until = self._began, self._until
        return met


def _length(data: bytes, head: int) -> int:
    found = _header(data, head, b"content-length: ")
    return int(found) if found is not None and found.isdigit() else 0


def _header(data: bytes, head: int, name: bytes) -> bytes | None:
    at = data.find(name, 0, head)
    if at < 0:  # as the service does not write it, but others do
        at = data[:head].lower().find(name)
        if at < 0:
            return None
    at += len(name)
    return data[at : data.find(b"\r", at)]


def main() -> None:
    """Run the order on standard input, and write what was met to standard output."""
    pacer = Pacer(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Order))
    signal.signal(signal.SIGINT, pacer.stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked until it could be heeded
    gc.disable()  # nothing here is a cycle, and a collection would make it late
    pacer.run()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.buffer.write(msgspec.msgpack.encode(pacer.figures()))


if __name__ == "__main__":
    main()
