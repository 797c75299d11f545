"""The supervisor with tiny work in its processes, run as a process of its own because it forks and takes signals."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.serving.processes import alive, children, eventually

SCRIPT = """
import os, signal, sys, time
from atraso.serving import workers
workers.SILENT_AFTER_S = 1.2
workers.RETRY_AFTER_S = (0.2,)
started = int(time.monotonic() * 1000)

def steady(beat, slot):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while beat():
        time.sleep(0.05)

def deaf(beat, slot):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while beat():
        time.sleep(0.05)

def stuck(beat, slot):
    beat()
    while True:
        time.sleep(0.05)

def fails(beat, slot):
    sys.exit(7)

def fails_again(beat, slot):
    # The first two are good, and so are all from two seconds after the start; those between cannot begin.
    age = int(time.monotonic() * 1000) - started
    if 300 < age < 2000:
        print("failed", flush=True)
        sys.exit(1)
    steady(beat, slot)

ready = lambda: print("ready", flush=True)
stopping = lambda: print("stopping", flush=True)
supervisor = workers.Supervisor(
    globals()[sys.argv[1]],
    2,
    on_ready=ready,
    on_count=lambda _: None,
    on_tick=lambda asked: asked and print("looked", flush=True),
    on_gone=lambda slot: None,
    stop_within_s=float(sys.argv[2]),
    processors=sorted(os.sched_getaffinity(0))[:2],
)
code = supervisor.run(stopping)
print("ended", flush=True)
sys.exit(code)
"""


@contextlib.contextmanager
def supervised(work: str, stop_within_s: float = 1.0) -> Iterator[subprocess.Popen[str]]:
    """Run *work* under a supervisor in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, work, str(stop_within_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)


def said(process: subprocess.Popen[str]) -> str:
    """Return the next line that the supervisor said."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_ready_is_said_once_and_a_signal_ends_all_with_code_0() -> None:
    """From the first sign of life of all workers to the last of them gone."""
    with supervised("steady") as process:
        assert said(process) == "ready"
        victim = min(children(process.pid))
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(children(process.pid) - {victim}) == 2)
        process.terminate()
        assert process.communicate(timeout=10)[0].split() == ["stopping", "ended"]
        assert process.returncode == 0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")
def test_workers_keep_to_processors_of_their_own() -> None:
    """Also those that take the place of a killed one, and those that take the places of all, one after the other."""
    first, second, *_ = sorted(os.sched_getaffinity(0))

    def apart() -> bool:
        with contextlib.suppress(ProcessLookupError):
            return sorted(map(os.sched_getaffinity, children(process.pid)), key=min) == [{first}, {second}]
        return False

    with supervised("steady") as process:
        assert said(process) == "ready"
        assert apart()
        for pid, number, stay in (
            (max(children(process.pid)), signal.SIGKILL, 1),
            (process.pid, signal.SIGUSR1, 0),
            (process.pid, signal.SIGUSR1, 0),
        ):
            before = children(process.pid)
            os.kill(pid, number)
            eventually(functools.partial(replaced, process.pid, before, stay))
            assert apart()


def replaced(parent: int, before: set[int], stay: int) -> bool:
    now = children(parent)
    return len(now) == 2 and len(now & before) == stay


def test_a_worker_that_never_starts_ends_all_with_its_code() -> None:
    """There is no point in trying what cannot even begin."""
    with supervised("fails") as process:
        out, errors = process.communicate(timeout=10)
        assert (process.returncode, out.split(), errors) == (7, ["stopping", "ended"], "")


def test_a_worker_without_a_sign_of_life_is_replaced() -> None:
    """One that lives but does not beat is as good as dead."""
    with supervised("stuck") as process:
        assert said(process) == "ready"
        before = children(process.pid)
        eventually(lambda: not any(map(alive, before)) and len(children(process.pid)) == 2)


def test_a_replacement_that_cannot_start_is_tried_again_with_pauses() -> None:
    """What was serving goes on serving; a few attempts, not thousands, and in the end there are two again."""
    with supervised("fails_again") as process:
        assert said(process) == "ready"
        time.sleep(0.4)
        survivor = max(children(process.pid))
        os.kill(min(children(process.pid)), signal.SIGKILL)
        eventually(lambda: len(children(process.pid)) == 1)
        time.sleep(2.2)
        eventually(lambda: len(children(process.pid)) == 2)
        assert survivor in children(process.pid)
        process.terminate()
        attempts = process.communicate(timeout=10)[0].split().count("failed")
        assert 1 <= attempts <= 10


def test_a_worker_that_will_not_end_is_killed_in_time() -> None:
    """Its time is what the supervisor was told; a third signal ends the waiting at once."""
    with supervised("deaf", stop_within_s=0.5) as process:
        assert said(process) == "ready"
        process.terminate()
        process.communicate(timeout=10)
        assert process.returncode == 0
    with supervised("deaf", stop_within_s=60) as process:
        assert said(process) == "ready"
        process.send_signal(signal.SIGINT)
        assert said(process) == "stopping"
        for _ in range(2):
            time.sleep(0.2)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == 0


def test_workers_see_that_their_supervisor_is_gone() -> None:
    """`beat` says so, and the worker ends by itself."""
    with supervised("steady") as process:
        assert said(process) == "ready"
        workers = children(process.pid)
        assert len(workers) == 2
        process.kill()
        eventually(lambda: not any(map(alive, workers)))


def test_a_supervisor_that_slept_itself_blames_nobody() -> None:
    """After a pause of the whole machine all workers look silent, and none is replaced for it."""
    with supervised("steady") as process:
        assert said(process) == "ready"
        before = children(process.pid)
        # The workers first, so that no sign of life is left in the pipes when the supervisor wakes before them.
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.2)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.0)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.3)
        for pid in before:
            os.kill(pid, signal.SIGCONT)
        time.sleep(0.3)
        assert children(process.pid) == before
