"""Connections are shared out among the workers, and none waits for a worker that does not come."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import queue
import signal
import socket
import threading
from pathlib import Path

import pytest

from atraso.serving.accepting import UNEVEN, Acceptor, Shares
from tests.serving.processes import eventually, service
from tests.serving.raw import GET, Client, Echo, serving

CLIENTS = 40
HEALTH = b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n"


def sockets_of(pid: int) -> int:
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += str(link.readlink()).startswith("socket:")
    return found


def test_each_worker_has_its_share() -> None:
    """Of forty connections made in a row, each of two workers takes about twenty."""
    with service("--workers", "2") as running, contextlib.ExitStack() as stack:
        before = {pid: sockets_of(pid) for pid in running.workers}
        for _ in range(CLIENTS):
            assert stack.enter_context(Client(running.port)).send(HEALTH).answer().status == 200
        taken = [sockets_of(pid) - count for pid, count in before.items()]
        assert len(taken) == 2
        assert min(taken) >= CLIENTS // 4, taken


def test_a_worker_that_stands_still_keeps_nobody_waiting() -> None:
    """With one of two workers stopped, the other takes what comes, although it has more already."""
    with service("--workers", "2") as running, contextlib.ExitStack() as stack:
        stopped = min(running.workers)
        os.kill(stopped, signal.SIGSTOP)
        for _ in range(CLIENTS):
            assert stack.enter_context(Client(running.port)).send(HEALTH).answer().status == 200


def test_a_worker_that_gave_way_takes_a_few_and_not_all_that_wait() -> None:
    """The other may only be late: it finds most of them still there. Of those that have many, a dozen come at once."""
    assert taken_after_giving_way(has=0) == 2
    assert taken_after_giving_way(has=40) == 1 + 40 // UNEVEN


def taken_after_giving_way(has: int) -> int:
    """Return how many of forty that wait are taken by the time a worker looks again for another one that has none."""

    async def look_twice() -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
            for _ in range(CLIENTS):
                stack.enter_context(socket.create_connection(listener.getsockname()))
            shares = Shares(2)
            shares.tell(1, 0)
            acceptor = Acceptor(listener, range(has), asyncio.Protocol, shares, 0)
            try:
                acceptor._look()
                acceptor._take_after_others()
                acceptor._look()
                return acceptor.tell() - has
            finally:
                acceptor.close()

    return asyncio.run(look_twice())


def test_the_least_is_that_of_living_workers() -> None:
    """A slot that nobody has taken does not count."""
    shares = Shares(4)
    shares.tell(1, 7)
    shares.tell(3, 5)
    assert shares.least() == 5
    shares.forget(3)
    assert shares.least() == 7


def test_a_full_table_of_files_is_waited_for(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that cannot open another file says so, rests, and takes the client afterwards."""
    with serving(Echo()) as server:
        acceptor = server.server._acceptors[0]
        listener = acceptor._listener

        class Full:
            failed = 0

            def fileno(self) -> int:
                return listener.fileno()

            def accept(self) -> tuple[socket.socket, object]:
                if Full.failed < 2:
                    Full.failed += 1
                    raise OSError(errno.EMFILE, "Too many open files")
                return listener.accept()

        monkeypatch.setattr(acceptor, "_listener", Full())
        with Client(server.port) as client:
            assert client.send(GET).answer().status == 200
        assert Full.failed == 2
        eventually(lambda: sum("Too many open files" in record.message for record in caplog.records) == 2)
        monkeypatch.setattr(acceptor, "_listener", listener)


def test_one_turn_of_the_loop_takes_many() -> None:
    """A turn is long under load, and whoever is not taken in cannot even be refused: so it takes in all who wait."""
    with serving(Echo()) as server, contextlib.ExitStack() as stack:
        acceptor = server.server._acceptors[0]
        arrived, taken = threading.Event(), queue.SimpleQueue[int]()

        def turn() -> None:
            arrived.wait(10)
            acceptor._look()
            taken.put(acceptor.tell())

        acceptor._loop.call_soon_threadsafe(turn)
        for _ in range(10):
            stack.enter_context(Client(server.port))
        arrived.set()
        assert taken.get(timeout=10) == 10
