"""The Unix socket by which other processes of the same user ask the writer: one request and one answer a connection.

Each is its length (little-endian, 4 bytes) and JSON. Reading and writing are done beside the writer's own work, with
time-outs and limits, so nobody who is slow or silent can hold it. Whoever asks needs no database library.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from struct import Struct as Packed
from typing import Any

import msgspec
from msgspec import Raw, Struct

from atraso.core.errors import LedgerError, LedgerUnavailableError
from atraso.ledger.commands import RESULTS, Command

FILE = "ledger.sock"
# 10,000 departures take about 1.2 MB.
MAX_REQUEST_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_CONNECTIONS = 16
CLIENT_TIMEOUT_S = 5.0
RETRY_EVERY_S = 0.1
# The system's limit for the name of a socket, with its closing zero (sys/un.h).
_MAX_NAME_BYTES = 107
_length = Packed("<I")


class _Answer(Struct, frozen=True):
    result: Raw = Raw(b"null")
    refused: str | None = None
    later: bool = False


_decode_command = msgspec.json.Decoder(Command).decode


class Asked:
    """A command on its way: the writer takes it from the socket's queue and answers it once."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._answer: queue.SimpleQueue[_Answer] = queue.SimpleQueue()

    def done(self, result: object) -> None:
        """Answer with a result."""
        self._answer.put(_Answer(result=Raw(msgspec.json.encode(result))))

    def refuse(self, why: str, *, later: bool = False) -> None:
        """Answer that it was not done, in a sentence; *later* says that the same may be asked again."""
        self._answer.put(_Answer(refused=why, later=later))

    def wait(self) -> _Answer:
        """Return the answer when it is there."""
        return self._answer.get()


class CommandSocket:
    """Listens on `ledger.sock` in the folder *data*, for its owner only, and puts what is asked into `queue`."""

    def __init__(self, data: Path) -> None:
        self.queue: queue.Queue[Asked] = queue.Queue()
        self._path = data / FILE
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._listener = _unix_socket()
        try:
            self._path.unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                with _nameable(self._path) as name:
                    self._listener.bind(name)
            finally:
                os.umask(before)
            self._inode = self._path.stat().st_ino
            self._listener.listen(MAX_CONNECTIONS)
        except OSError:
            self._listener.close()
            raise
        threading.Thread(target=self._accept, name="ledger-socket", daemon=True).start()

    def stands(self) -> bool:
        """Return whether the socket can still be found by its name."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Listen no more; what is in the queue is refused."""
        if self.stands():
            self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the one that accepts
        self._listener.close()
        with contextlib.suppress(queue.Empty):
            while True:
                self.queue.get_nowait().refuse("The ledger's writer is ending: try again.", later=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._free.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(connection,), name="ledger-client", daemon=True).start()
            else:
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError, EOFError):
                request = _receive(connection, MAX_REQUEST_BYTES, time.monotonic() + CLIENT_TIMEOUT_S)
                try:
                    asked = Asked(_decode_command(request))
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                    answer = _Answer(refused=f"The ledger's writer does not understand this: {error}.")
                else:
                    self.queue.put(asked)
                    answer = asked.wait()
                connection.settimeout(CLIENT_TIMEOUT_S)
                _send(connection, msgspec.json.encode(answer))
        finally:
            self._free.release()


def ask_writer(data: Path, command: Command, timeout_s: float) -> Any:
    """Return what the running writer of the folder *data* answers to *command*, within *timeout_s*.

    Raises LedgerError where it refuses, LedgerUnavailableError where it cannot now or does not answer, and
    ConnectionRefusedError or FileNotFoundError where there is no writer.
    """
    request = msgspec.json.encode(command)
    if len(request) > MAX_REQUEST_BYTES:
        raise LedgerError(f"This is too much for the ledger's writer: at most {MAX_REQUEST_BYTES} bytes at a time.")
    deadline = time.monotonic() + timeout_s
    with contextlib.closing(_unix_socket()) as connection:
        connection.settimeout(min(CLIENT_TIMEOUT_S, timeout_s))
        with _nameable(data / FILE) as name:
            connection.connect(name)
        try:
            _send(connection, request)
            answer = msgspec.json.decode(_receive(connection, MAX_ANSWER_BYTES, deadline), type=_Answer)
        except TimeoutError:
            raise LedgerUnavailableError(
                f"The ledger's writer has not answered for {timeout_s:g} s: it may still do what was asked."
            ) from None
        except (OSError, EOFError, msgspec.MsgspecError):
            raise LedgerUnavailableError(
                "The ledger's writer ended before it answered: look whether it was done, or try again."
            ) from None
    if answer.refused is not None:
        raise (LedgerUnavailableError if answer.later else LedgerError)(answer.refused)
    return msgspec.json.decode(answer.result, type=RESULTS[type(command)])


def ask_running_writer(data: Path, command: Command, within_s: float) -> Any:
    """Return what `ask_writer` does, for a service whose writer may just begin, or is being replaced.

    Raises LedgerUnavailableError where there is none within *within_s*.
    """
    deadline = time.monotonic() + within_s
    while True:
        left_s = deadline - time.monotonic()
        try:
            return ask_writer(data, command, max(left_s, RETRY_EVERY_S))
        except OSError as error:
            if left_s <= RETRY_EVERY_S:
                why = "cannot be asked now" if isinstance(error, PermissionError) else "is not there yet"
                raise LedgerUnavailableError(f"The ledger's writer {why}: try again, its log says more.") from None
        time.sleep(RETRY_EVERY_S)


def _unix_socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


@contextlib.contextmanager
def _nameable(path: Path) -> Iterator[str]:
    """Give a name of *path* that a socket can have: a long one goes by way of its folder's open file."""
    if len(os.fsencode(path)) <= _MAX_NAME_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _send(connection: socket.socket, content: bytes) -> None:
    connection.sendall(_length.pack(len(content)) + content)


def _receive(connection: socket.socket, limit: int, deadline: float) -> bytes:
    """Return one message of at most *limit* bytes that is whole by *deadline*."""
    length = _length.unpack(_read(connection, _length.size, deadline))[0]
    if length > limit:
        raise EOFError
    return _read(connection, length, deadline)


def _read(connection: socket.socket, size: int, deadline: float) -> bytes:
    content = bytearray()
    while len(content) < size:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        part = connection.recv(min(size - len(content), 1 << 20))
        if not part:
            raise EOFError
        content += part
    return bytes(content)
