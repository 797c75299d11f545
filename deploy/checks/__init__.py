"""What is deployed is checked here: `python -m deploy.checks [NAME...]`.

Each file of this folder may hold functions `check_*`. One promises, in a docstring of one line, what must be so;
returns None or a short text with the figures it saw; raises `NotRun` where the machine lacks what it needs, and
anything else where the promise is broken.
"""

from __future__ import annotations

import importlib
import inspect
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
PREFIX = "check_"
TOLD_LINES = 30

Outcome = Literal["passed", "failed", "not run"]


class NotRun(Exception):  # noqa: N818 - it is no error, and the name is what is printed
    """A check cannot be made here; the message says what is missing and how to get it."""


class CommandFailed(Exception):  # noqa: N818 - says what happened
    """A command ended with another exit code than 0; the message has the end of what it said."""

    def __init__(self, command: tuple[str, ...], code: int, said: str) -> None:
        tail = "\n".join(said.strip().splitlines()[-TOLD_LINES:])
        super().__init__(f"{' '.join(command)} ended with {code}:\n{tail}")
        self.command, self.code, self.said = command, code, said


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: its group is the name of its file."""

    group: str
    name: str
    promise: str
    make: Callable[[], str | None]

    @property
    def full_name(self) -> str:
        """Return what chooses it on the command line."""
        return f"{self.group}.{self.name}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a check; `said` has its figures, why it failed, or what it lacks."""

    check: Check
    outcome: Outcome
    said: str
    took_s: float


def tool(name: str, hint: str, *, beside: Path | None = None) -> str:
    """Return the path of the program *name*, searched in the folder *beside* first; raise NotRun with *hint*."""
    path = os.environ.get("PATH", os.defpath)
    found = shutil.which(name, path=path if beside is None else f"{beside}{os.pathsep}{path}")
    if found is None:
        raise NotRun(f"{name} is not installed: {hint}")
    return found


def run(
    *command: str | Path,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 600.0,
    feed: str = "",
) -> str:
    """Return what a command writes to standard output; *env* is added to the environment. Raises CommandFailed."""
    words = tuple(map(str, command))
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **(env or {})}, input=feed, capture_output=True, text=True,
        timeout=timeout_s, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CommandFailed(words, done.returncode, done.stdout + done.stderr)
    return done.stdout


def all_checks() -> list[Check]:
    """Return the checks of all files of this folder, in the order of files and of lines in them."""
    found = []
    for file in sorted(FOLDER.glob("[a-z]*.py")):
        module = importlib.import_module(f"{__name__}.{file.stem}")
        for name, make in vars(module).items():
            if name.startswith(PREFIX) and inspect.isfunction(make) and make.__module__ == module.__name__:
                promise = (inspect.getdoc(make) or "").splitlines()
                assert promise, f"{module.__name__}.{name} has no docstring to say what it promises"
                found.append(Check(file.stem, name.removeprefix(PREFIX), promise[0], make))
    return found


def chosen(names: tuple[str, ...], checks: list[Check]) -> list[Check]:
    """Return those *checks* whose group or full name is among *names*, all without names; raise LookupError."""
    known = {check.group for check in checks} | {check.full_name for check in checks}
    if unknown := [name for name in names if name not in known]:
        raise LookupError(f"there is no check {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    return [check for check in checks if not names or check.group in names or check.full_name in names]


def made(checks: list[Check], begin: Callable[[Check], None] = lambda check: None) -> Iterator[Result]:
    """Make *checks* one after the other, telling *begin* of each; what follows an interruption is not run."""
    interrupted = False
    for check in checks:
        if interrupted:
            yield Result(check, "not run", "interrupted", 0.0)
            continue
        begin(check)
        began = time.monotonic()
        outcome: Outcome = "passed"
        try:
            said = check.make() or ""
        except NotRun as missing:
            outcome, said = "not run", str(missing)
        except KeyboardInterrupt:
            interrupted, outcome, said = True, "not run", "interrupted"
        except Exception as error:  # whatever it is, the promise is broken, and the next check is made
            outcome, said = "failed", f"{type(error).__name__}: {error}"
        yield Result(check, outcome, said, time.monotonic() - began)
