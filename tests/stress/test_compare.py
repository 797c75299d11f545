"""Slower is said when it is, and only then."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from atraso.stress.beside import STEP, _run
from atraso.stress.compare import FASTER, SAME, SLOWER, UNTOLD, compare
from atraso.stress.machine import Machine
from atraso.stress.profiles import StressError
from tests.stress.made import closed, noisy, record

MEASURED = json.loads((Path(__file__).parent / "data" / "comparisons.json").read_text("utf-8"))
OF_20 = 19


def said_of(comparison: list[list[list[float]]]) -> str:
    """Return what is said of two builds by the 10th percentiles (microseconds) of the turns of each of their starts."""
    first, second = (
        record(*(_run([np.array([level * 1000]) for level in turns], 1) for turns in starts), session="one")
        for starts in comparison
    )
    return compare(first, second).verdict


def test_a_build_whose_handler_takes_5_percent_longer_is_slower() -> None:
    """In 19 of 20 comparisons that were measured with real services."""
    assert len(MEASURED["slower"]) == 20
    assert sum(said_of(comparison) == SLOWER for comparison in MEASURED["slower"]) >= OF_20


def test_two_equal_builds_do_not_differ() -> None:
    """In 19 of 20 comparisons that were measured in the same hour, no difference is said to be one."""
    assert len(MEASURED["equal"]) == 20
    assert sum(said_of(comparison) == SAME for comparison in MEASURED["equal"]) >= OF_20


def test_a_single_start_shows_no_less_than_starts_differ_by() -> None:
    """Of one start each 15 % are no difference, however many turns show them, and 40 % are."""
    base = [np.full(50, 50_000) for _ in range(40)]

    def other(part: float) -> list[np.ndarray]:
        return [(block * part).astype(int) for block in base]

    first = record(_run(base, 50), session="s")
    assert compare(first, record(_run(other(1.15), 50), session="s")).verdict == SAME
    assert compare(first, record(_run(other(1.40), 50), session="s")).verdict == SLOWER
    assert compare(first, record(_run(other(0.60), 50), session="s")).verdict == FASTER


def test_a_run_at_another_time_is_slower_only_beyond_its_own_noise() -> None:
    """Parts of a run that vary by 10 % hide a tenth, and a run that is half as fast is slower all the same."""
    before = record(closed(noisy(1000, 1, 0.1)))
    assert compare(before, record(closed(noisy(900, 2, 0.1)))).verdict == SAME
    found = compare(before, record(closed(noisy(400, 3, 0.1))))
    assert found.verdict == SLOWER
    assert "parts of single runs" in found.differences[0].sentence


def test_repetitions_are_compared_rather_than_their_parts() -> None:
    """Eight repetitions each that differ by 5 % with 1 % of noise: that is told."""
    before = record(*(closed([rate] * 10) for rate in noisy(1000, 1, 0.01, 8)))
    after = record(*(closed([rate] * 10) for rate in noisy(950, 2, 0.01, 8)))
    found = compare(before, after)
    assert found.verdict == SLOWER
    assert "8 and 8 repetitions" in found.differences[0].how


def test_what_cannot_be_told_is_said_to_be_so() -> None:
    """Runs of a few seconds have too few parts; runs that are void, or have no step in common, have none."""
    short = record(closed([1000.0, 1001.0]))
    found = compare(short, short)
    assert found.verdict == UNTOLD
    assert "--repeat" in found.differences[0].sentence
    void = record(closed(noisy(1000, 1), void="late"))
    for other in (void, record(closed(noisy(1000, 1), name="another step"))):
        with pytest.raises(StressError, match="no step in common"):
            compare(short, other)


def test_one_step_faster_and_one_slower_is_mixed() -> None:
    """And each is told by its name."""
    before = record(closed(noisy(1000, 1), "a"), closed(noisy(1000, 2), "b"))
    after = record(closed(noisy(2000, 3), "a"), closed(noisy(500, 4), "b"))
    found = compare(before, after)
    assert found.verdict == "mixed"
    assert {difference.step: difference.verdict for difference in found.differences} == {"a": FASTER, "b": SLOWER}


def test_what_else_differs_is_noted() -> None:
    """Another machine, other settings, failures, an early stop: each is a sentence."""
    first = record(closed(noisy(1000, 1)))
    busy = Machine("another processor", 4, 8.0, "", "", 4.0)
    second = msgspec.structs.replace(
        record(closed(noisy(1000, 2), errors={"status 500": 7})), machine=busy, settings={"seconds": 5}, partial=True
    )
    notes = " / ".join(compare(first, second).notes)
    for words in ("different machines", "seconds", "7 requests had no good answer", "stopped early", "busy machine"):
        assert words in notes


def test_the_step_of_a_comparison_is_named_as_it_is_kept() -> None:
    """Records of both targets have the step that is compared."""
    assert _run([np.array([50_000])], 1).name == STEP
