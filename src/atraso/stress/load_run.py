"""A run of a load profile: its service, its steps in turn, and the search for the top rate where it has one."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from atraso.stress import histogram, machine
from atraso.stress.limits import raise_open_files
from atraso.stress.profiles import (
    NO_FAILURE,
    RAMP_CONNECTIONS,
    RAMP_FIRST_PER_S,
    RAMP_HALVINGS,
    RAMP_PROBE_S,
    SLO,
    Driver,
    Fault,
    Profile,
    Search,
    Stage,
    Step,
    StressError,
)
from atraso.stress.questions import PREDICTIONS
from atraso.stress.record import Record
from atraso.stress.runs import Run, common_figures, kept
from atraso.stress.steps import Bench, Progress, done
from atraso.stress.target import Target, check, own

# Fewer good answers than this part of what was offered is not a rate that was held.
ANSWERED_PART = 0.98
HIGHEST_PER_S = 1_000_000.0
# How often a rate is tried again where the load generator itself was late.
TRIES_MORE = 2


@dataclass(frozen=True)
class Told:
    """What a caller says of a run, besides its profile; None is what the profile says itself."""

    seconds: int | None = None
    threads: int | None = None
    rate: float | None = None
    connections: int | None = None
    repeat: int = 1

    def given(self) -> dict[str, float]:
        """Return what was said, by its name."""
        given = {
            "seconds": self.seconds, "threads": self.threads, "rate": self.rate, "connections": self.connections,
            "repeat": self.repeat if self.repeat > 1 else None,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}

    def words(self) -> str:
        """Return the same as options of the command."""
        return "".join(f" --{name} {value:g}" for name, value in self.given().items())


def tailored(profile: Profile, told: Told) -> Profile:
    """Return *profile* as a caller wants it; raises StressError for what it has no place for."""
    steps = profile.steps
    by_wrk = any(step.driver is Driver.WRK for step in steps)
    if told.threads is not None:
        if not by_wrk:
            raise StressError(f"--threads is for the profiles that wrk drives, and {profile.name} is none of them.")
        names = "1 thread" if told.threads == 1 else f"{told.threads} threads"
        steps = tuple(
            replace(step, threads=told.threads, connections=max(step.connections, told.threads)) for step in steps
        )
        if profile.name == "challenge":
            steps = (replace(steps[0], name=names),)
    if told.rate is not None:
        if profile.search is not Search.KNEE:
            raise StressError(f"--rate is for the profile latency; {profile.name} has rates of its own.")
        steps = (replace(steps[-1], name=f"{told.rate:,.6g} a second", stages=(Stage(1.0, per_s=told.rate),)),)
        profile = replace(profile, search=Search.NONE)
    if told.connections is not None:
        if by_wrk and any(told.connections < step.threads for step in steps):
            raise StressError("--connections must be as many as wrk has threads, or more.")
        steps = tuple(
            replace(
                step,
                connections=told.connections,
                name=f"{told.connections:,} connections" if step.driver is Driver.CROWD else step.name,
            )
            for step in steps
        )
    return replace(profile, steps=steps, seconds=told.seconds or profile.seconds)


class LoadRun:
    """A run of *profile* against a *named* target, or its own service without one.

    `measure` may be interrupted at any time; `record` tells what there is by then. *say* is told what is done to
    limits.
    """

    def __init__(self, profile: Profile, told: Told, named: Target | None, say: Callable[[str], None]) -> None:
        if named is not None and profile.own_only:
            raise StressError(f"The profile {profile.name} breaks its service, so it starts its own: leave out --url.")
        self._profile, self._told, self._named, self._say = tailored(profile, told), told, named, say
        self._runs: list[Run] = []
        self._under_way: Step | None = None
        self._top: float | None = None
        self._top_void, self._search = "", ""
        self._limits: tuple[str, ...] = ()
        self._machine, self._date, self._began = machine.this_machine(), machine.now(), time.monotonic()

    @property
    def has_rows(self) -> bool:
        """Whether there is something to record."""
        return bool(self._runs)

    def measure(self, progress: Progress) -> None:
        """Start the service, drive its steps, and stop it; *progress* is told what is done, and how much of how much.

        Raises StressError where it cannot be measured, and KeyboardInterrupt when it was stopped.
        """
        histogram.check()
        self._limits = (raise_open_files()[1],)
        for _ in range(self._told.repeat):  # each with a start of its own: two starts of one build differ
            self._under_way = self._profile.steps[0] if self._profile.steps else Step("a search", Driver.PACER)
            try:
                with contextlib.ExitStack() as stack:
                    progress("starting the service", 0, 1)
                    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atraso-stress-load-")))
                    target = self._named or stack.enter_context(own(self._profile))
                    self._ask(target, folder, progress)
            except StressError as error:
                if not self._runs:
                    raise
                if self._under_way is not None:
                    self._runs.append(_lost(self._under_way, error))
                return

    def _ask(self, target: Target, folder: Path, progress: Progress) -> None:
        check(target)
        bench = Bench(target, float(self._profile.seconds), folder, progress, self._say)
        if self._profile.search is Search.RAMP:
            bench = replace(bench, top=self._ramp(bench))
        self._drive(bench)

    def _drive(self, bench: Bench) -> None:
        knee_found = False
        for step in self._profile.steps:
            of_top = any(stage.of_top for stage in step.stages)
            if self._profile.search is Search.KNEE:
                if (knee_found and not of_top) or (of_top and self._top == 0):
                    continue
                bench = replace(bench, top=self._top)
            if self._profile.search is not Search.KNEE or of_top:
                self._done(step, bench)
                continue
            run = self._probed(step, bench, keep=True)
            knee_found = not holds_promise(run)
            self._top = (self._top or 0.0) if knee_found else run.rate
            self._top_void = _void_above(self._top, run) if knee_found else ""

    def _done(self, step: Step, bench: Bench, *, keep: bool = True) -> Run:
        self._under_way = step
        run = done(step, bench)
        if keep or run.partial:
            self._runs.append(run)
            self._under_way = None
        if run.partial:
            raise KeyboardInterrupt
        if run.failed or not run.good:
            try:
                check(bench.target)  # one that is gone is not slow
            except StressError as error:
                if keep:
                    self._runs[-1] = _ended(run, error)
                raise
        return run

    def _probed(self, step: Step, bench: Bench, *, keep: bool) -> Run:
        """Drive *step*, again where the load generator was late itself: that tells nothing of the service."""
        run = self._done(step, bench, keep=keep)
        for _ in range(TRIES_MORE):
            if not run.void:
                break
            if keep:
                self._runs.pop()
            run = self._done(step, bench, keep=keep)
        return run

    def _ramp(self, bench: Bench) -> float:
        """Return the highest rate found that holds the service's promise: doubled until it does not, then halved in."""
        is_all = not self._profile.steps
        connections = self._told.connections if is_all and self._told.connections else RAMP_CONNECTIONS
        like = Step("", Driver.PACER, warm_up_s=1) if is_all else self._profile.steps[0]
        like = replace(like, connections=connections, promises=(), fault=Fault.NONE)
        seconds = bench.seconds if is_all else RAMP_PROBE_S
        low, high, rate = 0.0, None, RAMP_FIRST_PER_S / like.flights
        at_high: Run | None = None
        halvings = 0
        probes: list[str] = []
        while halvings < RAMP_HALVINGS and rate < HIGHEST_PER_S:
            step = replace(like, name=f"{rate:,.0f} a second", stages=(Stage(1.0, per_s=rate),))
            run = self._probed(step, replace(bench, seconds=seconds), keep=is_all)
            if holds_promise(run):
                low = rate
            else:
                high, at_high = rate, run
            probes.append(f"{rate:,.0f} {'held' if low == rate else 'void' if run.void else 'not held'}")
            self._search = "" if is_all else f"requests a second for {seconds:g} s each: {', '.join(probes)}"
            halvings += high is not None
            rate = rate * 2 if high is None else (low + high) / 2
        self._top = low
        self._top_void = _void_above(low, at_high) if at_high else ""
        if low or is_all:
            return low
        if self._top_void:
            raise StressError(f"There is no top rate to load the service by: {self._top_void}.")
        raise StressError("No rate that was tried held the service's promise: there is no top rate to load it by.")

    def record(self, *, partial: bool = False) -> Record:
        """Return what was measured so far; raises StressError where nothing was."""
        if not self._runs:
            raise StressError("The run ended before anything was measured.")
        profile = self._profile
        own_settings: dict[str, str | int | float] = {}
        if self._named is None:
            own_settings = {"workers": profile.workers, **_everything_on(profile)}
        return Record(
            profile=profile.name,
            date=self._date,
            command=self._command(),
            machine=self._machine,
            versions=machine.versions(),
            settings={"seconds": profile.seconds, **self._told.given(), "repeat": self._told.repeat, **own_settings},
            runs=tuple(self._runs),
            commit=machine.commit(),
            target=self._named.origin if self._named else "own",
            top_rate=self._top,
            top_void=self._top_void,
            search=self._search,
            told=self._limits,
            partial=partial,
            took_s=round(time.monotonic() - self._began, 1),
        )

    def _command(self) -> str:
        path = self._named.path if self._named and self._named.path != PREDICTIONS else ""
        url = f" --url {self._named.origin}{path}" if self._named else ""
        owned = " --i-own-this-target" if self._named and self._named.owned else ""
        return f"atraso stress --profile {self._profile.name}{url}{self._told.words()}{owned}"


