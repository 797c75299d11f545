"""Keeps a number of worker processes alive: replaces the dead and the silent, and ends them all in time.

Signals: SIGTERM and SIGINT stop; SIGHUP looks for another model, or stops where it means that the terminal is gone;
SIGUSR1 replaces the workers one after the other, each once its successor is ready.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from atraso.serving.processors import free_one, keep_to

logger = logging.getLogger("atraso.workers")

BEAT_EVERY_S = 0.5
# A worker beats from its event loop, so silence means stopped or stuck; the longest honest work is far
# shorter.
SILENT_AFTER_S = 5.0
START_WITHIN_S = 30.0
# Between attempts to replace a worker that ended before it was ready; one that was ready is replaced at once.
RETRY_AFTER_S = (0.5, 1.0, 2.0, 5.0, 10.0)
# So many stop signals end the waiting for work in flight; a second one may be the same Ctrl-C, passed on by
# `make`.
IMPATIENT = 3

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


class Beat:
    """A worker's sign of life, written to its supervisor; the first one says that it is ready."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __call__(self) -> bool:
        """Write a sign of life; False when the supervisor is gone."""
        try:
            os.write(self._fd, b".")
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    fd: int
    heard_at: float
    slot: int
    processor: int | None
    ready: bool = False
    leaving: bool = False


def slots_for(count: int) -> int:
    """Return how many processes there may be at once for *count* workers: while one is replaced, both live."""
    return 2 * count


