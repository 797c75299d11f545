"""Workers answer every task, what one of them does to itself harms no other, and none outlives the block."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from atraso.core.errors import FieldError, MissingExtraError
from atraso.training.crew import Crew, LostError, done_by

PLENTY = 4_000_000_000


def squares() -> Callable[[int], tuple[int, int]]:
    """Return a worker that squares, and dies of a negative number."""
    process = os.getpid()

    def answer(task: int) -> tuple[int, int]:
        if task < 0:
            os.kill(process, signal.SIGKILL)
        return task * task, process

    return answer


def sleeps() -> Callable[[float], float]:
    """Return a worker that takes its time."""

    def answer(task: float) -> float:
        time.sleep(task)
        return task

    return answer


def fills() -> Callable[[int], str]:
    """Return a worker that asks for so many bytes."""

    def answer(task: int) -> str:
        try:
            return f"{np.ones(task // 8).sum():.0f}"
        except MemoryError:
            return "refused"

    return answer


def test_every_task_is_answered_by_two_processes() -> None:
    """All results come, from both workers and not from this process."""
    with Crew(squares, 2, PLENTY) as crew:
        answers = dict(crew.results(range(40)))
    processes = {process for _, process in answers.values()}

    assert {task: square for task, (square, _) in answers.items()} == {n: n * n for n in range(40)}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_costs_its_task_alone() -> None:
    """Its task has an error that names the exit code; another process takes its place."""
    with Crew(squares, 2, PLENTY) as crew:
        answers = dict(crew.results([1, -2, 3, -4, 5, 6]))

    lost = {task for task, answer in answers.items() if isinstance(answer, LostError)}
    assert lost == {-2, -4}
    assert "code -9" in str(answers[-2])
    assert len(answers) == 6


def test_leaving_the_block_ends_workers_in_the_middle_of_a_task() -> None:
    """An interruption does not wait for tasks of a minute."""
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Crew(sleeps, 2, PLENTY) as crew:
        for _ in crew.results([0.0, 60.0, 60.0]):
            assert len(multiprocessing.active_children()) == 2
            raise KeyboardInterrupt

    assert not multiprocessing.active_children()
    assert time.monotonic() - began < 50


def test_workers_end_with_the_process_that_started_them() -> None:
    """Even one killed outright leaves no worker behind in the middle of a long task."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import multiprocessing, test_crew\n"
        "with test_crew.Crew(test_crew.sleeps, 2, 4_000_000_000) as crew:\n"
        "    for _ in crew.results([0.0, 0.0, 0.0, 600.0, 600.0]):\n"
        "        print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = {int(pid) for _ in range(3) for pid in parent.stdout.readline().split()}
        parent.kill()

    until = time.monotonic() + 30
    while (left := workers & running()) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(workers) == 2
    assert not left


def running() -> set[int]:
    """Return the processes that have not ended; one that has may wait long to be buried."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(pid) for pid, state in rows if not state.startswith("Z")}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its data limit")
def test_a_worker_is_held_to_its_memory() -> None:
    """More than it may hold is refused, and the worker lives on."""
    with Crew(fills, 1, 600_000_000) as crew:
        answers = dict(crew.results([900_000_000, 8_000]))

    assert answers == {900_000_000: "refused", 8_000: "1000"}


def unprepared() -> Callable[[int], int]:
    """Stand for work that needs packages which are not there."""
    raise MissingExtraError("Training", "train")


def refusing() -> Callable[[int], int]:
    """Return work that meets something the user can mend."""

    def work(task: int) -> int:
        raise FieldError("airline", f"task {task} cannot be used")

    return work


def hungry() -> Callable[[int], int]:
    """Return work that finds no memory for every second task."""

    def work(task: int) -> int:
        if task % 2:
            raise MemoryError
        return task

    return work


def test_what_the_user_can_mend_is_said_by_the_parent() -> None:
    """An error of preparing or of a task comes whole from the other process."""
    with pytest.raises(MissingExtraError, match=r"Training needs the extra 'train': pip install"):
        list(done_by(unprepared, [1, 2], 2, PLENTY))
    with pytest.raises(FieldError, match="airline: task 7 cannot be used") as caught:
        list(done_by(refusing, [7], 1, PLENTY))
    assert (caught.value.field, caught.value.detail) == ("airline", "task 7 cannot be used")


def test_a_task_without_memory_says_so_and_the_others_go_on() -> None:
    """The process stays and takes the next task."""
    found = dict(done_by(hungry, [1, 2, 3, 4], 1, PLENTY))

    assert (found[2], found[4]) == (2, 4)
    assert "too little memory" in str(found[1])
    assert isinstance(found[3], LostError)


def test_in_this_process_the_same_is_done_without_others() -> None:
    """With no processes the tasks are done one by one."""
    assert dict(done_by(hungry, [2, 4], 0, PLENTY)) == {2: 2, 4: 4}
