"""Text that nobody is to read by accident: in a log, a traceback, an error."""

from __future__ import annotations


class Secret(str):
    """Text that prints as stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def reveal(self) -> str:
        """Return the text itself."""
        return str.__getitem__(self, slice(None))
