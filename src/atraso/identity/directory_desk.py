"""The bulkhead before a directory: a slow one holds its own few threads and nobody else's."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from atraso.core.errors import AtrasoError
from atraso.identity.directory import Directory, DirectoryDownError, WrongCredentialsError
from atraso.identity.principal import Principal


class DirectoryBusyError(AtrasoError):
    """As many log-ins as allowed are under way already."""

    def __init__(self) -> None:
        super().__init__("Too many log-ins are under way. Try again in a few seconds.")

    def __reduce__(self) -> tuple[type[DirectoryBusyError], tuple[()]]:
        """Travel between processes whole."""
        return type(self), ()


class DirectoryDesk:
    """Log-ins from an event loop: *max_binds* at a time, *max_waiting* more in the queue, each within its limit."""

    def __init__(self, directory: Directory) -> None:
        config = directory.config
        self._directory = directory
        self._limit_s, self._floor_s = config.log_in_timeout_s, config.failure_floor_s
        # Not asyncio's own pool: it is small, and others wait for it.
        self._threads = ThreadPoolExecutor(config.max_binds, thread_name_prefix="directory")
        self._places = threading.Semaphore(config.max_binds + config.max_waiting)

    async def log_in(self, user: str, password: str, may_try: Callable[[str], bool] = lambda name: True) -> Principal:
        """Return `Directory.log_in`'s answer; *may_try* is called in another thread.

        Raises DirectoryBusyError at once where no place is free, DirectoryDownError at the latest when the time limit
        is over, and WrongCredentialsError never before the floor: how long it took tells nothing about the name.
        """
        begun = time.monotonic()
        if not self._places.acquire(blocking=False):
            raise DirectoryBusyError
        try:
            task = self._threads.submit(self._directory.log_in, user, password, may_try)
        except RuntimeError:
            self._places.release()
            raise DirectoryDownError("closed") from None
        # The place is given back when the thread is free, not when somebody stops waiting for it.
        task.add_done_callback(self._leave)
        answer = asyncio.wrap_future(task)
        answer.add_done_callback(_look_at)
        try:
            await asyncio.wait({answer}, timeout=self._limit_s)
            if not answer.done():
                raise DirectoryDownError("time-out", "the log-in's time limit is over")
            if answer.cancelled():
                raise DirectoryDownError("closed")
            return answer.result()
        except WrongCredentialsError:
            await asyncio.sleep(max(0.0, begun + self._floor_s - time.monotonic()))
            raise
        finally:
            task.cancel()  # one that still waits for a thread need not have it

    def close(self) -> None:
        """Take no more log-ins; those under way end by their own limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, task: Future[Principal]) -> None:
        self._places.release()


def _look_at(answer: asyncio.Future[Principal]) -> None:
    """Take note of a late failure that nobody waits for any more, or asyncio complains of it."""
    if not answer.cancelled():
        answer.exception()
