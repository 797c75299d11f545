"""What a record says became of its run."""

from __future__ import annotations

import msgspec

from tests.stress.made import closed, record


def test_a_search_that_its_own_load_generator_spoilt_says_nothing_of_the_service() -> None:
    """No rate was found in either case, but only one of them is a shortfall."""
    search = msgspec.structs.replace(record(closed([500.0])), top_rate=0.0)
    assert search.verdict == "fell short"
    late = msgspec.structs.replace(record(closed([500.0], void="the load generator was late")), top_rate=0.0)
    assert late.verdict == "void"
    assert late.voids == ["no rate was found: the load generator was late"]
