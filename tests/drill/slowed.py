"""The command line with a handler that does more: `python -m tests.drill.slowed ROUNDS serve ...`.

It goes round an empty loop, because no sleep is as short as a part of what a request takes, and because that slows down
with all the rest where the machine does.
"""

from __future__ import annotations

import functools
import itertools
import sys
import time
from collections.abc import Callable

from atraso.cli.main import main
from atraso.serving.predictions import Predictions

TRIES, ROUNDS_A_TRY = 2000, 1000


def go_round(rounds: int) -> None:
    """Waste time in an empty loop: as much for each round, where `range` would make a number for the later ones."""
    for _ in itertools.repeat(None, rounds):
        pass


def round_us() -> float:
    """Return what a round takes when nothing disturbs it."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter_ns()
        go_round(ROUNDS_A_TRY)
        took.append(time.perf_counter_ns() - began)
    return sorted(took)[TRIES // 4] / 1000 / ROUNDS_A_TRY


def slow_down(rounds: int) -> None:
    """Have every question of a few flights take so many *rounds* longer."""
    answer: Callable[..., bytes | None] = Predictions.at_once

    @functools.wraps(answer)
    def slowly(*words: object) -> bytes | None:
        go_round(rounds)
        return answer(*words)

    Predictions.at_once = slowly  # type: ignore[method-assign]


if __name__ == "__main__":
    slow_down(int(sys.argv.pop(1)))
    main()