class Supervisor:
    """Runs *work* in *count* forked processes until a stop signal comes.

    *work* gets a `Beat` to call at least each `BEAT_EVERY_S`, and a number below `slots_for(count)` that no other
    living worker has; it must end soon after SIGTERM. Forking keeps a replacement ready within milliseconds, because
    everything is already imported. *on_count* is told how many are ready whenever that may have changed; *on_tick* is
    called each `BEAT_EVERY_S` or so, with `asked=True` after SIGHUP, and *on_gone* with the number of a worker that has
    ended. Each keeps to one of *processors*, where there are any.
    """

    def __init__(
        self,
        work: Callable[[Beat, int], None],
        count: int,
        *,
        on_ready: Callable[[], None],
        on_count: Callable[[int], None],
        on_tick: Callable[[bool], None],
        on_gone: Callable[[int], None],
        stop_within_s: float,
        processors: Sequence[int] = (),
    ) -> None:
        self._work = work
        self._count = count
        self._on_ready = on_ready
        self._on_count = on_count
        self._on_tick = on_tick
        self._on_gone = on_gone
        self._stop_within_s = stop_within_s
        self._processors = processors
        self._context = multiprocessing.get_context("fork")
        self._workers: list[_Worker] = []
        self._failures = 0
        self._retry_at = 0.0
        self._stop_asked = 0
        self._look_asked = False
        self._renew_asked = False
        self._to_renew: list[_Worker] = []

    def run(self, before_stop: Callable[[], None]) -> int:
        """Run until stopped; return 0, or the exit code of a worker that could not even start.

        *before_stop* is called once, before the workers are asked to end.
        """
        with self._signals() as wake:
            # What is alive now stays alive: neither collector nor copy-on-write need touch it in the workers.
            gc.collect()
            gc.freeze()
            code = self._watch(wake)
            before_stop()
            self._stop(wake)
        return code

    def _watch(self, wake: socket.socket) -> int:
        announced = False
        looked_at = time.monotonic()
        while not self._stop_asked:
            self._fill()
            sentinels = [worker.process.sentinel for worker in self._workers]
            wait([*sentinels, *(worker.fd for worker in self._workers), wake], timeout=BEAT_EVERY_S)
            _drain(wake)
            now = time.monotonic()
            self._listen(now, overslept=now - looked_at > SILENT_AFTER_S / 2)
            looked_at = now
            failed = self._bury(now)
            if failed is not None and not announced:
                return failed
            ready = sum(worker.ready and not worker.leaving for worker in self._workers)
            self._on_count(ready)
            if not announced and ready == self._count:
                announced = True
                self._on_ready()
            if announced:
                self._renew(now)
                asked, self._look_asked = self._look_asked, False
                self._on_tick(asked)
        return 0

    def _fill(self) -> None:
        # The one that is to leave next is counted out: its successor starts beside it.
        wanted = self._count + len(self._to_renew[:1])
        while len(self._workers) < wanted and time.monotonic() >= self._retry_at:
            self._workers.append(self._start())

    def _renew(self, now: float) -> None:
        """Replace the workers one after the other where that was asked for: each leaves when its successor is ready."""
        if self._renew_asked and not self._to_renew:
            self._renew_asked = False
            self._to_renew = list(self._workers)
            logger.warning("Replacing %d workers, one after the other.", len(self._to_renew))
        self._to_renew = [worker for worker in self._to_renew if worker in self._workers]
        if not self._to_renew:
            return
        oldest = self._to_renew[0]
        if oldest.leaving:
            if now - oldest.heard_at > SILENT_AFTER_S + self._stop_within_s:
                oldest.process.kill()
        elif sum(worker.ready for worker in self._workers) > self._count:
            oldest.leaving = True
            oldest.process.terminate()

    def _start(self) -> _Worker:
        taken = {worker.slot for worker in self._workers}
        slot = next(number for number in range(slots_for(self._count)) if number not in taken)
        staying = [worker for worker in self._workers if not worker.leaving and worker not in self._to_renew]
        processor = free_one(self._processors, (worker.processor for worker in staying))
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        process = self._context.Process(target=self._enter, args=(writer, reader, slot, processor), daemon=True)
        # A stop signal between the fork and the worker's own handlers would be lost in a handler of ours.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(writer)
        return _Worker(process, reader, time.monotonic(), slot, processor)

    def _enter(self, writer: int, reader: int, slot: int, processor: int | None) -> None:
        """Begin a worker's own life, in its process."""
        keep_to(processor)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Ctrl-C and a closing terminal reach the whole group; the supervisor alone decides what they mean.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        # With our copies of the reading ends closed, the supervisor's death is seen as a broken pipe.
        for fd in (reader, *(worker.fd for worker in self._workers)):
            os.close(fd)
        self._work(Beat(writer), slot)

    def _listen(self, now: float, *, overslept: bool) -> None:
        for worker in self._workers:
            with contextlib.suppress(BlockingIOError):
                if os.read(worker.fd, 4096):
                    worker.ready = True
                    worker.heard_at = now
                    self._failures = 0
            if overslept:
                # We were stopped ourselves (a suspended machine), so silence tells nothing.
                worker.heard_at = now

    def _bury(self, now: float) -> int | None:
        """Take out the dead and the silent; return the exit code of one that never was ready."""
        failed = None
        for worker in list(self._workers):
            if worker.process.exitcode is None:
                if worker.leaving or now - worker.heard_at <= (SILENT_AFTER_S if worker.ready else START_WITHIN_S):
                    continue
                logger.error("Worker %s is silent and is replaced.", worker.process.pid)
                worker.process.kill()
                worker.process.join()
            elif worker.ready and not worker.leaving:
                how = worker.process.exitcode
                logger.error("Worker %s ended (exit code %s) and is replaced.", worker.process.pid, how)
            if not worker.ready:
                failed = worker.process.exitcode or 1
                self._retry_at = now + RETRY_AFTER_S[min(self._failures, len(RETRY_AFTER_S) - 1)]
                self._failures += 1
            os.close(worker.fd)
            self._workers.remove(worker)
            self._on_gone(worker.slot)
        return failed

    def _stop(self, wake: socket.socket) -> None:
        deadline = time.monotonic() + self._stop_within_s
        for worker in self._workers:
            worker.process.terminate()
        while alive := [worker.process for worker in self._workers if worker.process.exitcode is None]:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or self._stop_asked >= IMPATIENT:
                for process in alive:
                    process.kill()
                    process.join()
                break
            wait([*(process.sentinel for process in alive), wake], timeout=left_s)
            _drain(wake)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Take note of signals, and yield a socket that becomes readable when one comes."""
        wake, written = socket.socketpair()
        wake.setblocking(False)
        written.setblocking(False)
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        wakeup_before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(wakeup_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            wake.close()
            written.close()

    def _on_signal(self, number: int, frame: object) -> None:
        if number == signal.SIGUSR1:
            self._renew_asked = True
        elif number == signal.SIGHUP and not os.isatty(0):
            self._look_asked = True
        else:
            self._stop_asked += 1


def _drain(wake: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        wake.recv(64)
