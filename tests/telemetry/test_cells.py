"""Counters in shared memory: exact with several processes, and still there when one of them is killed."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from atraso.telemetry.cells import CELLS, Board, tell_rows
from atraso.telemetry.exposition import exposition
from atraso.telemetry.names import (
    AUTHZ_KINDS,
    LATENCY_BOUNDS,
    LDAP_OPS,
    LDAP_RESULTS,
    METRICS,
    OUTCOMES,
    ROUTES,
    WORKERS,
    Outcome,
)


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


def test_who_asks_is_counted_by_kind_and_by_whether_it_was_known() -> None:
    """What was proved is timed each; look-ups are counted each, in the bucket and with the time of the last sample."""
    board = Board(1)
    recorder = board.slot(0)
    recorder.authorised(AUTHZ_KINDS.index("jwt"), 0.0003, hit=False)
    recorder.authorised(AUTHZ_KINDS.index("basic"), 0.00002, hit=True)
    recorder.look_up_takes(0.000001)
    for _ in range(1000):
        recorder.recalled(AUTHZ_KINDS.index("key"))
    recorder.look_up_takes(0.00002)
    recorder.recalled(AUTHZ_KINDS.index("key"))
    name, key = "atraso_authz_seconds", {"kind": "key", "cache": "hit"}
    assert of(board, f"{name}_bucket", kind="jwt", cache="miss", le="0.0005") == 1
    assert of(board, f"{name}_bucket", kind="jwt", cache="miss", le="0.0001") == 0
    assert of(board, f"{name}_sum", kind="jwt", cache="miss") == 0.0003
    assert of(board, f"{name}_count", kind="basic", cache="hit") == 1
    assert of(board, f"{name}_sum", kind="basic", cache="hit") == 0.00002
    assert of(board, f"{name}_count", **key) == 1001
    assert of(board, f"{name}_bucket", le="1e-05", **key) == 1000
    assert of(board, f"{name}_sum", **key) == 1000 * 0.00002


def test_a_successor_in_a_slot_does_not_time_what_was_counted_before() -> None:
    """The sum of look-ups goes on from where it was."""
    board = Board(1)
    before = board.slot(0)
    before.recalled(0)
    before.look_up_takes(0.00001)
    after = board.slot(0)
    after.recalled(0)
    after.look_up_takes(0.00002)
    assert of(board, "atraso_authz_seconds_sum", kind="key", cache="hit") == 0.00003
    assert of(board, "atraso_authz_seconds_count", kind="key", cache="hit") == 2


def test_tokens_and_steps_at_directories_are_counted() -> None:
    """By result; servers are told by the names that they have here, and those that are not asked are not told."""
    board = Board(1, ["ldap1.example.org:389", "ldap2.example.org:636"])
    recorder = board.slot(0)
    recorder.gave_token("ok", 0.02)
    recorder.gave_token("server_error", 1.6)
    recorder.asked_directory(0, "connect", "error", 0.5)
    recorder.asked_directory(1, "bind", "refused", 0.004)
    assert of(board, "atraso_token_seconds_bucket", result="ok", le="0.025") == 1
    assert of(board, "atraso_token_seconds_count", result="server_error") == 1
    name = "atraso_ldap_seconds"
    text = exposition(board.totals(), {}, board.servers).decode()
    read = {
        tuple(sample.labels.get(label) for label in ("server", "op", "result")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{name}_count"
    }
    assert len(read) == 2 * len(LDAP_OPS) * len(LDAP_RESULTS)
    assert read["ldap1.example.org:389", "connect", "error"] == 1
    assert read["ldap2.example.org:636", "bind", "refused"] == 1
    assert sum(read.values()) == 2


def test_servers_beyond_the_last_place_count_together() -> None:
    """However many a directory has, no series is added."""
    board = Board(1, [f"s{n}:389" for n in range(7)])
    for server in range(7):
        board.slot(0).asked_directory(server, "bind", "ok", 0.001)
    text = exposition(board.totals(), {}, board.servers).decode()
    assert 'atraso_ldap_seconds_count{op="bind",result="ok",server="s2:389"} 1.0' in text
    assert 'atraso_ldap_seconds_count{op="bind",result="ok",server="others"} 4.0' in text
    assert 'server="s3:389"' not in text


def test_steps_at_a_directory_are_counted_by_several_threads() -> None:
    """Log-ins run in threads of their own, and none of their steps is lost."""
    board = Board(1, ["s:389"])
    recorder = board.slot(0)

    def work() -> None:
        for _ in range(5000):
            recorder.asked_directory(0, "bind", "ok", 0.001)

    threads = [threading.Thread(target=work) for _ in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    text = exposition(board.totals(), {}, board.servers).decode()
    assert 'atraso_ldap_seconds_count{op="bind",result="ok",server="s:389"} 20000.0' in text


def test_all_the_memory_is_there_from_the_start_and_is_of_no_file() -> None:
    """Nothing is left to be found when a worker writes, so neither a full disk nor a missing folder can end it."""
    pages = -(-8 * ((256 + 1) * CELLS + 1) // 4096) * 4
    shared = re.compile(r"^\w+-\w+ rw-s .*?^Size: +(\d+) kB.*?^Rss: +(\d+) kB", re.DOTALL | re.MULTILINE)
    found = shared.findall(Path("/proc/self/smaps").read_text())
    board = Board(256)
    more = shared.findall(Path("/proc/self/smaps").read_text())
    whole = (str(pages), str(pages))  # as large, and in memory, as its cells are
    assert more.count(whole) == found.count(whole) + 1
    board.slot(255).answered(0, Outcome.OK, 0.1)


def test_counting_goes_on_where_no_file_may_grow(tmp_path: Path) -> None:
    """With no byte left for files, and a folder for multiprocess metrics that cannot be written."""
    code = (
        "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from atraso.telemetry.cells import Board; from atraso.telemetry.exposition import exposition;"
        "board = Board(2); [board.slot(0).answered(0, 0, 0.1) for _ in range(1000)];"
        "assert b' 1000.0' in exposition(board.totals(), {}); print('counted')"
    )
    folder = tmp_path / "missing"
    names = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | names, stdout=subprocess.PIPE, check=True, text=True
    )
    assert ended.stdout == "counted\n"
    assert not folder.exists()
