"""Ends a writer whose service is gone, also one that stands still and would not notice by itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

BEAT_EVERY_S = 0.5
# What is at hand is taken in for two seconds, after a statement that may be under way.
LEAVE_WITHIN_S = 5.0


def end_by_force() -> None:
    """End this process at once; what it was doing stays in the spools, for the writer after it."""
    os.kill(os.getpid(), signal.SIGKILL)


class Pulse:
    """Calls *beat* each half second, for as long as there is work, and tells the work to stop when it returns False.

    It comes from a thread of its own, because one statement may take long. Work that does not `end` within
    `LEAVE_WITHIN_S` stands still, and *give_up* is called: a lock that nobody needs is kept from nobody.
    """

    def __init__(self, beat: Callable[[], bool], give_up: Callable[[], None] = end_by_force) -> None:
        self._beat, self._give_up = beat, give_up
        self._ended = threading.Event()

    def start(self, stop: threading.Event) -> None:
        """Begin; *stop* is set when *beat* returns False."""
        threading.Thread(target=self._run, args=(stop,), name="ledger-beat", daemon=True).start()

    def end(self) -> None:
        """Take note that the work has ended."""
        self._ended.set()

    def _run(self, stop: threading.Event) -> None:
        while self._beat():
            if self._ended.wait(BEAT_EVERY_S):
                return
        stop.set()
        if not self._ended.wait(LEAVE_WITHIN_S):
            self._give_up()
