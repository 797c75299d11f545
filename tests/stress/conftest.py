"""Servers that are known by heart."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Known:
    """A server that is known by heart, and its process, which says a line when it has answered often enough."""

    port: int
    process: subprocess.Popen[bytes]

    def wait_for_enough(self) -> None:
        """Return when it has answered a hundred times."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"enough\n"


@pytest.fixture
def known() -> Iterator[Callable[[str], Known]]:
    """Return what starts a server of a kind (`tests.stress.frozen`)."""
    with contextlib.ExitStack() as stack:

        def start(kind: str) -> Known:
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-m", "tests.stress.frozen", kind], cwd=ROOT, stdout=subprocess.PIPE)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            return Known(int(process.stdout.readline()), process)

        yield start
