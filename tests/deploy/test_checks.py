"""The list of checks: what counts as passed, failed and not run, and what is said at the end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import checks
from deploy.checks import Check, CommandFailed, NotRun, all_checks, chosen, made, run, tool

ROOT = Path(__file__).parents[2]


def check(name: str, make: object) -> Check:
    return Check("group", name, "It holds.", make)  # type: ignore[arg-type]


def fails() -> None:
    raise ValueError("the promise is broken")


def lacks() -> None:
    raise NotRun("the tool is not installed")


def interrupts() -> None:
    raise KeyboardInterrupt


def test_what_a_machine_lacks_is_not_run_and_never_passed() -> None:
    """A check that raises NotRun is counted as not run with its reason, any other exception as failed, with its own."""
    results = list(made([check("a", lambda: "3 s"), check("b", fails), check("c", lacks)]))

    assert [(r.outcome, r.said) for r in results] == [
        ("passed", "3 s"),
        ("failed", "ValueError: the promise is broken"),
        ("not run", "the tool is not installed"),
    ]


def test_what_follows_an_interruption_is_not_run() -> None:
    """After Ctrl-C no check is made, and none is forgotten in the count."""
    results = list(made([check("a", interrupts), check("b", fails)]))

    assert [r.outcome for r in results] == ["not run", "not run"]


def test_a_tool_that_is_not_there_is_missing_by_name() -> None:
    """A program that is not installed raises NotRun with how to get it."""
    with pytest.raises(NotRun, match="no-such-program is not installed: from the shop"):
        tool("no-such-program", "from the shop")


def test_a_command_that_fails_says_what_it_said() -> None:
    """The exit code and the end of both outputs are in the message."""
    with pytest.raises(CommandFailed, match=r"ended with 3:\nsaid\nwarned"):
        run("sh", "-c", "echo said; echo warned >&2; exit 3")


def test_every_check_says_what_it_promises() -> None:
    """Each check has a sentence, and each group and name chooses it."""
    found = all_checks()

    assert all(c.promise.endswith(".") for c in found)
    assert len({c.full_name for c in found}) == len(found)
    for c in found:
        assert chosen((c.full_name,), found) == [c]
        assert c in chosen((c.group,), found)
    with pytest.raises(LookupError, match="there is no check 'nothing'"):
        chosen(("nothing",), found)


GROUP = '''
"""A group."""
from deploy.checks import NotRun
def check_that_holds() -> str:
    """It holds."""
    return "3 s"
def check_that_breaks() -> None:
    """It breaks."""
    raise ValueError("broken")
def check_that_is_not_run() -> None:
    """It is not run."""
    raise NotRun("nothing to run it with")
'''


@pytest.mark.parametrize(
    ("names", "counts", "code"),
    [
        (("trial",), "1 passed, 1 failed, 1 not run", 1),
        (("trial.that_holds", "trial.that_is_not_run"), "1 passed, 0 failed, 1 not run", 0),
    ],
)
def test_the_last_line_counts(tmp_path: Path, names: tuple[str, ...], counts: str, code: int) -> None:
    """The command prints a line each, then `N passed, M failed, K not run`, and its code says whether any failed."""
    package = tmp_path / "deploy" / "checks"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    for name in ("__init__.py", "__main__.py"):
        (package / name).write_bytes((Path(checks.__file__).parent / name).read_bytes())
    (package / "trial.py").write_text(GROUP)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-m", "deploy.checks", *names],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    lines = done.stdout.splitlines()
    assert (done.returncode, lines[-1]) == (code, counts), done.stderr
    assert lines[0].startswith("passed   trial.that_holds (")
    assert lines[1] == "         3 s"
