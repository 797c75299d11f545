"""How often somebody may ask, and how often a log-in may fail: never more than was said, and never less."""

from __future__ import annotations

import multiprocessing
import time
import tracemalloc
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atraso.identity.limits import FAILURES_AT_ONCE, FAILURES_PER_S, Buckets, FailedLogins

START = 1_700_000_000.0
# Moments are counted in whole microseconds.
GRAIN_S = 2e-6
fork = multiprocessing.get_context("fork")
gaps = st.lists(st.floats(0, 3) | st.floats(0, 0.01) | st.just(0.0), max_size=120)


def allowed(buckets: Buckets, name: str, now: float) -> bool:
    """Whether *name* may ask now; counted if so."""
    slot = buckets.slot_of(name)
    if buckets.wait_s(slot, now):
        return False
    buckets.count(slot, now)
    return True


def most_above(moments: list[float], per_s: float) -> float:
    """The most that came in any window beyond what its length allows at *per_s*."""
    return max((j - i + 1 - per_s * (moments[j] - moments[i] + GRAIN_S)
                for i in range(len(moments)) for j in range(i, len(moments))), default=0.0)  # fmt: skip


@given(gaps, st.floats(0.05, 50), st.integers(1, 12))
def test_no_window_holds_more_than_the_pace_allows(waits: list[float], per_s: float, at_once: int) -> None:
    """At most *at_once* and *per_s* times its length, wherever it begins and ends."""
    buckets, now, let_in = Buckets(per_s, at_once), START, []
    for wait in waits:
        now += wait
        if allowed(buckets, "desk", now):
            let_in.append(now)
    assert most_above(let_in, per_s) <= at_once + 1e-6


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.05, 50), st.integers(1, 12))
def test_whoever_keeps_the_pace_is_never_held_back(more: list[float], per_s: float, at_once: int) -> None:
    """Nor whoever takes all at once after a rest."""
    buckets, now = Buckets(per_s, at_once), START
    for wait in more:
        now += 1 / per_s + GRAIN_S + wait
        assert allowed(buckets, "desk", now)
    now += at_once / per_s + GRAIN_S * at_once
    assert [allowed(buckets, "desk", now) for _ in range(at_once)] == [True] * at_once
    assert not allowed(buckets, "desk", now)


@given(gaps, st.floats(0.05, 50), st.integers(1, 12))
def test_the_wait_that_is_told_is_the_wait(waits: list[float], per_s: float, at_once: int) -> None:
    """Whoever comes back then is let in, and not before."""
    buckets, now = Buckets(per_s, at_once), START
    for wait in waits:
        now += wait
        slot = buckets.slot_of("desk")
        told = buckets.wait_s(slot, now)
        if told:
            assert buckets.wait_s(slot, now + told + GRAIN_S) == 0
            assert buckets.wait_s(slot, now + told / 2) > 0
        else:
            buckets.count(slot, now)


@given(st.lists(st.tuples(st.sampled_from(["desk", "feed", "eve"]), st.floats(0, 1)), max_size=100))
def test_nobody_is_counted_for_another(asked: list[tuple[str, float]]) -> None:
    """What the others ask changes nothing, as long as there are slots for all."""
    together, now = Buckets(2, 3), START
    alone = {name: Buckets(2, 3) for name, _ in asked}
    for name, wait in asked:
        now += wait
        assert allowed(together, name, now) == allowed(alone[name], name, now)


def test_one_less_and_none_are_counted_as_told() -> None:
    """Taking back never makes more room than there was."""
    buckets = Buckets(1, 3)
    slot = buckets.slot_of("desk")
    for _ in range(3):
        buckets.count(slot, START)
    assert buckets.wait_s(slot, START) == pytest.approx(1, abs=GRAIN_S)
    buckets.take_back(slot)
    assert buckets.wait_s(slot, START) == 0
    for _ in range(10):
        buckets.take_back(slot)
    assert [allowed(buckets, "desk", START) for _ in range(5)] == [True, True, True, False, False]
    buckets.clear(slot)
    assert [allowed(buckets, "desk", START) for _ in range(4)] == [True, True, True, False]


