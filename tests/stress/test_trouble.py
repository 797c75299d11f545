"""What goes wrong around a load is told as what it is, and what was measured by then is kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from atraso.cli.stress_kept import as_ctrl_c, can_keep
from atraso.core.errors import SettingsError
from atraso.stress import load_run
from atraso.stress.load_run import LoadRun, Told
from atraso.stress.profiles import PROFILES, StressError
from atraso.stress.runs import Run
from atraso.stress.steps import Bench
from atraso.stress.target import Target, named
from tests.stress.made import closed, noisy

HERE = Target("http", "127.0.0.1", 1)


@pytest.mark.parametrize("port", ["0", "99999", "many"])
def test_an_address_without_a_port_that_can_be_is_none(port: str) -> None:
    """Another port, which belongs to somebody else, is not asked in its place."""
    with pytest.raises(StressError, match="is not the address"):
        named(f"http://127.0.0.1:{port}", None, owned=False)


def test_a_key_that_no_head_can_hold_is_refused() -> None:
    """Before anything is asked."""
    for key in ("bad\nkey", "schl\u00fcssel", "two words"):
        with pytest.raises(StressError, match="ATRASO_KEY"):
            named("http://127.0.0.1:1", key, owned=False)


def test_a_folder_that_cannot_be_written_is_told_before_the_load(tmp_path: Path) -> None:
    """A file stands in its place; a folder that is not there yet is made."""
    can_keep(tmp_path / "new", tmp_path / "copies" / "of")
    (tmp_path / "file").write_text("")
    for data, out in ((tmp_path / "file", None), (tmp_path / "new", tmp_path / "file")):
        with pytest.raises(SettingsError, match="cannot be kept in"):
            can_keep(data, out)


def measured(monkeypatch: pytest.MonkeyPatch, *met: Run | StressError, profile: str = "challenge") -> LoadRun:
    """Run *profile* against a target whose steps meet what is given, one after the other."""
    steps = iter(met)

    def done(step: object, bench: Bench) -> Run:
        one = next(steps)
        if isinstance(one, StressError):
            raise one
        return one

    monkeypatch.setattr(load_run, "done", done)
    monkeypatch.setattr(load_run, "check", lambda target: None)
    run = LoadRun(PROFILES[profile], Told(), HERE, lambda text: None)
    run.measure(lambda *_: None)
    return run


def test_a_service_that_ends_between_steps_fell_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that was finished is kept, and the one that could not be says why."""
    record = measured(monkeypatch, closed(noisy(1000, 1)), StressError("it is gone")).record()
    assert [run.good for run in record.runs] == [1, 0]
    assert record.verdict == "fell short"
    assert record.runs[1].notes == ("it is gone",)


def test_a_service_that_was_never_there_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to keep."""
    with pytest.raises(StressError, match="nobody"):
        measured(monkeypatch, StressError("nobody"))


def test_a_second_signal_does_not_break_what_the_first_has_begun() -> None:
    """It is not heeded while services are stopped; afterwards signals are what they were."""
    before = signal.getsignal(signal.SIGINT)
    with as_ctrl_c():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before
