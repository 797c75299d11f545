"""The profile `auth`: what each way to come in costs, all measured in one run, block by block in turn."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from atraso.core.errors import MissingExtraError
from atraso.identity.directory_names import python_ldap
from atraso.identity.keys import new_key
from atraso.identity.principal import PREDICT, Principal
from atraso.identity.signing import SigningKeys
from atraso.identity.tokens import Tokens
from atraso.ledger.accounts import KeyRow
from atraso.ledger.desk import Desk
from atraso.stress import machine, throwaway_directory
from atraso.stress.caller import Caller
from atraso.stress.certificates import Certificates, make_certificates
from atraso.stress.drive import Driver, why_no_wrk
from atraso.stress.placement import Placement
from atraso.stress.profiles import StressError
from atraso.stress.record import Record, Row, Throughput
from atraso.stress.results import Blocks, added, block_medians, ladder, percentiles, share
from atraso.stress.services import ISSUER, Service, context_for, launched, variables_of
from atraso.stress.ways import OPEN, Plan, ServiceName, Way

PREDICTIONS, TOKEN = "/v1/predictions", "/v1/token"
FLIGHT = {"airline": "LAN", "flight_number": "600", "destination": "SPJC", "scheduled_departure": "2017-07-14T09:05:00"}
BODY = json.dumps({"flights": [FLIGHT]}).encode()
BLOCKS_AT_LEAST, BLOCK_AT_MOST = 20, 250
WARM_UP = 30
TURN_S = 2
# So many that the service has forgotten the first when it comes again; it remembers some 4,000.
FRESH_TOKENS = 10_000
TOKEN_LIFE_S = 6 * 3600
NAME = "stress"


@dataclass(frozen=True)
class Login:
    """Who logs in, and the settings by which a service asks their directory; none for a throwaway one."""

    user: str = throwaway_directory.PERSON
    password: str = field(default=throwaway_directory.password_of(throwaway_directory.PERSON), repr=False)
    variables: Mapping[str, str] = field(default_factory=dict)


def why_no_directory(configured: bool, user: str | None) -> str | None:
    """Return why no directory can be asked in a run, or None; one that is *configured* needs a *user*."""
    try:
        python_ldap()
    except MissingExtraError as error:
        return str(error)
    if configured:
        return None if user else "the directory of ATRASO_LDAP_URL needs somebody to log in as: --user NAME"
    return throwaway_directory.why_not()


class AuthRun:
    """A run over *plan* with *requests* a way, and *seconds* of wrk for each (0 leaves it out).

    `measure` may be interrupted at any time; `record` tells what there is by then.
    """

    def __init__(self, plan: Plan, requests: int, seconds: int, login: Login) -> None:
        if not plan.ways:
            raise StressError(f"There is nothing to measure: {'; '.join(set(plan.left_out.values()))}.")
        self._plan, self._requests, self._seconds, self._login = plan, requests, seconds, login
        self._blocks: dict[str, list[NDArray[np.int64]]] = {way.name: [] for way in plan.ways}
        self._turns: dict[str, list[float]] = {way.name: [] for way in plan.ways}
        self._not_driven: dict[str, str] = {}
        self._placement = Placement()
        self._machine, self._date, self._began = machine.this_machine(), machine.now(), time.monotonic()

    def measure(self, progress: Callable[[str, int, int], None]) -> None:
        """Start the services, measure, and stop them; *progress* is told what is done, and how much of how much."""
        with tempfile.TemporaryDirectory(prefix="atraso-stress-") as name, contextlib.ExitStack() as stack:
            folder = Path(name)
            progress("starting services", 0, 1)
            certificates = make_certificates(folder)
            directory = self._directory(folder, stack)
            with self._placement.with_services():
                starting = {
                    name: stack.enter_context(_launched(name, folder, certificates, directory))
                    for name in dict.fromkeys(way.service for way in self._plan.ways)
                }
                services = {name: when_ready() for name, when_ready in starting.items()}
            credentials = Credentials(folder, self._login)
            with self._placement.with_services():
                self._call(services, credentials, progress)
            with self._placement.beside_services():
                self._drive(services, credentials, folder, progress)

    @property
    def has_rows(self) -> bool:
        """Whether there is something to record."""
        return any(self._blocks.values())

    def record(self, *, partial: bool = False) -> Record:
        """Return what was measured so far; raises StressError where nothing was."""
        rows = tuple(self._row(way) for way in self._plan.ways if self._blocks[way.name])
        if not rows:
            raise StressError("The run ended before anything was measured.")
        return Record(
            profile="auth",
            date=self._date,
            command=self._command(),
            machine=self._machine,
            versions=machine.versions(),
            settings={"requests": self._requests, "seconds": self._seconds, "workers": 1},
            rows=rows,
            commit=machine.commit(),
            left_out=dict(self._plan.left_out),
            not_driven=self._not_driven,
            partial=partial,
            took_s=round(time.monotonic() - self._began, 1),
        )

    def _command(self) -> str:
        return f"atraso stress --profile auth --requests {self._requests} --seconds {self._seconds}"

    def _directory(self, folder: Path, stack: contextlib.ExitStack) -> Mapping[str, str]:
        if not any(way.directory for way in self._plan.ways):
            return {}
        if self._login.variables:
            return self._login.variables
        server = throwaway_directory.ThrowawayDirectory(folder / "directory")
        return stack.enter_context(server).variables()

    def _call(
        self,
        services: Mapping[ServiceName, Service],
        credentials: Credentials,
        progress: Callable[[str, int, int], None],
    ) -> None:
        count = max(min(BLOCKS_AT_LEAST, self._requests), math.ceil(self._requests / BLOCK_AT_MOST))
        ways = self._plan.ways
        sizes = {way.name: max(1, round(self._requests * way.fraction / count)) for way in ways}
        callers = {}
        for done, way in enumerate(ways):
            progress("preparing", done, len(ways))
            service = services[way.service]
            asked = credentials.requests(way, count * sizes[way.name] + WARM_UP)
            callers[way.name] = Caller(service.port, asked, service.context, reconnects=way.reconnects)
        with contextlib.ExitStack() as stack:
            for way in ways:
                stack.enter_context(callers[way.name]).block(WARM_UP)
            for place in range(count):
                at = place % len(ways)
                for way in (*ways[at:], *ways[:at]):  # nobody is always first, or always after the same
                    self._blocks[way.name].append(callers[way.name].block(sizes[way.name]))
                progress("measuring", place + 1, count)

    def _drive(
        self,
        services: Mapping[ServiceName, Service],
        credentials: Credentials,
        folder: Path,
        progress: Callable[[str, int, int], None],
    ) -> None:
        missing = why_no_wrk() if self._seconds else "--seconds 0"
        self._not_driven.update(
            (way.label, missing or way.not_driven) for way in self._plan.ways if missing or not way.connections
        )
        if missing:
            return
        driver = Driver(folder, PREDICTIONS, [BODY])
        turn_s = min(TURN_S, self._seconds)
        ways = [way for way in self._plan.ways if way.connections]
        turns = math.ceil(self._seconds / turn_s)
        for turn in range(turns):
            at = turn % len(ways)
            for done, way in enumerate((*ways[at:], *ways[:at])):
                progress("driving", turn * len(ways) + done, turns * len(ways))
                driver.prepare(way.name, credentials.authorizations(way, FRESH_TOKENS))
                burst = driver.drive(way.name, services[way.service].origin, way.connections, turn_s)
                if burst.stopped:
                    raise KeyboardInterrupt
                if burst.refused or burst.broken or not burst.requests:
                    raise StressError(
                        f"{way.label}: of {burst.requests} answers under load {burst.refused} were refusals, and "
                        f"{burst.broken} connections failed."
                    )
                self._turns[way.name].append(burst.rate)

    def _row(self, way: Way) -> Row:
        blocks: Blocks = self._blocks[way.name]
        baseline = self._blocks.get(way.baseline or "", [])
        rates = self._turns[way.name]
        driven = None
        if rates:
            part = share(rates, self._turns.get(OPEN, []))
            driven = Throughput(median(rates), way.connections, tuple(round(rate, 1) for rate in rates), part)
        return Row(
            way.name,
            way.label,
            sum(map(len, blocks)),
            percentiles(blocks),
            ladder(blocks),
            tuple(block_medians(blocks)),
            way.baseline if baseline else None,
            added(blocks, baseline) if baseline else None,
            driven,
            way.promised_us,
        )


class Credentials:
    """What clients show: a key and tokens of the guarded service whose data is in *folder*, and a name and password."""

    def __init__(self, folder: Path, login: Login) -> None:
        data = _data(ServiceName.GUARDED, folder)
        self._key = ""
        if data.is_dir():
            made = new_key(NAME, (PREDICT,))
            Desk(data).create_key(KeyRow(made.prefix, NAME, made.sha256, made.roles, int(time.time())))
            self._key = made.key
            self._tokens = Tokens(SigningKeys(data).read(), ISSUER, TOKEN_LIFE_S)
        self._basic = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()

    def authorizations(self, way: Way, count: int) -> Iterator[str]:
        """Return the Authorization headers of *way*: *count* different ones where each request has its own, else one.

        An empty one is none.
        """
        if way.name == "jwt-fresh":
            return (f"Bearer {self._token()}" for _ in range(count))
        if way.name == "jwt":
            return iter([f"Bearer {self._token()}"])
        if way.name == "key":
            return iter([f"Bearer {self._key}"])
        return iter([f"Basic {self._basic}" if way.directory else ""])

    def requests(self, way: Way, count: int) -> Iterator[bytes]:
        """Return at least *count* requests of *way*, made beforehand where they differ."""
        path, body = (TOKEN, b"") if way.name == "login" else (PREDICTIONS, BODY)
        made = [_request(path, authorization, body) for authorization in self.authorizations(way, count)]
        return iter(made) if len(made) > 1 else itertools.repeat(made[0])

    def _token(self) -> str:
        return self._tokens.issue(Principal(NAME, frozenset({PREDICT})), time.time())[0]


def _launched(
    name: ServiceName, folder: Path, certificates: Certificates, directory: Mapping[str, str]
) -> contextlib.AbstractContextManager[Callable[[], Service]]:
    variables = variables_of(name, _data(name, folder), certificates, directory)
    return launched(name, variables, context_for(name, certificates))


def _data(name: ServiceName, folder: Path) -> Path:
    return folder / name.value


def _request(path: str, authorization: str, body: bytes) -> bytes:
    shown = f"Authorization: {authorization}\r\n" if authorization else ""
    kind = "Content-Type: application/json\r\n" if body else ""
    head = f"POST {path} HTTP/1.1\r\nHost: stress\r\n{kind}{shown}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body
