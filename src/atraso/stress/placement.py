"""On which processors a run takes place, so that the scheduler's choices are not what is measured.

With one connection the client waits while the service works, so one processor is enough for both and no time is spent
waking another. Under load the service has that processor for itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


class Placement:
    """Moves this process, and with it what it starts from then on."""

    def __init__(self) -> None:
        self._all = os.sched_getaffinity(0)
        # The lowest often serves the machine's devices too.
        self._services = {max(self._all)}

    @contextlib.contextmanager
    def with_services(self) -> Iterator[None]:
        """Stay on the services' processor while the block runs."""
        yield from self._on(self._services)

    @contextlib.contextmanager
    def beside_services(self) -> Iterator[None]:
        """Stay on the other processors while the block runs; on all where there is but one."""
        yield from self._on(self._all - self._services or self._all)

    def _on(self, processors: set[int]) -> Iterator[None]:
        os.sched_setaffinity(0, processors)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self._all)
