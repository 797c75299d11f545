"""Whether the machine was ours while something was measured: a figure that others disturbed is void."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from atraso.stress.proc import TICKS_A_SECOND, cpu_seconds_of
from benchmarks.processes import Service
from tests.drill.figures import tell

# Of all processor time; more means that others were measured too.
MOST_FOR_OTHERS = 0.10


class Used:
    """Processor time since the object was made."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._began = time.monotonic()
        self._all_s = _used_s()
        self._ours_s = service.cpu_seconds() + cpu_seconds_of(os.getpid())
        self.generators_s = 0.0

    def others(self) -> float:
        """Return the share of the processors that neither the service nor the drill has used."""
        ours_s = self._service.cpu_seconds() + cpu_seconds_of(os.getpid()) - self._ours_s + self.generators_s
        whole_s = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return max(_used_s() - self._all_s - ours_s, 0.0) / whole_s


@contextlib.contextmanager
def undisturbed(service: Service, name: str) -> Iterator[Used]:
    """Measure something; where it fails and others used the processors meanwhile, it is void and not failed.

    Add the processor time of load generators that have ended to `generators_s`.
    """
    used = Used(service)
    try:
        yield used
    except AssertionError as error:
        others = used.others()
        if others > MOST_FOR_OTHERS:
            pytest.skip(f"VOID: {name}: others used {others:.0%} of the processors: {error}")
        raise
    finally:
        tell(f"share of the processors that others used during {name}", used.others() * 100, "%")


def _used_s() -> float:
    """Return the processor time that all of the machine has spent at work."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields[1:8])
    return (user + nice + system + irq + softirq) / TICKS_A_SECOND
