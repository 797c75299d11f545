"""What the profile `auth` measures, as data: ways to come in, what each is compared with, and what was promised."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from atraso.stress.profiles import StressError

CONNECTIONS = 32
# The service lets one name try this often at the same time; more are told to come back.
LOGINS_AT_ONCE = 3


class ServiceName(StrEnum):
    """The services that are started for a run."""

    OPEN = "open"
    AGAIN = "again"
    GUARDED = "guarded"
    BINDING = "binding"
    TLS = "tls"
    MTLS = "mtls"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to come in.

    *fraction* is how many of the run's requests it makes, *connections* how many wrk keeps open (0 leaves wrk out, for
    the reason *not_driven*); with *reconnects* each request has a connection of its own. At the median it adds at most
    *promised_us* to its *baseline*, or takes that without one.
    """

    name: str
    label: str
    service: ServiceName
    baseline: str | None = None
    fraction: float = 1.0
    connections: int = CONNECTIONS
    promised_us: float | None = None
    directory: bool = False
    reconnects: bool = False
    not_driven: str = ""


OPEN = "open"
_RECONNECTS = "wrk keeps its connections"
AUTH = (
    Way(OPEN, "no authentication", ServiceName.OPEN),
    Way("again", "the same, another process", ServiceName.AGAIN, OPEN),
    Way("key", "API key", ServiceName.GUARDED, OPEN, promised_us=10.0),
    Way("jwt", "token, known before", ServiceName.GUARDED, OPEN, promised_us=10.0),
    Way("jwt-fresh", "token, new each request", ServiceName.GUARDED, OPEN),
    Way("basic", "Basic, cached", ServiceName.GUARDED, OPEN, directory=True),
    Way("basic-bind", "Basic, asked each time", ServiceName.BINDING, OPEN, 0.1, LOGINS_AT_ONCE,
        directory=True),
    Way("tls", "TLS, no authentication", ServiceName.TLS, OPEN),
    Way("mtls", "TLS, client certificate", ServiceName.MTLS, "tls", connections=0,
        not_driven="wrk shows no certificate"),
    Way("open-connect", "TCP, new connection each", ServiceName.OPEN, OPEN, 0.2, 0,
        reconnects=True, not_driven=_RECONNECTS),
    Way("tls-connect", "TLS, new connection each", ServiceName.TLS, "open-connect", 0.2, 0,
        reconnects=True, not_driven=_RECONNECTS),
    Way("login", "log-in at /v1/token", ServiceName.GUARDED, None, 0.1, 0, promised_us=10_000.0, directory=True,
        not_driven="it answers tokens, not predictions"),
)  # fmt: skip
AUTH_NAMES = tuple(way.name for way in AUTH)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured in which order, and what is left out for which reason."""

    ways: tuple[Way, ...]
    left_out: Mapping[str, str]


def plan(asked: Collection[str], no_directory: str | None) -> Plan:
    """Return the plan for the ways *asked* for (none means all) and their baselines; without a directory say why.

    A way whose baseline is left out is measured on its own.
    """
    unknown = sorted(set(asked) - set(AUTH_NAMES))
    if unknown:
        raise StressError(f"There is no way named {unknown[0]!r}: {', '.join(AUTH_NAMES)}.")
    wanted = set(asked) or set(AUTH_NAMES)
    for way in reversed(AUTH):  # what a way is compared with stands before it
        if way.name in wanted and way.baseline:
            wanted.add(way.baseline)
    left_out = {
        way.label: no_directory for way in AUTH if way.name in wanted and way.directory and no_directory is not None
    }
    ways = tuple(way for way in AUTH if way.name in wanted and way.label not in left_out)
    there = {way.name for way in ways}
    return Plan(tuple(way if way.baseline in there else replace(way, baseline=None) for way in ways), left_out)
