"""What the supervisor tells its workers: which model to use, and what was wrong with the last one. In shared memory."""

from __future__ import annotations

import mmap
from struct import Struct
from typing import NamedTuple

_header = Struct("<QQ")  # a number that is odd while something is written, and the length of the text
_SIZE = 4096
_MOST = _SIZE - _header.size
_SEPARATOR = b"\0"


class News(NamedTuple):
    """The checksum of the model to use, and the trouble with a later one (empty for none)."""

    checksum: str
    trouble: str


class Bulletin:
    """One page of memory that a single process writes and all its children read; make it before they are forked."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SIZE)

    def tell(self, news: News) -> None:
        """Put *news* in the place of the old ones; very long trouble is cut."""
        text = _SEPARATOR.join(part.encode() for part in news)[:_MOST]
        number, _ = _header.unpack_from(self._memory)
        _header.pack_into(self._memory, 0, number + 1, 0)
        self._memory[_header.size : _header.size + len(text)] = text
        _header.pack_into(self._memory, 0, number + 2, len(text))

    @property
    def number(self) -> int:
        """What changes with each news."""
        number: int = _header.unpack_from(self._memory)[0]
        return number

    def read(self) -> News | None:
        """Return the latest news, or None where there are none yet or they are just being written."""
        number, length = _header.unpack_from(self._memory)
        text = self._memory[_header.size : _header.size + length]
        if number == 0 or number % 2 or number != self.number:
            return None
        checksum, _, trouble = text.partition(_SEPARATOR)
        return News(checksum.decode(), trouble.decode(errors="replace"))
