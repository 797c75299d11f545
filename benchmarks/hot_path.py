"""What a request costs in processor time, stage by stage, without sockets: `python -m benchmarks.hot_path`.

Bytes are given to the protocol as the network would give them, and the answers end in a transport that drops them. The
difference to what a request costs over sockets is the kernel's and the event loop's. uvicorn's own protocol with an
application that answers a constant stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from atraso.artefact.scorer import Scorer, load_scorer
from atraso.identity.principal import ANYBODY
from atraso.ledger.spool import Fsync, Spool
from atraso.serving import predictions as wired
from atraso.serving.airport_state import NOTHING_KNOWN
from atraso.serving.answers import Answers
from atraso.serving.app import Worker, create_app
from atraso.serving.books import Books
from atraso.serving.gate import Gate, ServerLimits
from atraso.serving.identifiers import Identifiers
from atraso.serving.protocol import LimitedProtocol
from atraso.serving.server import LimitedServer
from atraso.stress.questions import PREDICTIONS, body_of, questions
from atraso.telemetry.cells import Recorder
from benchmarks.machine import describe

T = TypeVar("T")

REPEATS = 15
TOGETHER = 16  # requests that one turn of the loop finds, as a busy worker has them
DEFAULT_HEADERS = [(b"date", b"Mon, 23 Nov 2026 07:00:00 GMT")]


class Drain(asyncio.Transport):
    """Takes what is written and forgets it."""

    def write(self, data: object) -> None:
        """Drop *data*."""

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def close(self) -> None:
        """Stay open."""

    def is_closing(self) -> bool:
        """Stay open."""
        return False

    def get_write_buffer_size(self) -> int:
        """Hold nothing."""
        return 0


def main() -> None:
    """Measure and print a table, or with --json a record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_path", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a record with the machine")
    as_json = parser.parse_args().json
    found = uvloop.run(_measured())
    if as_json:
        machine = describe(["python", "-m", "benchmarks.hot_path", "--json"])
        print(json.dumps({"machine": machine, "microseconds": found}, indent=1))
        return
    for name, microseconds in found.items():
        print(f"{microseconds:8.2f} us  {name}")


async def _measured() -> dict[str, float]:
    """Return the processor time of each stage in microseconds a request, the least of several passes."""
    scorer = load_scorer()
    flights = questions(scorer.manifest)
    bodies = [body_of(flight) for flight in flights]
    head = f"POST {PREDICTIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    requests = [f"{head}Content-Length: {len(b)}\r\n\r\n".encode() + b for b in bodies]
    fresh_heads = [
        f"{head}X-Request-Id: {n}\r\nContent-Length: {len(b)}\r\n\r\n".encode() + b for n, b in enumerate(bodies)
    ]
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "uvicorn, a constant": await _whole(_uvicorn(), requests),
            "the whole request": await _whole(_ours(scorer), requests),
            "the whole request, kept in the spool": await _whole(_ours(scorer, Path(folder)), requests),
            "the whole request, kept and forced in batches": await _whole(
                _ours(scorer, Path(folder), "batch"), requests
            ),
            "the whole request, its head not known": await _whole(_ours(scorer), fresh_heads),
        }
        found |= {f"  {name}": cost for name, cost in _stages(scorer, bodies, Path(folder)).items()}
    return found


def _ours(scorer: Scorer, folder: Path | None = None, fsync: Fsync = "off") -> Callable[[], LimitedProtocol]:
    recorder = Recorder()
    front = create_app(scorer, Worker(books=Books(recorder, Spool(folder, fsync=fsync) if folder else None)))
    gate = Gate(ServerLimits(), recorder, front.settle)
    server = LimitedServer(front, gate, lambda: True)
    server.config.load()
    server.server_state.default_headers = DEFAULT_HEADERS
    return partial(LimitedProtocol, gate, config=server.config, server_state=server.server_state, app_state={})


def _uvicorn() -> Callable[[], HttpToolsProtocol]:
    content = b'{"delay_probability": 0.231}'

    async def constant(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    config = Config(constant, http="httptools", loop="uvloop", lifespan="off", access_log=False, log_config=None)
    config.load()
    state = ServerState()
    state.default_headers = DEFAULT_HEADERS
    return partial(HttpToolsProtocol, config, state, {})


async def _whole(connect: Callable[[], asyncio.Protocol], requests: Sequence[bytes]) -> float:
    protocols = [connect() for _ in range(TOGETHER)]
    for protocol in protocols:
        protocol.connection_made(Drain())
    least = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        for start in range(0, len(requests), TOGETHER):
            for protocol, request in zip(protocols, requests[start : start + TOGETHER], strict=False):
                protocol.data_received(request)
            await asyncio.sleep(0)
        least = min(least, time.process_time() - began)
        await asyncio.sleep(0.01)
    return least / len(requests) * 1e6


def _stages(scorer: Scorer, bodies: Sequence[bytes], folder: Path) -> dict[str, float]:
    requests = [wired._request.decode(body) for body in bodies]
    answers = Answers(scorer, Identifiers())
    resolved = [answers._resolved(request.flights[0]) for request in requests]
    given = [answers.few(request.flights, NOTHING_KNOWN, explain=False, notes=()) for request in requests]
    metrics, spool, recorder = Books(Recorder()), Books(Recorder(), Spool(folder)), Recorder()
    return {
        "decode": _cost(wired._request.decode, bodies),
        "answer, given lately, with a new id": _cost(
            lambda r: answers.few(r.flights, NOTHING_KNOWN, explain=False, notes=()), requests
        ),
        "read the flight (only where it is new)": _cost(lambda r: answers._resolved(r.flights[0]), requests),
        "look up and add (only where it is new)": _cost(lambda f: scorer.predict(f[0]), resolved),
        "note the probability": _cost(lambda g: metrics.note(ANYBODY, g, g.encoded), given),
        "note for the ledger": _cost(lambda g: spool.note(ANYBODY, g, g.encoded), given, at_the_end=spool.settle),
        "count outcome and latency": _cost(lambda _: recorder.answered(0, 0, 0.0003), given),
    }


def _cost(stage: Callable[[T], object], inputs: Sequence[T], at_the_end: Callable[[], None] = lambda: None) -> float:
    least = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        for one in inputs:
            stage(one)
        at_the_end()
        least = min(least, time.process_time() - began)
    return least / len(inputs) * 1e6


if __name__ == "__main__":
    main()
