"""How often somebody may ask, and how often a log-in may fail: buckets in memory that all workers share.

A bucket is one number, the moment by which all that was counted would have come at the allowed pace (the generic cell
rate algorithm, ITU-T I.371). Nobody waits for a lock: two workers that count in the same instant may count once.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import mmap

from atraso.identity.principal import folded

SLOTS = 4096
# More for names of failed log-ins: whoever has many addresses can fill slots, and holds back whom they are shared with.
NAME_SLOTS = 1 << 16
_PROBED = 8
_MICRO = 1_000_000
# Three at once and one each 20 s: at most four in any 30 s, which is below the five after which directories lock.
FAILURES_PER_S, FAILURES_AT_ONCE = 1 / 20, 3
ADDRESS_FAILURES_PER_S, ADDRESS_FAILURES_AT_ONCE = 1.0, 30


class Buckets:
    """Counts by name, *per_s* a second and *at_once* in a row; make it before the workers are forked.

    There are only so many slots: where more names come at once, some share one, and what was counted in it counts for
    all of them, so that nobody is forgotten because others came. Moments are seconds since 1970.
    """

    def __init__(self, per_s: float, at_once: int, slots: int = SLOTS) -> None:
        self._interval = max(1, math.ceil(_MICRO / per_s))
        self._tolerated = (at_once - 1) * self._interval
        self._slots = slots
        self._cells = memoryview(mmap.mmap(-1, 16 * slots)).cast("Q")

    def slot_of(self, name: str) -> int:
        """Return where *name* is counted: where it was before, or in the slot that was idle for longest."""
        tag = int.from_bytes(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "little") or 1
        places = [(tag + i) % self._slots for i in range(_PROBED)]
        for place in places:
            if self._cells[2 * place] == tag:
                return place
        place = min(places, key=lambda place: self._cells[2 * place + 1])
        self._cells[2 * place] = tag
        return place

    def wait_s(self, slot: int, now: float) -> float:
        """Return 0 where one more is allowed, or the seconds until it is."""
        wait = self._cells[2 * slot + 1] - self._tolerated - int(now * _MICRO)
        return wait / _MICRO if wait > 0 else 0.0

    def count(self, slot: int, now: float) -> None:
        """Count one."""
        at, moment = 2 * slot + 1, int(now * _MICRO)
        before = self._cells[at]
        self._cells[at] = (before if before > moment else moment) + self._interval

    def take_back(self, slot: int) -> None:
        """Count one less."""
        at = 2 * slot + 1
        self._cells[at] = max(0, self._cells[at] - self._interval)

    def clear(self, slot: int) -> None:
        """Forget what was counted."""
        self._cells[2 * slot + 1] = 0


class FailedLogins:
    """Holds a name or an address back after failed log-ins, before the directory would lock the name."""

    def __init__(self) -> None:
        self._names = Buckets(FAILURES_PER_S, FAILURES_AT_ONCE, NAME_SLOTS)
        self._addresses = Buckets(ADDRESS_FAILURES_PER_S, ADDRESS_FAILURES_AT_ONCE)

    def wait_s(self, name: str, address: str, now: float) -> float:
        """Return 0, or how many seconds *name* or *address* is held back."""
        by_name = self._names.wait_s(self._of_name(name), now)
        return max(by_name, self._addresses.wait_s(self._of_address(address), now))

    def tried(self, name: str, address: str, now: float) -> None:
        """Count an attempt as failed until it has succeeded, so that many at the same time are no way around."""
        self._names.count(self._of_name(name), now)
        self._addresses.count(self._of_address(address), now)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of *name*; an address has one less."""
        self._names.clear(self._of_name(name))
        self._addresses.take_back(self._of_address(address))

    def undone(self, name: str, address: str) -> None:
        """Count an attempt no more that came to nothing: what failed before it still counts."""
        self._names.take_back(self._of_name(name))
        self._addresses.take_back(self._of_address(address))

    def _of_name(self, name: str) -> int:
        return self._names.slot_of(folded(name[:256]))

    def _of_address(self, address: str) -> int:
        return self._addresses.slot_of(_network(address))


def _network(address: str) -> str:
    # Whoever has one address of IPv6 has 2**64 of them.
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))
