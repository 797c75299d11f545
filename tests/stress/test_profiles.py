"""The profiles are data, and each of them can be asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atraso.cli.stress import AUTH
from atraso.cli.stress import PROFILES as ASKED_FOR
from atraso.stress.load_run import LoadRun, Told, tailored
from atraso.stress.profiles import PROFILES, Driver, Fault, Figure, StressError
from atraso.stress.runs import kept
from atraso.stress.steps import stages_of
from atraso.stress.target import named


def test_the_command_offers_every_profile() -> None:
    """Those of the table, and auth."""
    assert set(ASKED_FOR) == {*PROFILES, AUTH}


def test_the_challenge_is_50_000_requests_in_45_s_with_1_3_and_6_threads() -> None:
    """Each of its three steps promises that many good answers and no failure."""
    challenge = PROFILES["challenge"]
    assert challenge.seconds == 45
    assert [step.threads for step in challenge.steps] == [1, 3, 6]
    for step in challenge.steps:
        found = {check.figure: check for check in kept(step.promises, {"answers": 50_000.0, "failed": 0.0}, 45)}
        assert found["answers"].held
        assert found["failed"].held
        assert not all(check.held for check in kept(step.promises, {"answers": 49_999.0, "failed": 0.0}, 45))
        assert not all(check.held for check in kept(step.promises, {"answers": 90_000.0, "failed": 1.0}, 45))


def test_a_shorter_run_promises_less_and_a_longer_one_no_more() -> None:
    """The count is for 45 s: a ninth of the time is a ninth of it."""
    promises = PROFILES["challenge"].steps[0].promises
    assert kept(promises, {"answers": 5556.0, "failed": 0.0}, 5)[0].held
    assert not kept(promises, {"answers": 5555.0, "failed": 0.0}, 5)[0].held
    assert kept(promises, {"answers": 50_000.0, "failed": 0.0}, 90)[0].at_least == 50_000


def test_what_was_not_measured_is_not_kept() -> None:
    """A promise without its figure is broken, not skipped."""
    assert not any(check.held for check in kept(PROFILES["soak"].steps[0].promises, {}, 1))


def test_every_fault_has_its_step() -> None:
    """A worker, the model, the directory and the database, each on a service of its own."""
    assert {step.fault for step in PROFILES["fault"].steps} == set(Fault) - {Fault.NONE}
    with pytest.raises(StressError, match="--url"):
        LoadRun(PROFILES["fault"], Told(), named("http://127.0.0.1:1", None, owned=False), print)


def test_what_a_caller_says_is_put_into_the_steps() -> None:
    """Threads, rate and connections, and what has no place for them says so."""
    (one,) = tailored(PROFILES["challenge"], Told(threads=2, seconds=3)).steps
    assert (one.name, one.threads) == ("2 threads", 2)
    (rated,) = tailored(PROFILES["latency"], Told(rate=1234.0)).steps
    assert stages_of(rated, 10.0, None) == ((10.0, 1234.0),)
    assert {promise.figure for promise in rated.promises} >= {Figure.P99_MS, Figure.FAILED}
    (crowd,) = tailored(PROFILES["connections"], Told(connections=100)).steps
    assert (crowd.driver, crowd.connections, crowd.name) == (Driver.CROWD, 100, "100 connections")
    for profile, told in (("latency", Told(threads=1)), ("batch", Told(rate=1.0)), ("challenge", Told(connections=2))):
        with pytest.raises(StressError, match="--"):
            tailored(PROFILES[profile], told)


def test_a_part_of_the_top_rate_needs_one() -> None:
    """Stages become seconds and rates; without a top rate the sentence says why there is none."""
    spike = PROFILES["spike"].steps[0]
    assert stages_of(replace(spike), 10.0, 100.0) == ((3.0, 20.0), (2.0, 300.0), (5.0, 20.0))
    with pytest.raises(StressError, match="top rate"):
        stages_of(spike, 10.0, 0.0)
