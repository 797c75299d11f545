"""Watching processes while they are loaded: processor time, memory and open files, once a second."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from atraso.stress.proc import children_of, cpu_seconds_of, memory_of

LOOK_EVERY_S = 1.0
# To ask which pages are shared takes the kernel a millisecond a process; soaks are long.
MEMORY_EVERY = 5


class Look(msgspec.Struct, frozen=True, array_like=True):
    """What was seen at a second of a run: memory of all processes, shared pages once, and open files of all."""

    second: float
    memory_mb: float
    descriptors: int


class Usage(msgspec.Struct, frozen=True):
    """Processor seconds in all, the part that is of what this command may use, and what was seen over time."""

    cpu_s: float
    cpu_share: float
    peak_mb: float = 0.0
    looks: tuple[Look, ...] = ()


def of_children(before_s: float, began: float) -> Usage:
    """Return what ended children of this process have used since, *before_s* being `children_cpu_s` then."""
    return _usage(children_cpu_s() - before_s, time.monotonic() - began)


def children_cpu_s() -> float:
    """Return the processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _usage(cpu_s: float, took_s: float, peak_mb: float = 0.0, looks: tuple[Look, ...] = ()) -> Usage:
    share = cpu_s / max(took_s, 1e-9) / len(os.sched_getaffinity(0))
    return Usage(round(cpu_s, 2), round(share, 4), round(peak_mb, 1), looks)


class Watch:
    """Watches a process and its descendants while the block runs; `usage` tells of it afterwards, None without one."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._looks: list[Look] = []
        self._cpu: dict[int, float] = {}  # the last seen of each process, also of those that are gone
        self._before: dict[int, float] = {}
        self.usage: Usage | None = None

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if self._pid is not None:
            self._note_cpu()
            self._before = dict(self._cpu)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid is None:
            return
        self._stop.set()
        self._thread.join()
        self._look()
        cpu_s = sum(now - self._before.get(pid, 0.0) for pid, now in self._cpu.items())
        peak = max((look.memory_mb for look in self._looks), default=0.0)
        self.usage = _usage(cpu_s, time.monotonic() - self._began, peak, tuple(self._looks))

    def _watch(self) -> None:
        turn = 0
        while True:
            if turn % MEMORY_EVERY == 0:
                self._look()
            else:
                self._note_cpu()
            turn += 1
            if self._stop.wait(LOOK_EVERY_S):
                return

    def _processes(self) -> list[int]:
        assert self._pid is not None
        return [self._pid, *children_of(self._pid)]

    def _note_cpu(self) -> None:
        for pid in self._processes():
            self._cpu[pid] = max(cpu_seconds_of(pid), self._cpu.get(pid, 0.0))

    def _look(self) -> None:
        self._note_cpu()
        memory_mb, descriptors = 0.0, 0
        for pid in self._processes():
            memory_mb += memory_of(pid)["pss_mb"]
            with contextlib.suppress(OSError):
                descriptors += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        self._looks.append(Look(round(time.monotonic() - self._began, 1), round(memory_mb, 1), descriptors))
