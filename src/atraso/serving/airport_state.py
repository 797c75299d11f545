"""What a worker knows of the airport: the latest snapshot, and that of any other moment when somebody asks for it."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

import msgspec

from atraso.artefact.day import AskedDay, KnownDay
from atraso.artefact.live import NOTHING_KNOWN, Moment
from atraso.artefact.snapshot import Snapshot, SnapshotHead
from atraso.core.keys import MINUTES_A_DAY
from atraso.serving.problems import UnavailableError
from atraso.serving.snapshots import SnapshotPlaces

# A snapshot of an older minute is not used: whoever makes them stands still.
OLD_AFTER_MINUTES = 3
# What is usual here has to be known before it can be told what is unusual.
KNOWN_FOR_DAYS = 7
# How each warning ends that says why an answer that could have been live is not.
FELL_BACK = "the answer is that of the schedule"
ASKED_AT_ONCE = 4
ANSWER_WITHIN_S = 5.0
RETRY_AFTER_S = 1.0
LENGTH_BYTES = 8
_NOT_TOLD = (OSError, TimeoutError, ValueError, EOFError, msgspec.MsgspecError)
_decode_day = msgspec.json.Decoder(KnownDay).decode


class AskedMoment(msgspec.Struct, frozen=True, tag="moment"):
    """What a worker asks of the process that keeps the state: a moment in UTC minutes, for a model by its checksum."""

    at_utc: int
    model: str


@dataclass(frozen=True, slots=True)
class StateSource:
    """Where the state comes from: *places* of snapshots, the *address* that is asked for other moments.

    A state is used up to *stale_minutes* after the last departure that was reported.
    """

    places: SnapshotPlaces = field(default_factory=SnapshotPlaces)
    address: str | None = None
    stale_minutes: int = 360


class AirportState:
    """The state as one model reads it, by its *checksum*."""

    def __init__(self, source: StateSource, checksum: str) -> None:
        self._source, self._checksum = source, checksum
        self._number = self._minute = 0
        self._snapshot: Snapshot | None = None
        self._moment = NOTHING_KNOWN
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)

    @property
    def known(self) -> bool:
        """Whether there ever was a snapshot."""
        return self._source.places.number > 0

    def now(self, seconds: float) -> Moment:
        """Return the moment *seconds* since 1970; the same object while neither minute nor state is another."""
        number = self._source.places.number
        if number == 0:
            return NOTHING_KNOWN
        minute = int(seconds) // 60
        if number != self._number or minute != self._minute:
            self._renew(number, minute)
        return self._moment

    @property
    def head(self) -> SnapshotHead | None:
        """What the latest snapshot is of, as `now` met it."""
        return self._snapshot.head if self._snapshot else None

    async def at(self, at_utc: int) -> Moment:
        """Return another moment, in UTC minutes, with all in it that was stored before; raises UnavailableError.

        So it does while the ledger is read for the first time: an answer of the schedule would look like the last word.
        """
        if self._source.address is None:
            return NOTHING_KNOWN
        if not self.known:
            raise UnavailableError("the departures known so far are still being read from the ledger", RETRY_AFTER_S)
        try:
            content = await self._asked(self._source.address, AskedMoment(at_utc, self._checksum))
            snapshot = Snapshot(content) if content else None
        except _NOT_TOLD as error:
            raise UnavailableError("the state at that moment cannot be told now", RETRY_AFTER_S) from error
        return self._judged(snapshot, at_utc, snapshot.head.at_utc if snapshot else at_utc)

    @property
    def kept(self) -> bool:
        """Whether somebody keeps a state here."""
        return self._source.address is not None

    async def day(self, origin: str, day: int) -> KnownDay:
        """Return what is known of a local *day* (since 1970) at *origin*; raises UnavailableError."""
        try:
            if not self.known or self._source.address is None:
                raise EOFError
            return _decode_day(await self._asked(self._source.address, AskedDay(origin, day, self._checksum)))
        except _NOT_TOLD as error:
            raise UnavailableError("the flights of that day cannot be told now", RETRY_AFTER_S) from error

    async def _asked(self, address: str, asked: AskedMoment | AskedDay) -> bytes:
        async with self._asking, asyncio.timeout(ANSWER_WITHIN_S):
            return await _ask(address, asked)

    def _renew(self, number: int, minute: int) -> None:
        if number != self._number:
            try:
                snapshot = Snapshot(self._source.places.read())
            except (ValueError, msgspec.MsgspecError):
                return  # it was overwritten while it was read: the next one is there
            self._number = number
            self._snapshot = snapshot if snapshot.head.model == self._checksum else None
        self._minute = minute
        at = self._snapshot.head.at_utc if self._snapshot else 0
        self._moment = self._judged(self._snapshot, minute, at)

    def _judged(self, snapshot: Snapshot | None, at_utc: int, made_for: int) -> Moment:
        """Return the moment with what may be used of *snapshot*, which was made for another minute perhaps."""
        if snapshot is None or snapshot.empty:
            return NOTHING_KNOWN
        if abs(at_utc - made_for) > OLD_AFTER_MINUTES:
            return Moment(at_utc, None)
        since, newest = snapshot.head.known_since_utc, snapshot.head.newest_departure_utc
        if since is None or newest is None:
            return Moment(at_utc, snapshot)
        if at_utc - since < KNOWN_FOR_DAYS * MINUTES_A_DAY:
            why = f"departures are known for less than {KNOWN_FOR_DAYS} days: {FELL_BACK}"
            return Moment(at_utc, snapshot, fresh=False, why=why)
        silent = at_utc - newest
        if silent > self._source.stale_minutes:
            why = f"no departure was reported for {_span(silent)}: {FELL_BACK}"
            return Moment(at_utc, snapshot, fresh=False, why=why)
        return Moment(at_utc, snapshot, fresh=True)


def _span(minutes: int) -> str:
    hours = minutes // 60
    return f"{hours} h" if hours < 72 else f"{hours // 24} days"


async def _ask(address: str, asked: AskedMoment | AskedDay) -> bytes:
    """Return the snapshot of a moment, or a day as JSON; empty where none can be made for that model."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, address)
        request = msgspec.json.encode(asked)
        await loop.sock_sendall(connection, len(request).to_bytes(LENGTH_BYTES, "little") + request)
        length = int.from_bytes(await _read(loop, connection, LENGTH_BYTES), "little")
        return await _read(loop, connection, length)


async def _read(loop: asyncio.AbstractEventLoop, connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        part = await loop.sock_recv(connection, size - len(content))
        if not part:
            raise EOFError
        content += part
    return bytes(content)