def _lost(step: Step, error: StressError) -> Run:
    """Return a step that could not be measured after others were: the service ended, or is not what it was."""
    figures = common_figures(0, 1, 0.0, None)
    return Run(
        name=step.name, driver=str(step.driver), loop="open" if step.driver is Driver.PACER else "closed",
        asked={"rate": 0.0}, took_s=0.0, answers=0, good=0, rate=0.0, flights_per_s=0.0, figures=figures,
        errors={"not measured": 1}, promises=kept((NO_FAILURE,), figures, 1.0), notes=(_and_no_more(error),),
    )  # fmt: skip


def _ended(run: Run, error: StressError) -> Run:
    """Return *run* as one amid which the service ended: it fell short, whatever was promised of it."""
    promises = run.promises if not run.held else (*run.promises, *kept((NO_FAILURE,), run.figures, run.took_s))
    return msgspec.structs.replace(run, promises=promises, notes=(*run.notes, _and_no_more(error)))


def _and_no_more(error: StressError) -> str:
    return f"{error} What was to follow was not measured."


def _void_above(top: float, run: Run) -> str:
    """Return why a rate above *top* may hold too: at that of *run*, the next, the load generator was late itself."""
    rate = float(run.asked["rate"])
    return f"more than {top:,.0f} a second may hold: at {rate:,.0f} {run.void}" if run.void else ""


def _everything_on(profile: Profile) -> dict[str, str]:
    return {"auth": "keys,jwt", "ledger": "spool", "metrics": "open"} | {
        name.removeprefix("ATRASO_").lower(): value for name, value in profile.variables.items()
    }


def holds_promise(run: Run) -> bool:
    """Return whether *run* shows that the service holds its promise at that rate."""
    offered = float(run.asked["rate"])
    answered = run.rate >= ANSWERED_PART * offered
    return answered and not run.void and all(found.held for found in kept(SLO, run.figures, run.took_s))
