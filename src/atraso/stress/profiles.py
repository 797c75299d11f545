"""What the load profiles are, as data: which load in which order, on which service, and what is promised of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from atraso.core.errors import AtrasoError


class StressError(AtrasoError):
    """A run cannot be made, or what it met is not what it measures."""


class Driver(StrEnum):
    """What makes the load: wrk in a closed loop, the pacer in an open one, or a crowd of open connections."""

    WRK = "wrk"
    PACER = "pacer"
    CROWD = "crowd"


class Arrivals(StrEnum):
    """When requests come in an open loop: in equal steps, or as independent people do (exponential gaps)."""

    CONSTANT = "constant"
    POISSON = "poisson"


class Search(StrEnum):
    """How the top rate is found: not at all, by halving in on it, or as the last of the steps that held."""

    NONE = "none"
    RAMP = "ramp"
    KNEE = "knee"


class Fault(StrEnum):
    """What goes wrong amid a step."""

    NONE = ""
    WORKER_KILLED = "a worker is killed"
    MODEL_SWAPPED = "the model is swapped"
    DIRECTORY_STOPPED = "the directory stops"
    DATABASE_LOCKED = "the ledger's database is locked"


class Figure(StrEnum):
    """What can be promised of a step; times in milliseconds or seconds, memory in millions of bytes."""

    ANSWERS = "answers"
    FAILED = "failed"
    FAILED_SHARE = "failed_share"
    BROKEN = "broken"
    P99_MS = "p99_ms"
    P999_MS = "p999_ms"
    ESTABLISHED = "established"
    ANSWERED_TWICE = "answered_twice"
    SERVER_MB = "server_mb"
    GROWTH_MB = "growth_mb_per_100k"
    DESCRIPTORS_MORE = "descriptors_more"
    RECOVERY_S = "recovery_s"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Promise:
    """A bound of a figure; one *for_seconds* is less where the step is shorter than that."""

    figure: Figure
    at_least: float | None = None
    at_most: float | None = None
    for_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a step's time with one rate: *per_s* requests a second, or the part *of_top* of the top rate."""

    share: float
    per_s: float | None = None
    of_top: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One load: by which driver, with how many threads (wrk), connections and flights a request, and its promises.

    *stages* are those of an open loop. *warm_up_s* of load goes before and is not measured.
    """

    name: str
    driver: Driver
    threads: int = 2
    connections: int = 48
    flights: int = 1
    stages: tuple[Stage, ...] = ()
    arrivals: Arrivals = Arrivals.POISSON
    fault: Fault = Fault.NONE
    promises: tuple[Promise, ...] = ()
    warm_up_s: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """A named run: *seconds* for each of its steps, on a service with *workers* and more settings by their variables.

    An *own_only* one does things to its service that are not done to somebody's.
    """

    name: str
    says: str
    seconds: int
    steps: tuple[Step, ...]
    search: Search = Search.NONE
    workers: int = 2
    variables: Mapping[str, str] = field(default_factory=dict)
    own_only: bool = False


# The service's own promise (availability 99.95 %; 99 % within 50 ms, 99.9 % within 250 ms).
SLO = (
    Promise(Figure.P99_MS, at_most=50.0),
    Promise(Figure.P999_MS, at_most=250.0),
    Promise(Figure.FAILED_SHARE, at_most=0.0005),
)
NO_FAILURE = Promise(Figure.FAILED, at_most=0)
CHALLENGE = Promise(Figure.ANSWERS, at_least=50_000, for_seconds=45)
MILLION = Promise(Figure.ANSWERS, at_least=1_000_000, for_seconds=45)
# A slow search for the top would outlast what is measured with it.
RAMP_PROBE_S = 3.0
RAMP_FIRST_PER_S = 500.0
RAMP_HALVINGS = 3
RAMP_CONNECTIONS = 64
WARM_UP_S = 2


def _paced(name: str, *stages: Stage, connections: int = 64, **more: object) -> Step:
    return Step(name, Driver.PACER, connections=connections, stages=stages, warm_up_s=WARM_UP_S, **more)  # type: ignore[arg-type]


def _at(per_s: float) -> Step:
    return _paced(f"{per_s:,.0f} a second", Stage(1.0, per_s=per_s))


def _amid(fault: Fault, most_failed: float) -> Step:
    promises = (Promise(Figure.FAILED_SHARE, at_most=most_failed), *SLO[:2])
    return _paced(fault.value, Stage(1.0, per_s=1000.0), fault=fault, promises=promises)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            "challenge", "45 s with 1, 3 and 6 threads of wrk in turn, every answer checked", 45,
            tuple(
                Step(f"{threads} thread{'s' * (threads > 1)}", Driver.WRK, threads, warm_up_s=2,
                     promises=(CHALLENGE, NO_FAILURE))
                for threads in (1, 3, 6)
            ),
        ),
        Profile(
            "millions", "45 s with everything on, every answer checked: a million of them", 45,
            (Step("everything on", Driver.WRK, connections=64, warm_up_s=2, promises=(MILLION, NO_FAILURE)),),
        ),
        Profile(
            "latency", "open loop at fixed rates up to the knee, then at half of the top rate", 10,
            (
                *map(_at, (500, 1000, 2000, 4000, 6000, 8000, 12_000, 16_000, 20_000, 24_000, 28_000,
                            34_000, 40_000, 48_000)),
                _paced("half of the top rate", Stage(1.0, of_top=0.5), promises=(*SLO, NO_FAILURE)),
            ),
            Search.KNEE,
        ),
        Profile("ramp", "the top rate that holds the service's promise, by halving in on it", 5, (), Search.RAMP),
        Profile(
            "batch", "1 to 10,000 flights a request", 10,
            tuple(
                Step(f"{flights:,} flight{'s' * (flights > 1)} a request", Driver.WRK, connections=8, flights=flights,
                     warm_up_s=1, promises=(NO_FAILURE, Promise(Figure.ANSWERS, at_least=1)))
                for flights in (1, 10, 100, 1000, 10_000)
            ),
        ),
        Profile(
            "connections", "50,000 connections open at once, each used at least twice", 150,
            (
                Step("50,000 connections", Driver.CROWD, connections=50_000, promises=(
                    Promise(Figure.ESTABLISHED, at_least=50_000),
                    Promise(Figure.ANSWERED_TWICE, at_least=50_000),
                    NO_FAILURE,
                    Promise(Figure.SERVER_MB, at_most=1500.0),
                )),
            ),
            # A worker may open 20,000 files on many machines, and some of them are its own.
            workers=3,
            variables={"ATRASO_MAX_CONNECTIONS": "18500", "ATRASO_KEEP_ALIVE_TIMEOUT_S": "600"},
        ),
        Profile(
            "soak", "30 min at 60 % of the top rate, memory and descriptors watched", 1800,
            (
                _paced("60 % of the top rate", Stage(1.0, of_top=0.6), promises=(
                    *SLO,
                    Promise(Figure.GROWTH_MB, at_most=1.0),
                    Promise(Figure.DESCRIPTORS_MORE, at_most=16),
                )),
            ),
            Search.RAMP,
        ),
        Profile(
            "spike", "three times the top rate for a while, and how soon all is well again", 30,
            (
                _paced(
                    "to three times the top rate and back",
                    Stage(0.3, of_top=0.2), Stage(0.2, of_top=3.0), Stage(0.5, of_top=0.2),
                    connections=3000, flights=100,
                    promises=(Promise(Figure.BROKEN, at_most=0), Promise(Figure.RECOVERY_S, at_most=5.0)),
                ),
            ),
            Search.RAMP,
            # Most of its connections say nothing before the peak, and one that never did is closed after 5 s.
            variables={"ATRASO_HEAD_TIMEOUT_S": "60"},
        ),
        Profile(
            "fault", "a worker killed, the model swapped, the directory stopped, the database locked, each under load",
            15,
            (
                _amid(Fault.WORKER_KILLED, 0.001),
                _amid(Fault.MODEL_SWAPPED, 0.0),
                _amid(Fault.DIRECTORY_STOPPED, 0.0),
                _amid(Fault.DATABASE_LOCKED, 0.0),
            ),
            own_only=True,
        ),
    )
}  # fmt: skip
