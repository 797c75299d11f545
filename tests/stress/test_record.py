"""What a record says became of its run."""

from __future__ import annotations

import msgspec

from atraso.stress.report import notes
from atraso.stress.runs import Kept
from tests.stress.made import closed, record


def test_a_search_that_its_own_load_generator_spoilt_says_nothing_of_the_service() -> None:
    """No rate was found in either case, but only one of them is a shortfall."""
    search = msgspec.structs.replace(record(closed([500.0])), top_rate=0.0)
    assert search.verdict == "fell short"
    late = msgspec.structs.replace(record(closed([500.0], void="the load generator was late")), top_rate=0.0)
    assert late.verdict == "void"
    assert late.voids == ["the top rate is not known: the load generator was late"]


def test_a_search_that_ended_at_a_late_load_generator_is_void() -> None:
    """A higher rate may hold; where something else was to be found by the rate, that is judged for itself."""
    step = closed([500.0])
    search = msgspec.structs.replace(record(step), top_rate=500.0, top_void="more may hold")
    assert (search.verdict, search.voids) == ("void", ["the top rate is not known: more may hold"])
    kept = Kept("failed", 0, held=True, at_most=0)
    judged = msgspec.structs.replace(record(msgspec.structs.replace(step, promises=(kept,))), top_void="more may hold")
    assert judged.verdict == "held"
    assert "VOID: more may hold" in notes(judged)
