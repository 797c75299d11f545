"""A part of a crowd: many connections that are kept open and used in turn, `python -m atraso.stress.crowd_member`.

An order on standard input; then it opens its connections, asks on each as soon as it is there, says that it is ready,
and at the next line of standard input asks again on each. With the second line it ends and says what it met.
"""

from __future__ import annotations

import resource
import select
import socket
import struct
import sys
import time
from collections import Counter

import msgspec

from atraso.stress.answers import is_prediction

READ_BYTES = 64 * 1024
AT_ONCE = 16  # requests on their way; a crowd is many that are open, not a storm
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; a port is chosen when the server is known, so others may have the same


class Order(msgspec.Struct, frozen=True):
    """What one member is to do: connections from *sources* in turn to the service, answered within some seconds."""

    host: str
    port: int
    sources: tuple[str, ...]
    connections: int
    requests: tuple[bytes, ...]
    within_s: float


class Round(msgspec.Struct):
    """What came of asking on each connection once: good ones, what went wrong, latencies counted by microseconds."""

    good: int = 0
    errors: dict[str, int] = {}
    took_us: dict[int, int] = {}
    open_after: int = 0
    seconds: float = 0.0


class Member:
    """Holds the connections of one order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._asked_at: dict[int, float] = {}
        self._got: dict[int, bytes] = {}
        self._asked = 0
        self._errors: Counter[str] = Counter()
        self._took: Counter[int] = Counter()
        self._good = 0

    def first(self) -> Round:
        """Open all connections, asking on each at once."""
        began = time.monotonic()
        opened = 0
        while time.monotonic() - began < self._order.within_s:
            while opened < self._order.connections and len(self._asked_at) < AT_ONCE:
                self._open()
                opened += 1
            if opened == self._order.connections and not self._asked_at:
                break
            self._listen()
        return self._round(began, self._order.connections - opened)

    def again(self) -> Round:
        """Ask once more on every connection that is open."""
        began = time.monotonic()
        missing = self._order.connections - len(self._sockets)
        waiting = list(self._sockets)
        while time.monotonic() - began < self._order.within_s:
            while waiting and len(self._asked_at) < AT_ONCE:
                fd = waiting.pop()
                if fd in self._sockets:
                    self._ask(fd)
            if not waiting and not self._asked_at:
                break
            self._listen()
        return self._round(began, missing + len(waiting))

    def close(self) -> None:
        """Let go of all connections at once, so that no port waits."""
        for client in self._sockets.values():
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()

    def _round(self, began: float, never_asked: int) -> Round:
        errors = self._errors + Counter({"no answer": len(self._asked_at), "never asked": never_asked})
        self._asked_at.clear()
        found = Round(
            self._good, dict(errors), dict(self._took), len(self._sockets), round(time.monotonic() - began, 3)
        )
        self._errors, self._took, self._good = Counter(), Counter(), 0
        return found

    def _open(self) -> None:
        client = socket.socket()
        sources = self._order.sources
        try:
            if sources:
                client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                client.bind((sources[len(self._sockets) % len(sources)], 0))
            client.settimeout(self._order.within_s)
            client.connect((self._order.host, self._order.port))
            client.setblocking(False)
        except OSError as error:
            self._errors[f"not connected ({error.strerror or error})"] += 1
            client.close()
            return
        self._sockets[client.fileno()] = client
        self._epoll.register(client.fileno(), select.EPOLLIN)
        self._ask(client.fileno())

    def _ask(self, fd: int) -> None:
        requests = self._order.requests
        self._asked += 1
        self._asked_at[fd] = time.monotonic()
        try:
            self._sockets[fd].sendall(requests[self._asked % len(requests)])
        except OSError:
            self._break(fd)

    def _listen(self) -> None:
        for fd, _ in self._epoll.poll(0.5):
            try:
                data = self._got.pop(fd, b"") + self._sockets[fd].recv(READ_BYTES)
            except OSError:
                data = b""
            if not data:
                self._break(fd)
                continue
            head = data.find(b"\r\n\r\n") + 4
            at = data.lower().find(b"content-length: ") + 16
            if head < 4 or at < 16 or len(data) < head + int(data[at : data.find(b"\r", at)]):
                self._got[fd] = data
                continue
            asked_at = self._asked_at.pop(fd, None)
            if asked_at is None:
                self._break(fd)
            elif data[9:12] != b"200":
                self._errors[f"status {data[9:12].decode('latin-1')}"] += 1
            elif not is_prediction(data, 1):
                self._errors["not a prediction"] += 1
            else:
                self._good += 1
                self._took[round((time.monotonic() - asked_at) * 1e6)] += 1

    def _break(self, fd: int) -> None:
        self._asked_at.pop(fd, None)
        self._got.pop(fd, None)
        self._errors["connection broken"] += 1
        self._sockets.pop(fd).close()  # which takes it out of the epoll too


def main() -> None:
    """Be one member, by the order on standard input."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    size = int(sys.stdin.buffer.readline())
    member = Member(msgspec.msgpack.decode(sys.stdin.buffer.read(size), type=Order))
    try:
        for ask in (member.first, member.again):
            _say(ask())
            if not sys.stdin.buffer.readline():
                return
    except KeyboardInterrupt:
        return
    finally:
        member.close()


def _say(met: Round) -> None:
    said = msgspec.msgpack.encode(met)
    sys.stdout.buffer.write(b"%d\n%b" % (len(said), said))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
