"""A load generator in a process of its own: `python -m tests.drill.pacer`, a plan on standard input, figures out.

Plain sockets and one epoll, because it shares the processors with what it measures. With a rate the loop is open: the
clock of a request starts when it was to be sent, whether or not there was a connection for it. Without one each client
asks again when it was answered, and one that was refused first waits as `Retry-After` says, if it heeds that.
"""

from __future__ import annotations

import heapq
import json
import select
import socket
import sys
import time
from collections import deque
from typing import Any

from benchmarks.processes import HOST

DRAIN_S = 10.0
READ_BYTES = 16 * 1024
NEVER = float("inf")


class Pacer:
    """Runs one plan (`tests.drill.load.Plan`)."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._texts = [text.encode("latin-1") for text in plan["requests"]]
        self._epoll = select.epoll()  # first, so that its number is small enough for `select`
        self._sockets: dict[int, socket.socket] = {}
        self._free: deque[int] = deque()
        for _ in range(plan["connections"]):
            self._connect()
        self._due_of: dict[int, float] = {}  # of what is on its way: when it was due
        self._got: dict[int, bytes] = {}
        self._resting: list[tuple[float, int]] = []  # clients that were told to come back: when, and which
        self._queue: deque[float] = deque()  # due, but every connection was busy
        self._asked = 0
        self._until = NEVER
        self.late_s: list[float] = []
        self.answers: list[tuple[float, float, int]] = []  # when, after how many seconds, status
        self.broken = self.silent_refusals = self.wrong = 0

    def _connect(self) -> None:
        client = socket.create_connection((HOST, self._plan["port"]), timeout=10)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        self._sockets[client.fileno()] = client
        self._epoll.register(client.fileno(), select.EPOLLIN)
        self._free.append(client.fileno())

    def run(self) -> None:
        """Ask until the time is over, then wait a while for what is still on its way."""
        rate = self._plan["rate"]
        began = time.monotonic() + 0.02
        self._until = began + self._plan["seconds"]
        due, n = began if rate else NEVER, 0
        if not rate:
            while self._free:
                self._ask(self._free.popleft(), time.monotonic())
        now = time.monotonic()
        while now < self._until:
            while due <= now:
                if self._free:
                    self._ask(self._free.popleft(), due)
                    self.late_s.append(time.monotonic() - due)
                else:
                    self._queue.append(due)
                n += 1
                due = began + n / rate
            while self._resting and self._resting[0][0] <= now:
                self._ask(heapq.heappop(self._resting)[1], now)
            self._listen(min(due, self._until, self._resting[0][0] if self._resting else NEVER))
            now = time.monotonic()
        while (self._due_of or self._queue) and time.monotonic() < self._until + DRAIN_S:
            self._listen(time.monotonic() + 0.1)

    def _ask(self, fd: int, due: float) -> None:
        text = self._texts[self._asked % len(self._texts)]
        self._asked += 1
        self._due_of[fd] = due
        try:
            sent = self._sockets[fd].send(text)
        except OSError:
            self._break(fd)
            return
        assert sent == len(text), "the kernel took only a part of a request"

    def _listen(self, until: float) -> None:
        # `select` waits for microseconds where `poll` counts whole milliseconds, by which a pacer would be late.
        wait_s = until - time.monotonic()
        if wait_s > 0:
            select.select([self._epoll], [], [], wait_s)
        for fd, _ in self._epoll.poll(0):
            try:
                data = self._sockets[fd].recv(READ_BYTES)
            except OSError:
                data = b""
            if not data:
                self._break(fd)
                continue
            if fd in self._got:
                data = self._got.pop(fd) + data
            head = data.find(b"\r\n\r\n") + 4
            at = data.find(b"content-length: ") + 16
            if head < 4 or len(data) < head + int(data[at : data.find(b"\r", at)]):
                self._got[fd] = data
                continue
            self._answered(fd, data, head)

    def _answered(self, fd: int, data: bytes, head: int) -> None:
        now = time.monotonic()
        due = self._due_of.pop(fd)
        status = int(data[9:12])
        self.answers.append((now, now - due, status))
        rest_s = 0.0
        if status == 200:
            self.wrong += b'"delay_probability":' not in data
        elif status == 503:
            at = data.find(b"retry-after: ", 0, head) + 13
            if at < 13:
                self.silent_refusals += 1
            elif self._plan["heed"]:
                rest_s = float(data[at : data.find(b"\r", at)])
        if self._queue:
            self._ask(fd, self._queue.popleft())
        elif self._plan["rate"] or now >= self._until:
            self._free.append(fd)
        elif rest_s:
            heapq.heappush(self._resting, (now + rest_s, fd))
        else:
            self._ask(fd, now)

    def _break(self, fd: int) -> None:
        self.broken += self._due_of.pop(fd, None) is not None
        self._epoll.unregister(fd)
        self._sockets.pop(fd).close()
        self._got.pop(fd, None)
        if fd in self._free:
            self._free.remove(fd)
        if time.monotonic() < self._until:
            self._connect()
            if not self._plan["rate"]:
                self._ask(self._free.pop(), time.monotonic())

    def figures(self) -> dict[str, Any]:
        """Return what was met."""
        return {
            "late_s": sorted(self.late_s),
            "answers": self.answers,
            "broken": self.broken,
            "wrong": self.wrong,
            "silent_refusals": self.silent_refusals,
            "unanswered": len(self._due_of) + len(self._queue),
            "processor_s": time.process_time(),
            "until": self._until,
        }


if __name__ == "__main__":
    pacer = Pacer(json.load(sys.stdin))
    pacer.run()
    json.dump(pacer.figures(), sys.stdout)
