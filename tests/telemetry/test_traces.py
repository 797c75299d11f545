"""The W3C trace context: what is valid is taken in, anything else begins no trace."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atraso.telemetry.traces import MAX_STATE_BYTES, new_trace, trace_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("03", True), ("fe", False)])
def test_a_valid_header_is_taken_in(flags: str, sampled: bool) -> None:
    """Its trace and its parent, and whether the caller samples; the place here is a new one."""
    trace = trace_of(f"00-{TRACE}-{PARENT}-{flags}".encode(), b"vendor=1")
    assert trace is not None
    assert (trace.trace_id, trace.parent_id, trace.sampled, trace.state) == (TRACE, PARENT, sampled, "vendor=1")
    assert re.fullmatch("[0-9a-f]{16}", trace.span_id)
    assert trace.span_id != PARENT
    assert trace.response().decode() == f"00-{TRACE}-{trace.span_id}-{int(sampled):02x}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE[:-1]}-{PARENT}-01",
    ],
)
def test_an_invalid_header_begins_no_trace(header: str) -> None:
    """What the standard calls invalid is as if it were not there."""
    assert trace_of(header.encode()) is None


def test_a_later_version_may_say_more() -> None:
    """Its first four parts are read as those of this one."""
    trace = trace_of(f"01-{TRACE}-{PARENT}-01-more".encode())
    assert trace is not None
    assert trace.trace_id == TRACE


def test_a_state_that_is_too_long_is_not_passed_on() -> None:
    """The trace is taken in without it."""
    trace = trace_of(f"00-{TRACE}-{PARENT}-01".encode(), b"a" * (MAX_STATE_BYTES + 1))
    assert trace is not None
    assert not trace.state


@given(st.binary(max_size=80))
def test_no_header_breaks_anything(header: bytes) -> None:
    """Whatever is sent, it is a trace as the standard has it, or none."""
    trace = trace_of(header)
    assert trace is None or header[3:35] == trace.trace_id.encode()


def test_a_new_trace_is_sampled_and_its_own() -> None:
    """No two are the same, and nobody is its parent."""
    one, other = new_trace(), new_trace()
    assert one.sampled
    assert not one.parent_id
    assert one.trace_id != other.trace_id
