"""The log of requests: lines of JSON that hold no secret, and a reader that has stopped holds nobody."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from atraso.identity.keys import new_key
from atraso.identity.principal import Principal
from atraso.identity.tokens import Tokens
from atraso.telemetry.events import MAX_WAITING, EventLog, request_id_of
from tests.identity.forging import ISSUER, LIFE_S, NOW, signing_key

KEY = new_key("desk", ["predict"]).key
TOKEN, _ = Tokens((signing_key("first"),), ISSUER, LIFE_S).issue(Principal("ana", frozenset()), NOW)


def told(**facts: object) -> str:
    stream = io.StringIO()
    log = EventLog(stream)
    log.tell("request", "info", facts)
    log.close()
    return stream.getvalue()


def test_an_event_is_a_line_of_json() -> None:
    """When, how bad and what stand first; what is not known is left out."""
    line = told(route="/predict", principal=None, status=200)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    event = json.loads(line)
    assert list(event) == ["timestamp", "level", "event", "route", "status"]
    assert event["timestamp"].endswith("Z")


@given(
    st.dictionaries(
        st.sampled_from(["principal", "request_id", "model", "route"]),
        st.tuples(st.text(max_size=20), st.sampled_from([KEY, TOKEN]), st.text(max_size=20)),
        min_size=1,
    )
)
def test_no_planted_secret_is_told(facts: dict[str, tuple[str, str, str]]) -> None:
    """Wherever a key or a token was put, its secret part is in no line."""
    line = told(**{name: "".join(parts) for name, parts in facts.items()})
    assert line.count("\n") == 1
    assert KEY.rpartition("_")[2][:12] not in line
    assert TOKEN.split(".")[1][:20] not in line
    assert TOKEN.split(".")[2][:20] not in line


@given(st.binary(max_size=100))
def test_a_request_id_is_taken_only_where_it_looks_like_one(given_id: bytes) -> None:
    """Printable, short and without spaces; never a key or a token, nor what stands among the credentials."""
    taken = request_id_of(given_id)
    assert taken is None or (taken.encode() == given_id and taken.isascii() and taken.isprintable())
    assert request_id_of(given_id, b"Bearer " + given_id) is None
    assert request_id_of(given_id + KEY.encode()) is None
    assert request_id_of(TOKEN.encode()) is None


def test_usual_request_ids_are_taken() -> None:
    """UUIDs, hex, ULIDs, and those of load balancers."""
    for usual in (
        "7b44e5a2-3c1d-4f4e-9a53-0c9d5d3f2b11",
        "01JDC2QG5V",
        "Root=1-67891233-abcdef012345678912345678",
        "a",
    ):
        assert request_id_of(usual.encode()) == usual


def test_a_reader_that_has_stopped_holds_nobody_and_what_was_dropped_is_told() -> None:
    """Telling never waits; when the reader goes on, the next event says how many are missing."""
    reads, writes = os.pipe()
    with os.fdopen(writes, "w", buffering=1) as stream, os.fdopen(reads) as reader:
        log = EventLog(stream)
        began = time.monotonic()
        for number in range(3 * MAX_WAITING):  # a pipe holds some hundred of them
            log.tell("request", "info", {"number": number, "padding": "x" * 60})
        assert time.monotonic() - began < 5.0
        lines: list[str] = []
        drain = threading.Thread(target=lambda: lines.extend(iter(reader.readline, "")))
        drain.start()
        while not any('"number": 0' in line for line in lines) or log._waiting.qsize():
            time.sleep(0.01)
        log.tell("request", "info", {"number": "last"})
        log.close()
        stream.close()
        drain.join(10)
    events = [json.loads(line) for line in lines]
    dropped = sum(event.get("dropped", 0) for event in events)
    assert dropped > 0
    assert events[-1]["number"] == "last"
    assert dropped + len(events) - 1 == 3 * MAX_WAITING


def test_structlog_comes_without_its_console() -> None:
    """What a worker loads for its events is not what a terminal needs; what is off is not loaded at all."""
    code = (
        "import sys; import atraso.bootstrap; assert 'structlog' not in sys.modules;"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules);"
        "from atraso.telemetry import events; events.prepare(); assert 'structlog' in sys.modules;"
        "assert 'rich' not in sys.modules; import rich.console"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
