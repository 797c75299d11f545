"""Worker processes: each takes one task at a time, and all end at once when the block that holds them is left.

Processes and not threads, because a learner's thread count is its process's and two fits in one process can crash.
They are started afresh rather than forked, so that they inherit no lock that another thread holds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, TypeVar

from atraso.core.errors import AtrasoError

T = TypeVar("T")
R = TypeVar("R")

Work = Callable[[T], R]

# As many as the smallest machine that trains has cores.
PROCESSES = 2


class LostError(Exception):
    """The process that was at work on a task ended before it answered."""


class Crew(Generic[T, R]):
    """*size* processes, each of which calls *prepare* once and then its answer for every task it is given.

    *prepare*, tasks and results are pickled. No process may hold more than *memory_bytes* of data, where the system
    can see to that.
    """

    def __init__(self, prepare: Callable[[], Work[T, R]], size: int, memory_bytes: int) -> None:
        self._prepare, self._size, self._memory = prepare, size, memory_bytes
        self._at_work: dict[Connection[Any, Any], tuple[BaseProcess, T]] = {}

    def __enter__(self) -> Crew[T, R]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for connection in list(self._at_work):
            self._end(connection)

    def results(self, tasks: Iterable[T]) -> Iterator[tuple[T, R | LostError]]:
        """Yield each task with its result as it comes; a task whose process died has an error instead.

        Raises the AtrasoError that a task raised.
        """
        left = deque(tasks)
        for _ in range(min(self._size, len(left))):
            self._begin(left.popleft())
        while self._at_work:
            for ready in wait(list(self._at_work)):
                assert isinstance(ready, Connection)
                process, task = self._at_work[ready]
                try:
                    result: R | LostError | AtrasoError = ready.recv()
                except (EOFError, OSError):
                    self._end(ready)
                    why = "; was there too little memory?" if process.exitcode == -signal.SIGKILL else ""
                    result = LostError(f"its process ended with code {process.exitcode}{why}")
                    if left:
                        self._begin(left.popleft())
                else:
                    if left:
                        self._give(ready, process, left.popleft())
                    else:
                        self._end(ready)
                if isinstance(result, AtrasoError):
                    raise result
                yield task, result

    def _begin(self, task: T) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._prepare, self._memory), daemon=True)
        # A process inherits that Ctrl-C is held back: it is ended by us, without a traceback of its own. A Ctrl-C that
        # comes meanwhile reaches us afterwards.
        with _ctrl_c_held_back():
            process.start()
        theirs.close()
        self._give(ours, process, task)

    def _give(self, connection: Connection[Any, Any], process: BaseProcess, task: T) -> None:
        self._at_work[connection] = process, task
        with suppress(OSError):  # a process that has just died is noticed where its answer is awaited
            connection.send(task)

    def _end(self, connection: Connection[Any, Any]) -> None:
        process, _ = self._at_work.pop(connection)
        process.kill()
        process.join()
        connection.close()


def done_by(
    prepare: Callable[[], Work[T, R]], tasks: Iterable[T], processes: int, memory_bytes: int
) -> Iterator[tuple[T, R | LostError]]:
    """Yield each of *tasks* with its result as it comes, from *processes* workers (0: one by one in this process)."""
    if not processes:
        work = prepare()
        for task in tasks:
            yield task, work(task)
        return
    with Crew(prepare, processes, memory_bytes) as crew:
        yield from crew.results(tasks)


def _work(connection: Connection[Any, Any], prepare: Callable[[], Work[Any, Any]], memory_bytes: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory(memory_bytes)
    answer: Work[Any, Any] | None = None
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            answer = answer or prepare()
            result = answer(task)
        except AtrasoError as refusal:  # what the user can mend is said by the parent, not in a traceback
            result = refusal
        except MemoryError:
            result = LostError("there was too little memory for it")
        connection.send(result)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # there is none on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # at once, in the middle of a fit too


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ModuleNotFoundError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > memory_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard))
