"""Identifiers of predictions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from atraso.serving.identifiers import ALPHABET, Identifiers, base32


def test_form() -> None:
    """An identifier is 26 characters of Crockford's base 32, within the range of a ULID."""
    assert re.fullmatch(f"[0-7][{ALPHABET}]{{25}}", Identifiers()())


def test_unique_and_rising() -> None:
    """Identifiers of one source are unique and rise, within a millisecond too."""
    source = Identifiers()
    made = [source() for _ in range(50_000)]
    assert made == sorted(set(made))


def test_many_at_once() -> None:
    """Many identifiers taken at once are unique and rise among themselves and with those before and after."""
    source = Identifiers(random_bytes=lambda n: b"\x00" * (n - 2) + b"\xff" * 2)  # its low digits run over on the way
    made = [source(), *source.many(1000), source(), *source.many(1_100_000), *source.many(0), source()]
    assert len(made) == 1_101_003
    assert made == sorted(set(made))


def test_two_processes() -> None:
    """Two sources at the same moment never give the same identifier."""
    now = 1_800_000_000_000_000_000
    a, b = Identifiers(lambda: now), Identifiers(lambda: now)
    assert not {a() for _ in range(1000)} & {b() for _ in range(1000)}


def test_order_of_time() -> None:
    """A later millisecond sorts after an earlier one, whichever process made it."""
    early = Identifiers(lambda: 1_000_000_000, lambda n: b"\xff" * n)
    late = Identifiers(lambda: 1_001_000_000, lambda n: b"\x00" * n)
    assert early() < late()


def test_clock_set_back() -> None:
    """When the clock is set back the identifiers still rise."""
    moments: Iterator[int] = iter([5_000_000_000, 4_000_000_000, 4_000_000_001, 5_001_000_000])
    source = Identifiers(lambda: next(moments))
    made = [source() for _ in range(4)]
    assert made == sorted(set(made))


def test_turn_of_the_low_part() -> None:
    """Identifiers rise also where the count carries over into its upper part."""
    source = Identifiers(lambda: 1_000_000_000, (2 * (2**20 - 3)).to_bytes)
    made = [source() for _ in range(6)]
    assert made == sorted(set(made))
    assert made[0][:22] != made[-1][:22]


def test_base32() -> None:
    """The digits are those of the ULID specification, highest first."""
    assert base32(0, 3) == "000"
    assert base32(32 * 31 + 10, 3) == "0ZA"