def test_what_one_process_counts_another_sees() -> None:
    """Whichever worker somebody comes to; a name that was new after the fork too."""
    buckets = Buckets(0.01, 4)

    def ask() -> None:
        for name in ("desk", "new"):
            allowed(buckets, name, START)

    for _ in range(3):
        process = fork.Process(target=ask)
        process.start()
        process.join()
    for name in ("desk", "new"):
        assert [allowed(buckets, name, START) for _ in range(2)] == [True, False]
    assert allowed(buckets, "other", START)


def test_workers_together_let_in_what_one_would() -> None:
    """Several at the same time, each as fast as it can: now and then two count as one, never each for itself."""
    per_s, at_once, seconds = 200.0, 20, 0.6
    buckets = Buckets(per_s, at_once)
    let_in = fork.Queue()
    begin = fork.Barrier(3)

    def work() -> None:
        begin.wait()
        end, count = time.time() + seconds, 0
        while (now := time.time()) < end:
            count += allowed(buckets, "desk", now)
        let_in.put((count, now))

    started = time.time()
    processes = [fork.Process(target=work) for _ in range(3)]
    for process in processes:
        process.start()
    told = [let_in.get() for _ in processes]
    for process in processes:
        process.join()
    expected = at_once + per_s * (max(now for _, now in told) - started)
    counted = sum(count for count, _ in told)
    assert at_once + per_s * seconds * 0.5 <= counted <= 2 * expected


def test_memory_stays_as_it_is_whatever_names_come() -> None:
    """However many, and however long."""
    buckets, failures = Buckets(1, 5), FailedLogins()
    buckets.count(buckets.slot_of("desk"), START)
    failures.tried("desk", "192.0.2.1", START)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for n in range(2_000):
            allowed(buckets, f"{n}" * 20, START + n / 1000)
            failures.tried(f"{n}", f"2001:db8:{n:x}::1", START + n / 1000)
        failures.tried("x" * 1_000_000, "y" * 1_000_000, START)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 8192


def test_nobody_is_forgotten_because_others_came() -> None:
    """Where names are more than slots, what was counted in a slot counts for all that share it."""
    buckets = Buckets(0.001, 3, slots=8)
    assert [allowed(buckets, "ana", START) for _ in range(4)] == [True, True, True, False]
    for n in range(100):
        for _ in range(4):
            allowed(buckets, f"random {n}", START + 1)
    assert not allowed(buckets, "ana", START + 1)
    # And slots are free again once they are idle.
    assert [allowed(buckets, "new", START + 10_000) for _ in range(4)] == [True, True, True, False]


def test_a_newcomer_takes_the_slot_that_was_idle_for_longest() -> None:
    """A few who ask much do not hold those back who come for the first time."""
    buckets = Buckets(0.001, 2, slots=64)
    for n in range(16):
        for _ in range(2):
            allowed(buckets, f"busy {n}", START)
    assert sum(allowed(buckets, f"new {n}", START) for n in range(8)) == 8


SPELLINGS = ["ana pérez", "ANA PÉREZ", "Ana  Pérez", " ana pérez ", unicodedata.normalize("NFD", "Ana Pérez"),
             "\uff21\uff4e\uff41 pérez", "ana\u00a0pérez", "ana\tPÉREZ", "ana pérez\ufe0f",
             "a\u034fna pérez"]  # fmt: skip


@given(st.lists(st.tuples(st.floats(0, 25) | st.floats(0, 0.5), st.sampled_from(SPELLINGS)), max_size=60))
def test_a_name_fails_at_most_four_times_in_thirty_seconds(attempts: list[tuple[float, str]]) -> None:
    """However it is spelt and from wherever: a directory that locks after five never does."""
    failures, now, failed = FailedLogins(), START, []
    for n, (wait, name) in enumerate(attempts):
        now += wait
        address = f"192.0.2.{n}"
        if not failures.wait_s(name, address, now):
            failures.tried(name, address, now)
            failed.append(now)
    assert all(later - first > 30 - GRAIN_S for first, later in zip(failed, failed[4:], strict=False))
    assert all(later >= first for first, later in pairwise(failed))


@given(st.text(min_size=1, max_size=20), st.sampled_from([str.upper, str.casefold, str.swapcase]),
       st.sampled_from(["NFC", "NFD"]))  # fmt: skip
