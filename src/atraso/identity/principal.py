"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

# What a principal may do: ask for predictions, report departures, administer.
PREDICT, REPORT, ADMIN = ROLES = ("predict", "report", "admin")


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody the service knows, by *name*, with *roles* of `ROLES`."""

    name: str
    roles: frozenset[str]


# Whoever asks where no authentication is configured; administering takes a name.
ANYBODY = Principal("anybody", frozenset({PREDICT, REPORT}))
