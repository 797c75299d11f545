"""Which processor a worker keeps to, so that the system does not move it to where another one is at work.

On two processors with two workers that share them with their clients, this is 5 to 10 % more requests a second, and the
slowest of a hundred answers at half of that come in a third of the time (docs/decisions/0006-hot-path.md).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import Literal

Affinity = Literal["auto", "off"]


def processors_for(workers: int, affinity: Affinity) -> tuple[int, ...]:
    """Return the processors of which each of so many *workers* keeps to one; none where the system may move them.

    That is where there are as many workers as processors that may be used. With fewer workers somebody else uses the
    processors too, as containers do that share a machine, and all of them would keep to the first ones.
    """
    usable = tuple(sorted(os.sched_getaffinity(0)))
    return usable if affinity == "auto" and len(usable) == workers else ()


def free_one(processors: Iterable[int], taken: Iterable[int | None]) -> int | None:
    """Return the one of *processors* that is taken the least often; None where there are none."""
    used = list(taken)
    return min(processors, key=used.count, default=None)


def keep_to(processor: int | None) -> None:
    """Let this process run on *processor* alone; on any, where there is none or it can be used no more."""
    if processor is not None:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {processor})
