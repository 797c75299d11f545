"""Which processors workers keep to."""

from __future__ import annotations

import os

import pytest

from atraso.serving import processors
from atraso.serving.processors import free_one, processors_for


@pytest.mark.parametrize(("workers", "kept_to"), [(1, ()), (2, (4, 7)), (3, ())])
def test_only_as_many_workers_as_processors_keep_to_one(
    monkeypatch: pytest.MonkeyPatch, workers: int, kept_to: tuple[int, ...]
) -> None:
    """Fewer share the machine with somebody, and more have to share processors."""
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda pid: {7, 4})
    assert processors_for(workers, "auto") == kept_to
    assert processors_for(workers, "off") == ()


def test_a_processor_is_the_one_that_the_fewest_have() -> None:
    """The first of several, and none where none is to be kept to."""
    assert free_one((4, 7), [4, 4, 7]) == 7
    assert free_one((4, 7), []) == 4
    assert free_one((), [None]) is None


def test_a_processor_that_is_gone_is_not_insisted_on() -> None:
    """The process runs on as it did."""
    before = os.sched_getaffinity(0)
    processors.keep_to(max(before) + 1000)
    assert os.sched_getaffinity(0) == before
