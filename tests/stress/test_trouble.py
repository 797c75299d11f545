"""What goes wrong around a load is told as what it is, and what was measured by then is kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from atraso.cli.stress_kept import as_ctrl_c, can_keep
from atraso.core.errors import SettingsError
from atraso.stress import load_run
from atraso.stress.answers import is_prediction
from atraso.stress.load_run import LoadRun, Told
from atraso.stress.profiles import NO_FAILURE, PROFILES, Figure, Promise, Step, StressError
from atraso.stress.runs import Run
from atraso.stress.steps import Bench, can_be_judged
from atraso.stress.target import Target, named
from atraso.stress.watch import Usage
from tests.stress.made import closed, noisy

HERE = Target("http", "127.0.0.1", 1)


@pytest.mark.parametrize(
    "rest", ["127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:many", "[::1", "127.0.0.1/\u00e9", "a b"]
)
def test_what_cannot_be_an_address_is_none(rest: str) -> None:
    """Another port, which belongs to somebody else, is not asked in its place."""
    with pytest.raises(StressError, match="is not the address"):
        named(f"http://{rest}", None, owned=False)


def test_a_name_that_no_host_can_have_is_refused() -> None:
    """With a sentence, as one that is not known."""
    with pytest.raises(StressError, match="no name of a host"):
        named("http://a..b/", None, owned=False)


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


class Service:
    """A target whose steps meet what *meets* says of them; it *ends* at its first step with failures."""

    def __init__(self, meets: Callable[[Step], Run | BaseException], *, ends: bool = False) -> None:
        self._meets, self._ends, self._ended = meets, ends, False

    def done(self, step: Step, bench: Bench) -> Run:
        met = self._meets(step)
        if isinstance(met, BaseException):
            raise met
        self._ended = self._ends and bool(met.errors)
        return msgspec.structs.replace(met, name=step.name, asked={"rate": _rate(step)})

    def check(self, target: Target) -> None:
        if self._ended:
            raise StressError("It is gone.")


def _rate(step: Step) -> float:
    return (step.stages[0].per_s or 0.0) if step.stages else 0.0


def prepared(monkeypatch: pytest.MonkeyPatch, service: Service, profile: str, told: Told | None = None) -> LoadRun:
    monkeypatch.setattr(load_run, "done", service.done)
    monkeypatch.setattr(load_run, "check", service.check)
    return LoadRun(PROFILES[profile], told or Told(), HERE, lambda text: None)


def run_of(monkeypatch: pytest.MonkeyPatch, service: Service, profile: str = "challenge") -> LoadRun:
    """Run *profile* against *service*."""
    run = prepared(monkeypatch, service, profile)
    run.measure(lambda *_: None)
    return run


def in_turn(*met: Run | BaseException) -> Callable[[Step], Run | BaseException]:
    steps = iter(met)
    return lambda step: next(steps)


def up_to(top: float, above: Run) -> Callable[[Step], Run]:
    """Say that rates up to *top* hold the service's promise, and that *above* it is met what is given."""

    def meets(step: Step) -> Run:
        if _rate(step) > top:
            return above
        return closed([_rate(step)], figures={"p99_ms": 1.0, "p999_ms": 2.0, "failed_share": 0.0, "failed": 0})

    return meets


def test_a_service_that_ends_between_steps_fell_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that was finished is kept, and the one that could not be says why."""
    service = Service(in_turn(closed(noisy(1000, 1)), StressError("it is gone.")))
    record = run_of(monkeypatch, service).record()
    assert [run.good for run in record.runs] == [1, 0]
    assert record.verdict == "fell short"
    assert record.runs[1].notes == ("it is gone. What was to follow was not measured.",)


def test_a_service_that_ends_amid_a_step_is_not_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is kept once, with what it met and why it is the last."""
    met = closed(noisy(1000, 1), errors={"connection broken": 48}, figures={"failed": 48})
    record = run_of(monkeypatch, Service(in_turn(met), ends=True)).record()
    assert [run.name for run in record.runs] == ["1 thread"]
    assert record.verdict == "fell short"
    assert record.runs[0].notes == ("It is gone. What was to follow was not measured.",)


