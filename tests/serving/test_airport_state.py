"""A worker uses a whole, new snapshot of its own model, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from atraso.artefact.live import NOTHING_KNOWN
from atraso.artefact.snapshot import Snapshot, SnapshotHead, pack
from atraso.artefact.timetable_sums import CROWDS
from atraso.core.keys import MINUTES_A_DAY
from atraso.serving.airport_state import (
    KNOWN_FOR_DAYS,
    OLD_AFTER_MINUTES,
    AirportState,
    StateSource,
)
from atraso.serving.problems import UnavailableError
from atraso.serving.snapshots import PLACE_BYTES, PLACES, SnapshotPlaces, SnapshotTooLargeError

NOW = 25_000_000
MODEL = "the checksum of a model"


def snapshot(
    version: int = 1,
    *,
    at: int = NOW,
    model: str = MODEL,
    oldest: int | None = 0,
    newest: int | None = NOW,
    timetable: Sequence[tuple[str, str, str, str, int]] = (),
) -> bytes:
    head = SnapshotHead(model, version, at, oldest, newest, False, [], {}, (10, 9), list(timetable), {}, {})
    return pack(head, [], np.zeros((len(timetable), len(CROWDS)), dtype=np.int16))


def state(*contents: bytes, stale_minutes: int = 360) -> AirportState:
    places = SnapshotPlaces()
    for content in contents:
        places.write(content, NOW * 60)
    return AirportState(StateSource(places, None, stale_minutes), MODEL)


def test_before_the_first_snapshot_nothing_is_known() -> None:
    """The same nothing for ever, so that answers given meanwhile stay remembered."""
    airport = state()
    assert airport.now(0.0) is airport.now(NOW * 60.0) is NOTHING_KNOWN
    assert not airport.known
    assert airport.head is None


def test_a_moment_lasts_until_the_minute_or_the_state_is_another() -> None:
    """The very same object meanwhile; a new one with the next minute and with the next snapshot."""
    places = SnapshotPlaces()
    airport = AirportState(StateSource(places), MODEL)
    places.write(snapshot(), 0)
    first = airport.now(NOW * 60.0)
    assert first.fresh
    assert airport.now(NOW * 60 + 59.9) is first
    assert airport.now(NOW * 60 + 60.0) is not first
    second = airport.now(NOW * 60.0)
    places.write(snapshot(2), 0)
    assert airport.now(NOW * 60.0) is not second
    assert airport.head is not None
    assert airport.head.version == 2


def test_a_torn_snapshot_is_not_used() -> None:
    """Whatever byte is another, it is refused and the one before counts."""
    whole = snapshot(2)
    for at in range(0, len(whole), 7):
        torn = bytearray(whole)
        torn[at] ^= 0x10
        with pytest.raises(ValueError, match="not whole"):
            Snapshot(bytes(torn))
    places = SnapshotPlaces()
    airport = AirportState(StateSource(places), MODEL)
    places.write(snapshot(1), 0)
    assert airport.now(NOW * 60.0).fresh
    places.write(whole[:-1] + b"?", 0)
    airport.now(NOW * 60.0)
    assert airport.head is not None
    assert airport.head.version == 1


@pytest.mark.parametrize("minutes", [OLD_AFTER_MINUTES + 1, -OLD_AFTER_MINUTES - 1])
def test_an_old_snapshot_is_not_used(minutes: int) -> None:
    """Nor one of a clock that is ahead: whoever makes them stands still, or is wrong about the time."""
    assert state(snapshot()).now((NOW + OLD_AFTER_MINUTES) * 60.0).fresh
    moment = state(snapshot()).now((NOW + minutes) * 60.0)
    assert (moment.snapshot, moment.fresh) == (None, False)


def test_a_snapshot_for_another_model_is_not_used() -> None:
    """While a model is changed, the schedule answers."""
    airport = state(snapshot(model="another"))
    assert airport.now(NOW * 60.0) is NOTHING_KNOWN
    assert airport.head is None


@pytest.mark.parametrize(
    ("oldest", "newest", "why"),
    [
        (NOW - KNOWN_FOR_DAYS * MINUTES_A_DAY, NOW - 360, None),
        (NOW - KNOWN_FOR_DAYS * MINUTES_A_DAY + 1, NOW, "known for less than 7 days"),
        (0, NOW - 361, "no departure was reported for 6 h"),
        (0, NOW - 5 * MINUTES_A_DAY, "no departure was reported for 5 days"),
    ],
)
def test_when_the_state_may_be_used(oldest: int | None, newest: int | None, why: str | None) -> None:
    """With a week behind it and a feed that goes on; otherwise the schedule that is in it may be."""
    moment = state(snapshot(oldest=oldest, newest=newest)).now(NOW * 60.0)
    assert moment.fresh == (why is None)
    assert moment.snapshot is not None
    assert (moment.why is None) == (not why)
    assert (why or "") in (moment.why or "")


def test_a_ledger_that_holds_nothing_is_no_ledger() -> None:
    """Answers stay remembered from minute to minute; with a published flight its snapshot is used, without a reason."""
    assert state(snapshot(oldest=None, newest=None)).now(NOW * 60.0) is NOTHING_KNOWN
    published = ("LAN", "282", "SCEL", "SPJC", NOW)
    moment = state(snapshot(oldest=None, newest=None, timetable=[published])).now(NOW * 60.0)
    assert moment.snapshot is not None
    assert (moment.fresh, moment.why) == (False, None)


def test_the_latest_is_read_whichever_place_it_is_in() -> None:
    """Places are used in turn; a snapshot that fits nowhere is refused, and the latest stays."""
    places = SnapshotPlaces()
    assert places.read() == b""
    for number in range(1, 2 * PLACES + 2):
        places.write(b"%d" % number * number, number)
        assert places.read() == b"%d" % number * number
        assert (places.number, places.made_at_s) == (number, number)
    with pytest.raises(SnapshotTooLargeError):
        places.write(bytes(PLACE_BYTES + 1), 0)
    assert places.number == 2 * PLACES + 1


def test_another_moment_waits_until_the_ledger_is_read() -> None:
    """An answer of the schedule without a word would be taken for the last one; without a ledger there is no more."""
    begun = AirportState(StateSource(SnapshotPlaces(), "\0nobody listens here"), MODEL)
    with pytest.raises(UnavailableError, match="still being read"):
        asyncio.run(begun.at(NOW))
    assert asyncio.run(AirportState(StateSource(), MODEL).at(NOW)) is NOTHING_KNOWN


def test_a_keeper_that_is_not_there_is_told() -> None:
    """Another moment cannot be told then: try again."""
    places = SnapshotPlaces()
    places.write(snapshot(), 0)
    airport = AirportState(StateSource(places, "\0nobody listens here"), MODEL)
    with pytest.raises(UnavailableError):
        asyncio.run(airport.at(NOW))
