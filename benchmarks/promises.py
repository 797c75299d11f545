"""What Atraso promises of its speed beside others', and whether a record keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.contenders import CHALLENGE, CONTENDERS, OURS

Record = dict[str, Any]


@dataclass(frozen=True)
class Promise:
    """That the line *ours* is at least *at_least* times as fast as the line *rival*; *times* is what was measured."""

    ours: str
    rival: str
    at_least: float
    times: float

    @property
    def holds(self) -> bool:
        """Whether it is kept."""
        return self.times >= self.at_least


def speed(record: Record, name: str) -> float:
    """Return the median requests per second of a contender."""
    return float(median(turn["requests_per_s"] for turn in record["contenders"][name]["rounds"]))


def judged(record: Record) -> list[Promise]:
    """Return a promise for each of our two routes and each rival in *record*; empty for records of another time.

    Records from before the bearer token, the metrics and the spool were on are not held to it.
    """
    found = record["contenders"]
    if "ours_on" not in record["settings"]:
        return []
    return [
        Promise(ours, rival.name, rival.at_least, speed(record, ours) / speed(record, rival.name))
        for rival in CONTENDERS
        if rival.at_least is not None and rival.name in found
        for ours in (OURS, CHALLENGE)
        if ours in found
    ]
