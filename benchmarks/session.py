"""A run of the benchmark: the services are shown to answer alike and measured in turn, round after round.

Most stay up from their first turn on. The model servers run during their turns only: some are busy even when nobody
asks (Ray with a tenth of a core), which the others would pay for.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median_low
from typing import Any

from atraso.artefact.manifest import Manifest
from atraso.artefact.scorer import load_scorer
from atraso.stress.questions import DISTINCT, NEW_DISTINCT, body_of, challenge_bodies, questions, write_bodies
from benchmarks import scoring
from benchmarks.agreement import answers_of, compare
from benchmarks.contenders import (
    BATCH_FLIGHTS,
    BATCHES,
    BY_NAME,
    FACTS,
    FLIGHTS,
    NEW_FLIGHTS,
    NGINX,
    ONE_FLIGHT,
    OPTIONAL,
    OURS,
    TENSORS,
    WORKERS,
    Contender,
)
from benchmarks.machine import command_line, describe, installed
from benchmarks.processes import NotStartedError, Service, free_port, running
from benchmarks.rivals import mlserver
from benchmarks.services import launch, python_of, queued_bytes
from benchmarks.wrk import CONNECTIONS, THREADS, Load, drive, measure

WARM_UP_S = 2
DRAINED_WITHIN_S = 300.0
OURS_ON = "bearer token checked, metrics, each answer of `/v1/predictions` kept, the ledger's writer beside"
Bodies = dict[str, list[bytes]]


def bodies_of(manifest: Manifest) -> Bodies:
    """Return what is sent, by the name of its file."""
    flights = questions(manifest)
    return {
        FLIGHTS: [body_of(flight) for flight in flights],
        ONE_FLIGHT: [body_of(flights[0])],
        NEW_FLIGHTS: [body_of(flight) for flight in questions(manifest, NEW_DISTINCT)],
        BATCHES: [body_of(*questions(manifest, BATCH_FLIGHTS))],
        FACTS: challenge_bodies(manifest),
        TENSORS: [mlserver.body_of(flight) for flight in flights],
    }


def run(seconds: int, rounds: int, names: list[str]) -> dict[str, Any]:
    """Measure the contenders of *names* and return the record; an optional one that cannot be had is left out."""
    scorer = load_scorer()
    bodies = bodies_of(scorer.manifest)
    record: dict[str, Any] = {
        "machine": describe(command_line()),
        "model": f"{scorer.manifest.airport} {scorer.manifest.version}",
        "settings": {
            "seconds": seconds,
            "rounds": rounds,
            "warm_up_s": WARM_UP_S,
            "threads": THREADS,
            "connections": CONNECTIONS,
            "workers": WORKERS,
            "bodies": DISTINCT,
            "challenge_bodies": len(bodies[FACTS]),
            "new_bodies": NEW_DISTINCT,
            "ours_on": OURS_ON,
        },
        "scoring": scoring.measure(scorer),
    }
    with tempfile.TemporaryDirectory(prefix="atraso-bench-") as folder, contextlib.ExitStack() as stack:
        session = Session(bodies, Path(folder), stack)
        for round_ in range(rounds):
            for name in names:
                session.turn(BY_NAME[name], seconds)
                rates = [turn["requests_per_s"] for turn in session.found.get(name, {"rounds": []})["rounds"]]
                told = f"{rates[-1]:10,.0f} requests/s" if rates else "not measured"
                print(f"round {round_ + 1}/{rounds}  {name:16} {told}", file=sys.stderr)
        record["contenders"], record["left_out"] = session.found, session.left_out
    return record


class Session:
    """The services of a run, each started when its first turn comes, and what was found of the contenders."""

    def __init__(self, bodies: Bodies, folder: Path, stack: contextlib.ExitStack) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self.left_out: dict[str, str] = {}
        self._bodies = bodies
        self._folder = folder
        self._stack = stack
        self._running: dict[str, Service] = {}
        self._ours: dict[str, list[bytes]] = {}
        for file, lines in bodies.items():
            write_bodies(folder / file, lines)

    def turn(self, contender: Contender, seconds: int) -> None:
        """Measure *contender* once more; an optional one that cannot be had is left out, with a line that says why."""
        name = contender.name
        if name in self.left_out:
            return
        if name not in OPTIONAL:
            self._measure(contender, self._lasting(contender), seconds)
        elif not python_of(contender.service).is_file():
            self.left_out[name] = "not installed: `make bench-peers` says why"
        else:
            try:
                with self._service(contender) as service:
                    self._measure(contender, service, seconds)
            except NotStartedError as error:
                print(f"{name} did not start: {error}", file=sys.stderr)
                self.left_out[name] = "did not start"
                self.found.pop(name, None)

    def _measure(self, contender: Contender, service: Service, seconds: int) -> None:
        load = Load(contender.path, self._folder / contender.bodies, contender.sign, contender.connections)
        first = contender.name not in self.found
        if first and contender.service not in (NGINX, OURS):
            asked = self._bodies[contender.bodies]
            compare(contender.path, self._ours_to(contender), answers_of(service, contender.path, asked))
        if first:
            warm_up = drive(service, load, WARM_UP_S, check=True)
            self.found[contender.name] = {"warm_up": warm_up, "rounds": [], **installed(contender.service)}
        elif contender.name in OPTIONAL:  # started anew
            drive(service, load, WARM_UP_S)
        found = self.found[contender.name]
        self._drain()
        found["rounds"].append(measure(service, load, seconds))
        drained_s = self._drain()
        if contender.service == BY_NAME[OURS].service:
            found.setdefault("drained_s", []).append(drained_s)
        found |= {
            "memory": service.memory(WORKERS),
            "memory_all_mb": service.memory_all_mb(),
            "start_s": service.start_s,
        }

    def _lasting(self, contender: Contender) -> Service:
        """Return the service of *contender*, which stays up until the run ends."""
        if contender.service not in self._running:
            self._running[contender.service] = self._stack.enter_context(self._service(contender))
        return self._running[contender.service]

    @contextlib.contextmanager
    def _service(self, contender: Contender) -> Iterator[Service]:
        answer = b""
        if contender.service == NGINX:
            usual = median_low(map(len, self._ours_to(contender)))
            answer = next(answer for answer in self._ours_to(contender) if len(answer) == usual)
        port = free_port()
        how = launch(contender.service, port, self._folder, answer)
        body = self._bodies[contender.bodies][0]
        with running(how.command, port, contender.path, body, variables=how.variables, headers=how.headers) as service:
            yield service

    def _ours_to(self, contender: Contender) -> list[bytes]:
        """Return our answers to the first bodies of *contender*."""
        path = contender.path
        if path not in self._ours:
            self._ours[path] = answers_of(self._lasting(BY_NAME[OURS]), path, self._bodies[contender.bodies])
        return self._ours[path]

    def _drain(self) -> float:
        """Wait until Atraso's writer has moved all that was kept into the ledger's database; return the seconds.

        It worked while the load was on, but gave way to the workers; what is left must not slow who comes next.
        """
        began = time.monotonic()
        service = self._running.get(BY_NAME[OURS].service)
        while service is not None and queued_bytes(service) and time.monotonic() < began + DRAINED_WITHIN_S:
            time.sleep(0.1)
        return time.monotonic() - began
