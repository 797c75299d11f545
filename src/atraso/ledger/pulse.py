"""The writer's sign of life: given while its work moves on, beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

BEAT_EVERY_S = 0.5
# The longest that one statement may take on PostgreSQL, twice; SQLite's are far shorter.
STUCK_AFTER_S = 60.0


class Pulse:
    """Calls *beat* each half second while `moved` was called lately.

    One statement may take longer than the time between two beats, so they come from a thread of their own.
    """

    def __init__(self, beat: Callable[[], bool]) -> None:
        self._beat = beat
        self._ended = threading.Event()
        self._moved_at = time.monotonic()

    def start(self, stop: threading.Event) -> None:
        """Begin; *stop* is set when *beat* returns False."""
        self.moved()
        threading.Thread(target=self._run, args=(stop,), name="ledger-beat", daemon=True).start()

    def end(self) -> None:
        """Give no sign any more."""
        self._ended.set()

    def moved(self) -> None:
        """Say that the work moves on."""
        self._moved_at = time.monotonic()

    def _run(self, stop: threading.Event) -> None:
        while time.monotonic() - self._moved_at < STUCK_AFTER_S:
            if not self._beat():
                stop.set()
            if self._ended.wait(BEAT_EVERY_S):
                return
