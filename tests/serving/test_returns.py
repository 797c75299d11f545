"""Clients that were refused come back spread out, over a longer time the more of them there are."""

from __future__ import annotations

from collections import Counter

import pytest

from atraso.serving.returns import AT_MOST_A_SECOND, EVERY_WAIT_S, LONGEST_S, Returns


def told(clients: int) -> list[int]:
    returns = Returns()
    returns.connections = range(clients)
    return [returns.next_s() for _ in range(clients)]


def test_a_few_clients_come_back_within_five_seconds() -> None:
    """Each second as often as the others."""
    assert Counter(told(100)) == dict.fromkeys(range(1, 6), 20)


@pytest.mark.parametrize("clients", [2_000, 4_000, 7_000])
def test_thousands_come_back_no_faster_than_they_can_be_refused(clients: int) -> None:
    """At the mean of what they are told, no more than so many a second."""
    waits = told(clients)
    assert clients / (sum(waits) / len(waits)) <= AT_MOST_A_SECOND
    assert max(waits) > 5


def test_nobody_is_told_to_wait_for_longer_than_half_a_minute() -> None:
    """However many there are; and each wait that can be told is among those that are made ready."""
    waits = told(1_000_000)
    assert max(waits) == LONGEST_S
    assert set(waits) == set(EVERY_WAIT_S)


def test_it_follows_the_number_of_clients() -> None:
    """Back to five seconds once the many have gone."""
    returns = Returns()
    returns.connections = clients = set(range(7_000))
    assert max(returns.next_s() for _ in range(100)) == 28
    clients.clear()
    assert max(returns.next_s() for _ in range(100)) <= 5
