"""The command line with a handler that takes longer: `python -m tests.drill.slowed MICROSECONDS serve ...`.

It spins, because no sleep is as short as a part of what a request takes.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable

from atraso.cli.main import main
from atraso.serving.predictions import Predictions


def slow_down(extra_us: float) -> None:
    """Have every question of a few flights take *extra_us* longer."""
    answer: Callable[..., bytes | None] = Predictions.at_once
    extra_ns = round(extra_us * 1000)
    clock = time.perf_counter_ns

    @functools.wraps(answer)
    def slowly(*words: object) -> bytes | None:
        until = clock() + extra_ns
        while clock() < until:
            pass
        return answer(*words)

    Predictions.at_once = slowly  # type: ignore[method-assign]


if __name__ == "__main__":
    slow_down(float(sys.argv.pop(1)))
    main()
