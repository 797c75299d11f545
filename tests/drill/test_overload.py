"""More clients than the service can answer: as many answers as ever, and the rest told at once to come back.

The limit on requests answered at once is time, a turn of a worker's loop (`atraso.serving.lag`); as a number of clients
it is as many as are answered within one. The limit on batches is `ATRASO_MAX_CONCURRENCY`.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from atraso.serving.lag import MAX_TURN_S
from tests.drill.figures import at_least, show, tell
from tests.drill.full import Full, everything_on
from tests.drill.load import Load, Plan, offer, offering
from tests.drill.machine import Used, undisturbed
from tests.drill.service import WORKERS

AS_EVER = 64  # clients that keep both workers at work
# Overload and top rate in turn: the machine's own speed changes by more than what is looked for.
TURNS = 5
FOR_S = 8.0
SETTLED_S = 2.0  # from here on the overload is a steady one
AFTER_S = 6.0
GOODPUT = 0.90
HEEDLESS_GOODPUT = 0.40
REFUSED_WITHIN_MS = 10.0
NEVER_LONGER_MS = 2000.0
NORMAL_MS = 25.0
BACK_WITHIN_S = 5.0
BATCH = 200
AT_WORK = 8
LARGE, MANY = 500, 400


@pytest.mark.parametrize("times", [2, 5])
def test_clients_that_heed_a_refusal(tmp_path: Path, times: int) -> None:
    """At 2 and 5 times the limit 90 % of the top rate is answered, refusals come at once, and it is soon over."""
    with everything_on(tmp_path) as full:
        requests = full.requests()
        clients = int(times * _top(full, requests, AS_EVER) * MAX_TURN_S)
        name = f"{clients:,} clients, {times} times the limit"
        plan = Plan(full.port, requests, clients, FOR_S)
        _in_turns(full, name, plan, AS_EVER, goodput=GOODPUT, refused_within_ms=REFUSED_WITHIN_MS)


def test_clients_that_do_not_heed_it(tmp_path: Path) -> None:
    """Those that ask again at once are still answered, if not as many: refusing them costs time that has no bound."""
    with everything_on(tmp_path) as full:
        requests = full.requests()
        clients = int(2 * _top(full, requests, AS_EVER) * MAX_TURN_S)
        name = f"{clients:,} heedless clients"
        plan = Plan(full.port, requests, clients, FOR_S, heed=False)
        _in_turns(full, name, plan, AS_EVER, goodput=HEEDLESS_GOODPUT)


@pytest.mark.parametrize("times", [2, 5])
def test_more_batches_than_may_be_at_work(tmp_path: Path, times: int) -> None:
    """The same with batches, whose limit is a number of requests at work per worker."""
    with everything_on(tmp_path, ATRASO_MAX_CONCURRENCY=str(AT_WORK)) as full:
        clients = times * AT_WORK * WORKERS
        name = f"{clients} clients with batches of {BATCH}, {times} times the limit"
        plan = Plan(full.port, full.requests(BATCH), clients, FOR_S)
        _in_turns(full, name, plan, AT_WORK, goodput=GOODPUT, refused_within_ms=REFUSED_WITHIN_MS)


def test_hundreds_of_batches_do_not_silence_a_worker(tmp_path: Path) -> None:
    """With 400 batches at work at once the workers still read, beat and answer: none is taken for dead."""
    with everything_on(tmp_path) as full:
        workers = full.service.worker_pids(WORKERS)
        load = offer(Plan(full.port, full.requests(LARGE), MANY, FOR_S))
        name = f"{MANY} clients with batches of {LARGE} flights"
        tell(f"median of {len(load.answers):,} answers to {name}", load.took_ms(0.5), "ms")
        show(f"connections broken beside {name}", load.broken, "requests", at_most=0)
        assert set(full.service.worker_pids(WORKERS + 1)) == set(workers)


def _in_turns(
    full: Full, name: str, plan: Plan, as_ever: int, *, goodput: float, refused_within_ms: float | None = None
) -> None:
    """Offer *plan* and the load of *as_ever* clients in turn, and show what was answered of the top rate beside it."""
    shares = []
    with undisturbed(full.service, name) as used:
        before = _top(full, plan.requests, as_ever, used)
        for _ in range(TURNS):
            load, normal = _overload(full, plan, used)
            _show(name, load, refused_within_ms)
            _show_recovery(name, load, normal)
            after = _top(full, plan.requests, as_ever, used)
            shares.append(_rates(load)[0] / ((before + after) / 2) * 100)
            tell(f"answers with {name}, this turn", shares[-1], "% of the top rate")
            before = after
        at_least(f"answers with {name}, median of {TURNS} turns", median(shares), "% of the top rate", goodput * 100)


def _top(full: Full, requests: list[str], clients: int, used: Used | None = None) -> float:
    """Return the most answers a second, as the same generator sees them."""
    warmed = offer(Plan(full.port, requests, clients, 1.0))
    best = offer(Plan(full.port, requests, clients, 4.0))
    if used is not None:
        used.generators_s += warmed.processor_s + best.processor_s
    assert best.failures == 0
    top = best.statuses[200] / 4.0
    tell("top rate", top, "answers a second")
    tell("processor time of its load generator", best.processor_s / 4.0, "s a second")
    return top


def _overload(full: Full, plan: Plan, used: Used) -> tuple[Load, Load]:
    """Offer *plan* beside one well-behaved client, who asks on for a while; return what they met."""
    one = Plan(full.port, plan.requests[:1], 4, plan.seconds + AFTER_S, rate=50.0)
    with offering(one) as asking, offering(plan) as offered:
        load, normal = offered.met(), asking.met()
    used.generators_s += load.processor_s + normal.processor_s
    tell("processor time of the load generator", load.processor_s / plan.seconds, "s a second")
    return load, normal


def _rates(load: Load) -> tuple[float, float]:
    began = load.until - FOR_S + SETTLED_S
    return load.rate(200, began, load.until), load.rate(503, began, load.until)


def _show(name: str, load: Load, refused_within_ms: float | None) -> None:
    _, refused = _rates(load)
    _show_no_hang(name, load)
    if not load.statuses[503]:  # as many as these can be answered all the same
        tell(f"refusals with {name}", 0, "requests")
        return
    tell(f"refusals with {name}", refused, "a second")
    tell(f"p99 of the answers with {name}", load.took_ms(0.99), "ms")
    settled = load.since(load.until - FOR_S + SETTLED_S)
    tell(f"p99 of the time to a refusal with {name}", settled.took_ms(0.99, 503), "ms")
    tell(f"median time to a refusal with the first {SETTLED_S:g} s", load.took_ms(0.5, 503), "ms")
    took_ms = settled.took_ms(0.5, 503)
    if refused_within_ms is None:
        tell(f"median time to a refusal with {name}", took_ms, "ms")
    else:
        show(f"median time to a refusal with {name}", took_ms, "ms", at_most=refused_within_ms)


def _show_no_hang(name: str, load: Load) -> None:
    assert set(load.statuses) <= {200, 503}
    lost = load.broken + load.unanswered + load.silent_refusals + load.wrong
    show(f"requests without an answer, or refused without Retry-After, with {name}", lost, "requests", at_most=0)
    slowest = max(load.took_ms(1.0), load.took_ms(1.0, 503))
    show(f"slowest answer or refusal with {name}", slowest, "ms", at_most=NEVER_LONGER_MS)


def _show_recovery(name: str, load: Load, normal: Load) -> None:
    bad = [at for at, took_s, status in normal.answers if status != 200 or took_s * 1000 > NORMAL_MS]
    last = max((at - load.until for at in bad), default=0.0)
    assert normal.broken + normal.unanswered == 0
    show(f"from the end of {name} to the last refused or slow answer", last, "s", at_most=BACK_WITHIN_S)
