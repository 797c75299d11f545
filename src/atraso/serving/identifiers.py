"""Identifiers of predictions: unique, ordered by time, 26 characters in the form of a ULID."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32, as in the ULID specification
_PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
_COUNT_BITS = 40
_LOW_BITS = 20
_LOW_MASK = (1 << _LOW_BITS) - 1


class Identifiers:
    """A source of identifiers for one process: milliseconds, a random part of the process, and a count.

    Calling it costs a reading of the clock and a few look-ups; the identifiers of one source always rise, also when
    the clock is set back. Make one in each process: a copy made by forking would repeat the random part.
    """

    def __init__(
        self, now_ns: Callable[[], int] = time.time_ns, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._now_ns = now_ns
        self._process = base32(int.from_bytes(random_bytes(5)), 8)
        # Half of the count's range stays free, so that it does not turn over while the process lives.
        self._count = int.from_bytes(random_bytes(5)) >> 1
        self._millisecond = -1
        self._head_count = -1
        self._time = ""
        self._head = ""

    def many(self, count: int) -> list[str]:
        """Return the next *count* identifiers, in order."""
        identifiers: list[str] = []
        while len(identifiers) < count:
            identifiers.append(self())
            # As long as the head stays, only the last digits differ.
            head, start = self._head, self._count & _LOW_MASK
            run = range(start + 1, min(start + count - len(identifiers), _LOW_MASK) + 1)
            identifiers += [head + _PAIRS[low >> 10] + _PAIRS[low & 1023] for low in run]
            self._count += len(run)
        return identifiers

    def __call__(self) -> str:
        """Return the next identifier."""
        millisecond = self._now_ns() // 1_000_000
        count = self._count = (self._count + 1) % (1 << _COUNT_BITS)
        head_count = count >> _LOW_BITS
        if millisecond > self._millisecond or head_count != self._head_count:
            if millisecond > self._millisecond:
                self._millisecond = millisecond
                self._time = base32(millisecond, 10)
            self._head_count = head_count
            self._head = self._time + self._process + base32(head_count, 4)
        return self._head + _PAIRS[(count >> 10) & 1023] + _PAIRS[count & 1023]


def base32(number: int, length: int) -> str:
    """Return the last *length* base-32 digits of *number*."""
    return "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(length - 1, -1, -1))