def test_a_service_that_ends_amid_the_search_for_its_top_rate_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not one that holds the promise up to the rate before."""
    met = closed([900.0], errors={"connection broken": 48}, figures={"failed": 48})
    record = run_of(monkeypatch, Service(up_to(1000.0, met), ends=True), "ramp").record()
    assert [run.name for run in record.runs] == ["500 a second", "1,000 a second", "2,000 a second"]
    assert (record.verdict, record.top_rate) == ("fell short", None)


def test_a_rate_at_which_the_load_generator_is_late_itself_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that ends at such a rate has found nothing: a higher one may hold."""
    late = closed([900.0], void="the load generator was late")
    record = run_of(monkeypatch, Service(up_to(1000.0, late)), "ramp").record()
    assert (record.verdict, record.top_rate) == ("void", 1000.0)
    assert record.voids == [
        "the top rate is not known: more than 1,000 a second may hold: at 1,250 the load generator was late"
    ]


def test_a_search_tells_how_the_top_rate_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its probes are no steps of a profile that measures something else by it."""
    above = closed([900.0], figures={"failed": 48})
    record = run_of(monkeypatch, Service(up_to(1000.0, above)), "soak").record()
    assert len(record.runs) == 1
    assert record.search == (
        "requests a second for 3 s each: 500 held, 1,000 held, 2,000 not held, 1,500 not held, 1,250 not held"
    )


def test_a_search_that_the_load_generator_spoilt_blames_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was to be measured by the top rate is not, and the sentence says why."""
    late = closed([900.0], void="the load generator was late")
    with pytest.raises(StressError, match="the load generator was late"):
        run_of(monkeypatch, Service(up_to(0.0, late)), "soak")


def test_a_search_that_is_stopped_tells_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probes before are told, and the one that was stopped is kept."""
    stopped = closed([900.0], partial=True)
    run = prepared(monkeypatch, Service(up_to(500.0, stopped)), "soak")
    with pytest.raises(KeyboardInterrupt):
        run.measure(lambda *_: None)
    record = run.record(partial=True)
    assert record.search == "requests a second for 3 s each: 500 held"
    assert record.verdict == "partial"


def test_a_service_that_is_gone_before_all_repetitions_fell_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are missing are told."""
    service = Service(in_turn(closed(noisy(1000, 1))))
    run = prepared(monkeypatch, service, "millions", Told(repeat=3))
    asked = iter([None, StressError("It is gone.")])

    def check(target: Target) -> None:
        if (error := next(asked)) is not None:
            raise error

    monkeypatch.setattr(load_run, "check", check)
    run.measure(lambda *_: None)
    record = run.record()
    assert [found.good for found in record.runs] == [1, 0]
    assert record.verdict == "fell short"


def test_a_service_that_was_never_there_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to keep."""
    with pytest.raises(StressError, match="nobody"):
        run_of(monkeypatch, Service(in_turn(StressError("nobody"))))


def test_what_cannot_be_seen_is_not_judged() -> None:
    """Memory and open files are of processes, which a service that somebody named does not show."""
    growth = Promise(Figure.GROWTH_MB, at_most=1.0)
    rest, (why,) = can_be_judged((growth, NO_FAILURE), None)
    assert rest == (NO_FAILURE,)
    assert "not judged" in why
    assert can_be_judged((growth, NO_FAILURE), Usage(1.0, 0.1)) == ((growth, NO_FAILURE), ())


@pytest.mark.parametrize(
    ("answer", "is_one"),
    [
        ('{"delay_probability":0.25}', True),
        ('{"delay_probability":0}', True),
        ('{"delay_probability":1.0,"x":2}', True),
        ('{"delay_probability":2.5e-05}', True),
        ('{"delay_probability":1.5}', False),
        ('{"delay_probability":0.25e9}', False),
        ('{"delay_probability":0.25abc}', False),
        ('{"delay_probability":-0.5}', False),
        ('{"delay_probability":null}', False),
        ('{"delay_probability":0.25},{"delay_probability":0.5}', False),
        ("{}", False),
    ],
)
def test_a_prediction_has_one_probability_for_each_flight(answer: str, is_one: bool) -> None:
    """From 0 to 1, and no more of them than flights."""
    assert is_prediction(answer.encode(), 1) is is_one


def test_a_second_signal_does_not_break_what_the_first_has_begun() -> None:
    """It is not heeded while services are stopped; afterwards signals are what they were."""
    before = signal.getsignal(signal.SIGINT)
    with as_ctrl_c():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    with as_ctrl_c() as no_more:
        no_more()
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
