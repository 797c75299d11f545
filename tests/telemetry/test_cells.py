"""Counters in shared memory: exact with several processes, and still there when one of them is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from atraso.telemetry.cells import Board, tell_rows
from atraso.telemetry.exposition import exposition
from atraso.telemetry.names import LATENCY_BOUNDS, METRICS, OUTCOMES, ROUTES, WORKERS, Outcome


def samples(board: Board) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What Prometheus would read, by name and labels."""
    text = exposition(board.totals(), {}).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(board: Board, name: str, **labels: str) -> float:
    return samples(board)[name, tuple(sorted(labels.items()))]


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(ROUTES) - 1), st.sampled_from(list(Outcome)), st.floats(0, 100), st.integers(0, 2)
        ),
        max_size=60,
    )
)
def test_what_was_counted_is_what_is_read(answers: list[tuple[int, Outcome, float, int]]) -> None:
    """Whatever slot it was counted in: per route and outcome, and per bucket with all that is below."""
    board = Board(3)
    for route, outcome, seconds, slot in answers:
        board.slot(slot).answered(route, outcome, seconds)
    read = samples(board)
    for index, route in enumerate(ROUTES):
        mine = [(o, s) for r, o, s, _ in answers if r == index]
        for outcome in Outcome:
            labels = (("outcome", OUTCOMES[outcome]), ("route", route))
            assert read["atraso_http_requests_total", labels] == sum(o == outcome for o, _ in mine)
        for bound in LATENCY_BOUNDS:
            labels = (("le", str(bound)), ("route", route))
            assert read["atraso_request_seconds_bucket", labels] == sum(s <= bound for _, s in mine)
        assert read["atraso_request_seconds_count", (("route", route),)] == len(mine)
        total = read["atraso_request_seconds_sum", (("route", route),)]
        assert abs(total - sum(s for _, s in mine)) <= 1e-9 * max(len(mine), 1) + 1e-12 * total


def test_several_processes_count_at_once_and_nothing_is_lost() -> None:
    """Each in its own slot; the sum is exact."""
    board = Board(3)

    def work(slot: int) -> None:
        recorder = board.slot(slot)
        for _ in range(20_000):
            recorder.answered(0, Outcome.OK, 0.001)

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=work, args=(slot,)) for slot in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert of(board, "atraso_http_requests_total", route=ROUTES[0], outcome="ok") == 60_000


def test_a_killed_process_leaves_its_counts_and_its_successor_goes_on() -> None:
    """Totals never fall, and the next one in the slot adds to what is there."""
    board = Board(1)

    def work() -> None:
        recorder = board.slot(0)
        while True:
            recorder.answered(0, Outcome.OK, 0.001)

    context = multiprocessing.get_context("fork")
    seen = [0.0]
    for _ in range(3):
        process = context.Process(target=work)
        process.start()
        start = seen[-1]
        while seen[-1] < start + 1000:
            seen.append(of(board, "atraso_http_requests_total", route=ROUTES[0], outcome="ok"))
            time.sleep(0.001)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        seen.append(of(board, "atraso_http_requests_total", route=ROUTES[0], outcome="ok"))
    assert seen == sorted(seen)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_many_probabilities_are_counted_as_one_by_one(probabilities: list[float]) -> None:
    """In the same buckets, and with the same sum but for its rounding."""
    board = Board(2)
    for probability in probabilities:
        board.slot(0).predicted(probability)
    board.slot(1).predicted_many(probabilities)
    alone, together = (list(board.slot(n)._cells) for n in (0, 1))
    differing = [(a, b) for a, b in zip(alone, together, strict=True) if a != b]
    assert all(abs(a - b) <= len(probabilities) for a, b in differing)
    assert len(differing) <= 1


def test_probabilities_rows_and_swaps_are_counted() -> None:
    """Every metric that a worker keeps moves."""
    board = Board(1)
    recorder = board.slot(0)
    recorder.predicted(0.17)
    recorder.predicted(1.0)
    recorder.kept(3)
    recorder.shed(2)
    recorder.refused(7)
    board.supervisor.swapped(ok=True)
    board.supervisor.swapped(ok=False)
    assert of(board, "atraso_prediction_probability_bucket", le="0.2") == 1
    assert of(board, "atraso_prediction_probability_sum") == 1.17
    assert [of(board, "atraso_ledger_rows_total", state=s) for s in ("accepted", "kept", "shed", "refused")] == [
        5,
        3,
        2,
        7,
    ]
    assert [of(board, "atraso_model_swap_total", result=r) for r in ("ok", "failed")] == [1, 1]


def test_rows_that_are_queued_are_those_of_which_the_writer_has_not_told() -> None:
    """Kept by all workers, and neither stored nor set aside; what an earlier run left is told beside."""
    board = Board(2)
    board.slot(0).kept(10)
    board.slot(1).kept(20)
    board.slot(1).shed(5)
    totals = board.totals()
    assert tell_rows(totals, stored=12, set_aside=3, recovered=100) == 15
    read = [
        sample.value
        for family in text_string_to_metric_families(exposition(totals, {}).decode())
        for sample in family.samples
        if sample.name == "atraso_ledger_rows_total"
    ]
    assert read == [35, 30, 5, 0, 12, 3, 100]


def test_every_metric_is_told() -> None:
    """The text has each name of the list and no other."""
    text = exposition(Board(1).totals(), {WORKERS: [((), 2.0)]}).decode()
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert told == {metric.name for metric in METRICS}
    assert "atraso_workers 2.0" in text