def test_every_spelling_of_a_name_counts_as_the_name(name: str, change: object, form: str) -> None:
    """In any script, composed or not."""
    failures = FailedLogins()
    for _ in range(FAILURES_AT_ONCE):
        failures.tried(unicodedata.normalize(form, name), "192.0.2.1", START)
    assert failures.wait_s(name, "192.0.2.2", START)
    if "\u0131" not in name:  # a letter that capitals make into another one
        assert failures.wait_s(change(name), "192.0.2.2", START)  # type: ignore[operator]
    assert not failures.wait_s(name + "x", "192.0.2.2", START)


def test_a_few_failures_hold_nobody_back() -> None:
    """Whoever mistypes twice comes in with the third try; after three they wait, as long as they are told."""
    failures = FailedLogins()
    for _ in range(FAILURES_AT_ONCE - 1):
        failures.tried("ana", "192.0.2.1", START)
    assert failures.wait_s("ana", "192.0.2.1", START) == 0
    failures.tried("ana", "192.0.2.1", START)
    told = failures.wait_s("ana", "192.0.2.1", START)
    assert told == pytest.approx(1 / FAILURES_PER_S, abs=0.001)
    assert failures.wait_s("ana", "192.0.2.1", START + told + GRAIN_S) == 0
    assert failures.wait_s("luis", "192.0.2.1", START) == 0


def test_a_success_clears_the_name() -> None:
    """By any of its spellings; and of nobody else."""
    failures = FailedLogins()
    for name in ("ana", "luis"):
        for _ in range(FAILURES_AT_ONCE):
            failures.tried(name, "192.0.2.1", START)
    failures.succeeded("ANA ", "192.0.2.1")
    assert failures.wait_s("ana", "192.0.2.1", START) == 0
    assert failures.wait_s("luis", "192.0.2.1", START) > 0


def test_an_attempt_that_came_to_nothing_leaves_those_before_it() -> None:
    """Whoever makes the directory too busy to answer has not made it forget."""
    failures = FailedLogins()
    for _ in range(FAILURES_AT_ONCE):
        failures.tried("ana", "192.0.2.1", START)
    before = failures.wait_s("ana", "192.0.2.1", START)
    failures.tried("ana", "192.0.2.1", START)
    failures.undone("ana", "192.0.2.1")
    assert failures.wait_s("ana", "192.0.2.1", START) == before > 0


def failures_from(addresses: list[str]) -> int:
    """How many failures of different names are let through from *addresses*, taken in turn at one moment."""
    failures, count = FailedLogins(), 0
    for n in range(200):
        address = addresses[n % len(addresses)]
        if not failures.wait_s(f"name {n}", address, START):
            failures.tried(f"name {n}", address, START)
            count += 1
    return count


@pytest.mark.parametrize(
    "addresses", [["192.0.2.1"], ["2001:db8::1"], [f"2001:db8::{n:x}" for n in range(1, 200)],
                  ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"], [""], ["unix"]],
)  # fmt: skip
def test_an_address_is_held_back_whatever_names_it_tries(addresses: list[str]) -> None:
    """All addresses of one network of IPv6 are one, and so are two spellings of an address."""
    assert failures_from(addresses) == 30


@pytest.mark.parametrize(
    "addresses", [["192.0.2.1", "192.0.2.2"], ["2001:db8:0:1::1", "2001:db8:0:2::1"],
                  ["::ffff:192.0.2.1", "::ffff:192.0.2.2"]],
)  # fmt: skip
def test_two_addresses_are_two(addresses: list[str]) -> None:
    """Also where addresses of IPv4 are told in the form of IPv6."""
    assert failures_from(addresses) == 60


def test_a_success_leaves_the_other_failures_of_an_address() -> None:
    """Whoever has one right password gets no more tries for other names than one that succeeds costs."""
    failures = FailedLogins()
    for n in range(30):
        failures.tried(f"name {n}", "192.0.2.1", START)
    assert failures.wait_s("ana", "192.0.2.1", START) > 0
    for _ in range(10):
        failures.tried("ana", "192.0.2.1", START)
        failures.succeeded("ana", "192.0.2.1")
    assert failures.wait_s("ana", "192.0.2.1", START) > 0
