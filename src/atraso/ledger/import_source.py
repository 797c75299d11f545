"""What is to be imported, as a file that the writer can open: its process has other pipes, another standard input."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from atraso.core.errors import LedgerError


@contextlib.contextmanager
def importable(source: Path, data: Path) -> Iterator[Path]:
    """Give the path of a regular file with what *source* has: itself, or a copy in the folder *data* of a pipe.

    A pipe is waited for here, where it holds nobody else. The copy is gone afterwards, and LedgerErrors that name it
    name *source*. Raises LedgerError for what is no file, pipe or terminal, and where it cannot be read or copied.
    """
    with contextlib.ExitStack() as held:
        try:
            fd = held.enter_context(source.open("rb")).fileno()
        except OSError as error:
            raise LedgerError(f"{source} cannot be read: {error.strerror}.") from None
        path = _itself(source, fd) or Path(held.enter_context(_copied(source, fd, data)))
        try:
            yield path
        except LedgerError as error:
            raise type(error)(str(error).replace(str(path), str(source))) from None


def _itself(source: Path, fd: int) -> Path | None:
    """Return where the file open at *fd* is found by every process, None where it is none or has no name."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        return None
    path = source.resolve()  # /dev/stdin is another file for another process
    try:
        return path if os.path.samestat(found, path.stat()) else None
    except OSError:
        return None


@contextlib.contextmanager
def _copied(source: Path, fd: int, data: Path) -> Iterator[str]:
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)):
        raise LedgerError(f"{source} is no file and no pipe: name one with rows as `atraso ledger export` writes them.")
    with contextlib.ExitStack() as held:
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            copy = held.enter_context(tempfile.NamedTemporaryFile(dir=data, prefix="import-", suffix=f"-{source.name}"))
            with os.fdopen(fd, "rb", closefd=False) as given:
                shutil.copyfileobj(given, copy)
            copy.flush()
        except OSError as error:
            raise LedgerError(f"{source} cannot be copied to {data}: {error.strerror}.") from None
        yield copy.name
