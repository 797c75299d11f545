"""The challenge's table is learnt to the last bit whatever the machine has of cores."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from atraso.sources.registry import read
from atraso.training.challenge import learn_challenge
from tests.flights_at_hand import scl_file


def test_the_number_of_threads_changes_no_number() -> None:
    """Numpy's products add up in another order with two threads; the table and its threshold stay, every bit."""
    rows = read("scl", str(scl_file()[0])).challenge
    assert rows is not None
    with threadpool_limits(1):
        alone = learn_challenge(rows)
    with threadpool_limits(2):
        if all(pool["num_threads"] < 2 for pool in threadpool_info()):
            pytest.skip("numpy's library of products has one thread here")
        x = np.random.default_rng(1).normal(size=(60_000, 45))
        shared = x.T @ x
        beside_others = learn_challenge(rows)
    with threadpool_limits(1):
        if np.array_equal(shared, x.T @ x):
            pytest.skip("two threads add up as one does here: nothing would be shown")

    assert alone == beside_others
