"""A snapshot: what the state of the airport adds to every scorecard at one moment, as bytes that never change.

One process makes it from all that was reported; every worker reads it. A checksum at its end tells a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from atraso.artefact.state_sums import KindSums
from atraso.artefact.timetable_sums import CROWDS, MAX_REMEMBERED, Facts, facts_of
from atraso.core.flights import Flight
from atraso.core.keys import KINDS, PARTS, parts_of

Floats = NDArray[np.float64]
Identity = tuple[str, str, str, str, int]
_HEAD_LENGTH, _CHECKSUM = 8, 4
_ALIGNED = 8
_PARTS_OF_KIND = {kind: tuple(PARTS.index(part) for part in parts) for kind, parts in KINDS.items()}


class SnapshotHead(msgspec.Struct, frozen=True):
    """What a snapshot is of: the model's checksum, the moment, the ledger's version, what was reported.

    `variants` are the offsets from UTC (minutes, per origin) for which there are sums, `keys` the keys of each kind in
    the order of their rows; `shape` is (cards, columns). `timetable` are the published flights around the moment.
    `words` tell by origin what the groups of reasons have seen, `airports` the state of each.
    """

    model: str
    version: int
    at_utc: int
    known_since_utc: int | None
    newest_departure_utc: int | None
    schedule_known: bool
    variants: list[dict[str, int]]
    keys: dict[str, list[str]]
    shape: tuple[int, int]
    timetable: list[Identity]
    words: dict[str, dict[str, str]]
    airports: dict[str, Any]


_decode_head = msgspec.json.Decoder(SnapshotHead).decode


def pack(head: SnapshotHead, sums: Sequence[Mapping[str, KindSums]], crowds: NDArray[np.int16]) -> bytes:
    """Return a snapshot; *sums* are by variant and kind, *crowds* (flights, crowding counts) by published flight."""
    text = msgspec.json.encode(head)
    parts = [len(text).to_bytes(_HEAD_LENGTH, "little"), text, b"\0" * (-len(text) % _ALIGNED)]
    for variant in sums:
        for kind in head.keys:
            parts += [variant[kind].of_key.tobytes(), variant[kind].of_unseen.tobytes()]
    parts.append(np.ascontiguousarray(crowds, dtype=np.int16).tobytes())
    content = b"".join(parts)
    return content + crc32(content).to_bytes(_CHECKSUM, "little")


class Snapshot:
    """A snapshot as a worker reads it; raises ValueError for bytes that are not a whole one."""

    def __init__(self, content: bytes) -> None:
        body = memoryview(content)[:-_CHECKSUM]
        if crc32(body) != int.from_bytes(content[-_CHECKSUM:], "little"):
            raise ValueError("the snapshot is not whole")
        length = int.from_bytes(body[:_HEAD_LENGTH], "little")
        self.head = head = _decode_head(body[_HEAD_LENGTH : _HEAD_LENGTH + length])
        at = _HEAD_LENGTH + length + (-length % _ALIGNED)
        cards, columns = head.shape
        self._rows = {kind: {key: row for row, key in enumerate(keys)} for kind, keys in head.keys.items()}
        self._sums: list[dict[str, tuple[Floats, Floats]]] = []
        for offsets in head.variants:
            of_kind = {}
            for kind, keys in head.keys.items():
                both = np.frombuffer(body, np.float64, (len(keys) + len(offsets)) * cards * columns, at)
                at += both.nbytes
                shaped = both.reshape(-1, cards, columns)
                of_kind[kind] = shaped[: len(keys)], shaped[len(keys) :]
            self._sums.append(of_kind)
        crowds = np.frombuffer(body, np.int16, len(head.timetable) * len(CROWDS), at).reshape(-1, len(CROWDS))
        self._crowds = dict(zip(map(tuple, head.timetable), map(tuple, crowds.tolist()), strict=True))
        self._origins = {origin: place for place, origin in enumerate(head.variants[0])} if head.variants else {}
        self._met: dict[tuple[Facts, int], Floats] = {}

    @property
    def empty(self) -> bool:
        """Whether it holds nothing that an answer could use: no departure and no published flight."""
        return self.head.known_since_utc is None and not self._crowds

    def crowd(self, flight: Flight) -> tuple[int, ...] | None:
        """Return how many published flights surround *flight*, in the order of `CROWDS`; None for one that is not."""
        return self._crowds.get(flight.identity)

    def state(self, flight: Flight) -> Floats | None:
        """Return what the state adds for the keys of *flight* (cards, columns); None where nothing ever left."""
        offset = flight.scheduled_local_minutes - flight.scheduled_utc_minutes
        facts = facts_of(flight), offset
        found = self._met.get(facts)
        if found is None:
            if not self._sums or flight.origin not in self._origins:
                return None
            if len(self._met) >= MAX_REMEMBERED:
                self._met.clear()
            found = self._met[facts] = self._looked_up(flight, offset)
        return found

    def _looked_up(self, flight: Flight, offset: int) -> Floats:
        fitting = (i for i, offsets in enumerate(self.head.variants) if offsets[flight.origin] == offset)
        sums = self._sums[next(fitting, 0)]
        parts, origin = parts_of(flight), flight.origin
        total = np.zeros(self.head.shape)
        for kind, rows in self._rows.items():
            row = rows.get("|".join([origin, *[parts[i] for i in _PARTS_OF_KIND[kind]]]))
            of_key, of_unseen = sums[kind]
            total += of_unseen[self._origins[origin]] if row is None else of_key[row]
        return total
