"""Who asks, and what they may do."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

# What directories pass over in a name though it is printable (RFC 4518, section 2.2).
_PASSED_OVER = {0x034F: None, 0xFFFC: None, **dict.fromkeys([*range(0x180B, 0x180E), *range(0xFE00, 0xFE10)])}
# What a principal may do: ask for predictions, report departures, administer.
PREDICT, REPORT, ADMIN = ROLES = ("predict", "report", "admin")


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody the service knows, by *name*, with *roles* of `ROLES`."""

    name: str
    roles: frozenset[str]


# Whoever asks where no authentication is configured; administering takes a name.
ANYBODY = Principal("anybody", frozenset({PREDICT, REPORT}))


def folded(name: str) -> str:
    """Return the one form of all spellings that directories take for *name*: caseless (Unicode D146), single spaces."""
    caseless = unicodedata.normalize("NFD", name.translate(_PASSED_OVER)).casefold()
    caseless = unicodedata.normalize("NFKD", caseless).casefold()
    return " ".join(unicodedata.normalize("NFKC", caseless).split())
