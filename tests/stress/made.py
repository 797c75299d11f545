"""Made-up runs and records."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from atraso.stress.machine import Machine
from atraso.stress.record import Record
from atraso.stress.runs import Block, Run

MACHINE = Machine("a processor", 2, 8.0, "a system", "a kernel", 0.1)


def record(*runs: Run, session: str | None = None) -> Record:
    return Record(
        profile="challenge", date="2026-01-01T00:00:00+00:00", command="", machine=MACHINE, versions={}, settings={},
        runs=runs, session=session, took_s=1.0,
    )  # fmt: skip


def closed(rates: list[float], name: str = "3 threads", **more: Any) -> Run:
    whole = Run(
        name=name, driver="wrk", loop="closed", asked={}, took_s=1.0, answers=1, good=1, rate=float(np.mean(rates)),
        figures={}, blocks=tuple(Block(rate) for rate in rates),
    )  # fmt: skip
    return msgspec.structs.replace(whole, **more)


def noisy(rate: float, seed: int, spread: float = 0.02, count: int = 10) -> list[float]:
    return (rate * np.exp(np.random.default_rng(seed).normal(0, spread, count))).tolist()
