"""Slow and broken clients at full size do not hold anyone else, and none of what they left unsaid is answered."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from atraso.stress.questions import body_of
from benchmarks.processes import HOST
from tests.drill.figures import show, tell
from tests.drill.full import Full, everything_on
from tests.drill.load import Load, Plan, offer
from tests.drill.machine import undisturbed
from tests.drill.service import flights, until
from tests.drill.slow import Crowd, Sending, crowd, cut, drip, endless

FOR_S = 15.0
P99_MS = 50.0
RATE = 200.0
IDLE = 10_000
# What none of the well-behaved asks about, so that it would be seen in the spool.
MARK = "8642"
DEADLINE_S = 5.0
LATE_S = 1.5


@dataclass(frozen=True)
class Bad:
    """A kind of bad client: how many of them, what each sends, what it may be answered, and after how long."""

    count: int
    send: Sending
    statuses: frozenset[int]
    after_s: float | None = None


def _bad(kind: str, full: Full) -> Bad:
    text = full.request(body_of({**flights()[0], "flight_number": MARK}))
    head, body = (part for part in (text[: text.index(b"\r\n\r\n") + 4], text[text.index(b"\r\n\r\n") + 4 :]))
    chunked = head[: head.index(b"Content-Length")] + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    match kind:
        case "a byte of a head each second":
            return Bad(500, drip(b"", head), frozenset({408}), DEADLINE_S)
        case "a byte of a body each second":
            return Bad(500, drip(head, body), frozenset({408}), DEADLINE_S)
        case "leaving in mid-body":
            return Bad(500, cut(head + body[: len(body) // 2]), frozenset({400}))
        case "a head without an end":
            return Bad(100, endless(head[:-2], b"X-More: " + b"x" * 1000 + b"\r\n", 0.05), frozenset({431}))
        case _:
            return Bad(20, endless(chunked, chunk, 0.05), frozenset({413, 503}))


KINDS = (
    "a byte of a head each second",
    "a byte of a body each second",
    "leaving in mid-body",
    "a head without an end",
    "a body without an end",
)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_clients_hold_nobody(tmp_path: Path, kind: str) -> None:
    """A well-behaved client has no error and a p99 below 50 ms; the bad are turned away and leave no record."""
    with everything_on(tmp_path) as full:
        bad = _bad(kind, full)
        with undisturbed(full.service, kind), crowd(full.port, bad.count, bad.send) as seen:
            until(lambda: seen.made >= bad.count * 0.9, 20.0)
            load = _ask(full)
            _show_crowd(kind, bad, seen)
            _show(kind, load)
        recorded = full.stored("airline", "flight_number")
    assert len(recorded) == load.statuses[200]
    assert not [row for row in recorded if any(MARK in str(value) for value in row)]


def test_ten_thousand_idle_connections_hold_nobody(tmp_path: Path) -> None:
    """The same beside 10,000 connections that had their answer and rest; every one of them is still there after it."""
    with everything_on(tmp_path) as full, undisturbed(full.service, "idle connections"), _idle(full, IDLE) as clients:
        load = _ask(full)
        gone = sum(_is_closed(client) for client in clients)
        show("idle connections that were closed", gone, "connections", at_most=0)
        _show(f"{IDLE:,} idle connections", load)


def _ask(full: Full) -> Load:
    return offer(Plan(full.port, full.requests(), 16, FOR_S, rate=RATE))


def _show(kind: str, load: Load) -> None:
    tell(f"median beside {kind}", load.took_ms(0.5), "ms")
    tell(f"lateness of the pacer at 0.99 beside {kind}", load.late_ms(0.99), "ms")
    show(f"errors of {len(load.answers):,} requests beside {kind}", load.failures, "requests", at_most=0)
    show(f"p99 beside {kind}", load.took_ms(0.99), "ms", at_most=P99_MS)


def _show_crowd(kind: str, bad: Bad, seen: Crowd) -> None:
    for status, count in sorted(seen.statuses.items()):
        tell(f"clients with {kind} answered {status}", count, "times")
    assert seen.statuses
    assert set(seen.statuses) <= bad.statuses
    show(f"connections with {kind} left open after the answer", seen.left_open, "connections", at_most=0)
    show(f"connections with {kind} that could not be made", seen.unable, "connections", at_most=0)
    if bad.after_s is not None:
        assert sum(seen.statuses.values()) >= bad.count  # each at least once
        assert min(seen.took_s) >= bad.after_s
        show(f"latest answer to {kind}", max(seen.took_s), "s", at_most=bad.after_s + LATE_S)


@contextlib.contextmanager
def _idle(full: Full, count: int) -> Iterator[list[socket.socket]]:
    """Hold *count* connections that had one answer each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    request = full.request(body_of(flights()[0]))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((HOST, full.port), timeout=10)) for _ in range(count)]
        for client in clients:
            client.sendall(request)
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        yield clients


def _is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
