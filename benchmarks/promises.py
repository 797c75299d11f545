"""What Atraso promises of its speed beside others', and whether a record keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.contenders import BATCH, BATCH_FLIGHTS_PER_S, BY_NAME, CHALLENGE, CONTENDERS, OURS

Record = dict[str, Any]


@dataclass(frozen=True)
class Promise:
    """That the line *ours* is at least *at_least* times as fast as the line *rival*; *times* is what was measured.

    Without a rival both are flights a second.
    """

    ours: str
    rival: str | None
    at_least: float
    times: float

    @property
    def holds(self) -> bool:
        """Whether it is kept."""
        return self.times >= self.at_least


def speed(record: Record, name: str) -> float:
    """Return the median requests per second of a contender."""
    return float(median(turn["requests_per_s"] for turn in record["contenders"][name]["rounds"]))


def flights_per_s(record: Record, name: str) -> float:
    """Return the median of the flights answered a second by a contender."""
    return speed(record, name) * BY_NAME[name].flights


def judged(record: Record) -> list[Promise]:
    """Return a promise for each of our two routes and each rival in *record*; empty for records of another time.

    Records from before the bearer token, the metrics and the spool were on are not held to it.
    """
    found = record["contenders"]
    if "ours_on" not in record["settings"]:
        return []
    beside_rivals = [
        Promise(ours, rival.name, rival.at_least, speed(record, ours) / speed(record, rival.name))
        for rival in CONTENDERS
        if rival.at_least is not None and rival.name in found
        for ours in (OURS, CHALLENGE)
        if ours in found
    ]
    alone = [Promise(BATCH, None, BATCH_FLIGHTS_PER_S, flights_per_s(record, BATCH))] if BATCH in found else []
    return beside_rivals + alone
