"""The process that keeps the state: follows the ledger, shows snapshots to the workers, answers for other moments."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import secrets
import select
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from atraso.artefact.day import AskedDay
from atraso.artefact.scorer import Scorer
from atraso.bootstrap.state_keeper import StateKeeper
from atraso.serving.airport_state import LENGTH_BYTES, AskedMoment
from atraso.serving.snapshots import SnapshotPlaces

log = logging.getLogger("atraso.state")

FOLLOW_EVERY_S = 0.25
RETRY_AFTER_S = 1.0
COMPLAIN_EVERY_S = 10.0
CLIENT_TIMEOUT_S = 1.0
MAX_REQUEST_BYTES = 4096
WAITING_CLIENTS = 64
_PEER = struct.Struct("3i")  # process, user, group: `struct ucred`
_decode = msgspec.json.Decoder(AskedMoment | AskedDay).decode


class StateAddress:
    """Where the process listens: a Unix socket without a file, made before all processes, for the same user only."""

    def __init__(self) -> None:
        self.name = f"\0atraso-state-{secrets.token_hex(16)}"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.name)
        self.listener.listen(WAITING_CLIENTS)


def keep_state(
    scorer: Scorer,
    ledger: tuple[Path, str | None],
    places: SnapshotPlaces,
    address: StateAddress,
    alive: Callable[[], bool],
) -> None:
    """Keep the state for the model of *scorer* while *alive*.

    *ledger* is its data folder, and the address of its database where that is not in the folder.
    """
    # The database's library takes longer to import than all the rest: the service is ready meanwhile.
    from atraso.ledger.database import DATABASE_ERRORS, ledger_url, open_engine, sqlite_file, told  # noqa: PLC0415
    from atraso.ledger.following import changes  # noqa: PLC0415

    url = ledger_url(*ledger)
    engine = open_engine(url, reading=sqlite_file(url) is not None)
    keeper = StateKeeper(scorer, functools.partial(changes, engine), places.write)
    next_look = complain_at = 0.0
    while alive():
        now = time.monotonic()
        if now >= next_look:
            next_look = now + FOLLOW_EVERY_S
            try:
                keeper.look(time.time())
            except DATABASE_ERRORS as error:
                engine.dispose()
                next_look = now + RETRY_AFTER_S
                if now >= complain_at:
                    complain_at = now + COMPLAIN_EVERY_S
                    log.error("The ledger cannot be followed (%s): the state stays as it was.", told(error))
        if select.select([address.listener], [], [], max(next_look - time.monotonic(), 0.0))[0]:
            with contextlib.suppress(*DATABASE_ERRORS, msgspec.MsgspecError):
                _serve_one(address.listener, keeper, scorer.manifest.checksum)


def _serve_one(listener: socket.socket, keeper: StateKeeper, checksum: str) -> None:
    """Answer one process of the same user with the snapshot of the moment, or the day, that it asks for."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(CLIENT_TIMEOUT_S)
        peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(peer)[1] != os.getuid():
            return
        length = int.from_bytes(_read(connection, LENGTH_BYTES), "little")
        if not 0 < length <= MAX_REQUEST_BYTES:
            return
        asked = _decode(_read(connection, length))
        content = b""
        if asked.model == checksum:
            keeper.follow()
            content = keeper.day(asked) if isinstance(asked, AskedDay) else keeper.snapshot(asked.at_utc)
        connection.sendall(len(content).to_bytes(LENGTH_BYTES, "little") + content)


def _read(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise ConnectionResetError
        content += part
    return content
