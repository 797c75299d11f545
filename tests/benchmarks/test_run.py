"""The benchmark's command line, and when a run counts as good."""

from __future__ import annotations

import pytest

from benchmarks.contenders import CONTENDERS, OPTIONAL, USUAL
from benchmarks.run import arguments, is_good
from tests.benchmarks.records import old_record, record


def test_model_servers_are_asked_for() -> None:
    """Without `--peers` nobody optional is measured; together the two lists are all contenders."""
    assert not arguments([]).peers
    assert arguments(["--peers", "--seconds", "4"]).peers
    assert (*USUAL, *OPTIONAL) == tuple(contender.name for contender in CONTENDERS)


def test_only_takes_lines_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """`--only` may be repeated and refuses a name that is no line."""
    assert arguments(["--only", "atraso", "--only", "ray"]).only == ["atraso", "ray"]
    with pytest.raises(SystemExit):
        arguments(["--only", "django"])
    assert "django" in capsys.readouterr().err


def test_a_broken_promise_and_an_error_spoil_a_run() -> None:
    """A run is good when every promise holds and nothing went wrong; records from before have no promises."""
    good = record({"nginx": 100.0, "atraso": 36.0})
    assert is_good(good)
    assert is_good(old_record())
    assert not is_good(record({"nginx": 100.0, "atraso": 34.0}))
    good["contenders"]["nginx"]["rounds"][2]["errors"] = 1
    assert not is_good(good)
