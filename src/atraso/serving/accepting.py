"""Taking in connections so that each worker has its share of them.

All workers wait at one listening socket, and whoever is awake first takes what has come: of 64 connections one worker
may get 60, for as long as they last. So each worker tells the others how many it has, and one that has more than
another lets it go first for a moment. After that it takes a few itself, because the other may be dead, stopped or slow:
few, because it may only be late.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mmap
import socket
import ssl
from collections.abc import Callable, Sized

logger = logging.getLogger("atraso.serving")

# Long enough for a worker that is awake, short enough not to be felt.
GIVE_WAY_S = 0.001
# Taken in one turn of the loop. A turn is long under load, and whoever is not taken in yet cannot even be refused.
AT_ONCE = 32
# So much of what it has, one part in so many, a worker may have more than another: a crowd comes in by the dozen.
UNEVEN = 8
# Where there are too many open files, trying again at once would take all the worker's time.
REST_S = 0.1
HANDSHAKE_S = 5.0
NOBODY = 2**64 - 1
CELL_BYTES = 8


class Shares:
    """How many connections each worker has, in memory that they share; make it before they are forked."""

    def __init__(self, slots: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, slots * CELL_BYTES)).cast("Q")
        for slot in range(slots):
            self._counts[slot] = NOBODY

    def tell(self, slot: int, count: int) -> None:
        """Say how many connections the worker in *slot* has."""
        self._counts[slot] = count

    def forget(self, slot: int) -> None:
        """Count the worker in *slot* no more: it takes no more connections, or is gone."""
        self._counts[slot] = NOBODY

    def least(self) -> int:
        """Return the smallest number that a worker has."""
        return min(self._counts)


class Acceptor:
    """Takes connections from *listener* for the worker in *slot*, as many as its share."""

    def __init__(
        self,
        listener: socket.socket,
        connections: Sized,
        make: Callable[[], asyncio.Protocol],
        shares: Shares,
        slot: int,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self._listener = listener
        self._connections = connections
        self._make = make
        self._shares = shares
        self._slot = slot
        self._arriving: set[asyncio.Task[object]] = set()
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._wait()

    def close(self) -> None:
        """Take no more, and let nobody wait for this worker."""
        self._shares.forget(self._slot)
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._listener)

    def tell(self) -> int:
        """Tell the others how many connections there are here, and return it."""
        count = len(self._connections) + len(self._arriving)
        self._shares.tell(self._slot, count)
        return count

    def _wait(self) -> None:
        self._loop.add_reader(self._listener, self._look)

    def _look(self) -> None:
        for _ in range(AT_ONCE):
            least = self._shares.least()
            if self.tell() > least + least // UNEVEN:
                self._pause(GIVE_WAY_S, self._take_after_others)
                return
            if not self._take():
                return

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._listener)
        self._later = self._loop.call_later(seconds, then)

    def _take_after_others(self) -> None:
        self._wait()
        for _ in range(1 + min(self.tell() // UNEVEN, AT_ONCE)):
            if not self._take():
                return

    def _take(self) -> bool:
        """Take a connection; return whether there may be another."""
        try:
            client, _ = self._listener.accept()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (BlockingIOError, ConnectionError):
            return False  # another was first, or the client is gone again
        except OSError as error:
            logger.error("No connection can be taken: %s.", error.strerror)
            self._pause(REST_S, self._wait)
            return False
        task = self._loop.create_task(self._connect(client))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)
        self.tell()
        return True

    async def _connect(self, client: socket.socket) -> None:
        # Whoever shows no certificate that is believed, or speaks no TLS, is gone without a line in the log.
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            if self._tls is None:
                await self._loop.connect_accepted_socket(self._make, client)
            else:
                await self._loop.connect_accepted_socket(
                    self._make, client, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S
                )
