"""When keys were last used, told to the ledger's writer now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from atraso.ledger.spool import Spool

TELL_EVERY_S = 30.0


class KeyUsage:
    """Notes the prefixes of keys that come in, and tells them by *spool*; what cannot be told is told later."""

    def __init__(self, spool: Spool, now: Callable[[], float] = time.time) -> None:
        self._spool, self._now = spool, now
        self._used: dict[str, int] = {}
        self._tell_at = 0.0

    def __call__(self, prefix: str) -> None:
        """Note that the key with *prefix* came in."""
        self._used[prefix] = int(self._now())

    def look(self) -> None:
        """Tell what was noted, when it is time."""
        now = self._now()
        if self._used and now >= self._tell_at:
            self._tell_at = now + TELL_EVERY_S
            self._spool.add(msgspec.json.encode({"used": self._used}))
            if self._spool.flush():
                self._used = {}
