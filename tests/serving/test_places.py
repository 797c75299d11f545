"""Where a request is wrong."""

from __future__ import annotations

import msgspec
import pytest

from atraso.core.errors import FieldError
from atraso.serving.places import (
    MAX_PLACES,
    CrowdedError,
    Places,
    check_values,
    decoded,
    pointer_to,
    read_fields,
    unclosed_after,
)
from atraso.serving.problems import NotJsonError
from atraso.serving.wire import FlightQuestion, PredictionRequest

REQUEST = msgspec.json.Decoder(PredictionRequest)
NOT_JSON = {
    "empty": b"",
    "blank": b" \n",
    "broken": b'{"flights": [',
    "trailing": b'{"flights": []} x',
    "NaN": b'{"flights": NaN}',
    "Infinity": b'{"flights": [-Infinity]}',
    "not UTF-8": b'{"flights": [{"airline": "\xff"}]}',
    "not UTF-8 in an unknown field": b'{"x": "\xff", "flights": []}',
    "surrogates in UTF-8": b'{"flights": "\xed\xa0\x80"}',
    "a lone surrogate": b'{"flights": "\\ud800"}',
    "byte order mark": b'\xef\xbb\xbf{"flights": []}',
    "single quotes": b"{'flights': []}",
    "a comment": b'{"flights": [] /* none */}',
    "a trailing comma": b'{"flights": [],}',
    "a control character": b'{"flights": "a\nb"}',
    "an unknown field, then broken": b'{"x": 1, "flights": [}',
    "nine deep": b"[" * 9 + b"]" * 9,
    "nine deep in a field": b'{"flights": ' + b'{"a":' * 8 + b"1" + b"}" * 9,
    "a million deep": b"[" * 1_000_000,
    "a million deep, closed": b"[" * 1_000_000 + b"]" * 1_000_000,
    "a million deep in objects": b'{"a":' * 1_000_000,
}
JSON = {
    "eight deep": b"[" * 8 + b"]" * 8,
    "many brackets in text": b'{"x": "' + b"[{" * 100 + b'"}',
    "escaped quotes around brackets": b'{"x": "\\"' + b"[" * 100 + b'\\\\"}',
    "a number too large for a float": b'{"x": 1e400}',
    "text": b'"text"',
    "null": b"null",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_not_json(body: bytes) -> None:
    """What is not JSON, or nested deeper than 8 levels, is refused as that, wherever in the body it shows."""
    with pytest.raises(NotJsonError):
        decoded(body, REQUEST)


@pytest.mark.parametrize("body", JSON.values(), ids=JSON)
def test_json_that_does_not_fit(body: bytes) -> None:
    """JSON that is no request is told from what is not JSON, and has at least one wrong place."""
    places = Places()
    assert decoded(body, REQUEST) is None
    read_fields(body, PredictionRequest, "", places)
    assert places.found


def test_depth_counts_what_is_open_at_once() -> None:
    """Depth is how many brackets are open at once, not how many there are."""
    wide = b"[" + b"[],{}," * 1000 + b"[{}]]"
    assert unclosed_after(3, wide) == b""
    assert unclosed_after(2, wide) != b""


def test_a_hostile_body_is_judged_in_one_pass() -> None:
    """A text of escaped quotes that never ends is looked at once, not once from each of its quotes."""
    hostile = b'{"x": [[[[[[[[ "' + b'\\"' * 500_000
    with pytest.raises(NotJsonError):  # quadratic work on a million bytes would take hours
        decoded(hostile, REQUEST)


def test_every_place_of_an_object() -> None:
    """Unknown, missing and wrong fields are all told, and the usable ones returned with their defaults."""
    places = Places()
    raw = b'{"airline": 3, "destination": "", "scheduled_departure": "x", "a/b~c": 1}'
    usable = read_fields(raw, FlightQuestion, "/flights/4", places)
    assert usable == {"scheduled_departure": "x", "origin": None}
    assert {p.pointer: p.detail for p in places.found} == {
        "/flights/4/a~1b~0c": "is not a field here; the fields are "
        "airline, flight_number, destination, scheduled_departure, origin",
        "/flights/4/airline": "expected text, got a whole number",
        "/flights/4/flight_number": "is missing",
        "/flights/4/destination": "expected text that is not empty",
    }


def test_values_refused_one_after_the_other() -> None:
    """Every refused value is told though the one who is asked stops at the first."""

    def ask(a: int, b: int, c: int) -> None:
        for name, value in (("a", a), ("b", b), ("c", c)):
            if value < 0:
                raise FieldError(name, f"{value} is negative")

    places = Places()
    check_values(ask, {"a": -1, "c": -3}, {"a": 0, "b": 0, "c": 0}, "", places)
    assert [(p.pointer, p.detail) for p in places.found] == [("/a", "-1 is negative"), ("/c", "-3 is negative")]


def test_a_refused_stand_in_is_nobodys_fault() -> None:
    """A stand-in that is refused itself is not told as a place of the request, and ends the questions."""

    def ask(a: int, b: int) -> None:
        raise FieldError("b", "never good")

    places = Places()
    check_values(ask, {"a": 1}, {"a": 0, "b": 0}, "", places)
    assert places.found == []


def test_at_most_a_hundred() -> None:
    """No more than 100 places are told."""
    places = Places()
    raw = b"{" + b",".join(b'"x%d": 1' % i for i in range(200)) + b"}"
    read_fields(raw, FlightQuestion, "", places)
    assert len(places.found) == MAX_PLACES == 100


def test_a_name_given_twice() -> None:
    """A refusal names a place also where only the first of two values of a name was wrong."""
    body = b'{"flights": 5, "flights": []}'
    places = Places()
    assert decoded(body, REQUEST) is None
    read_fields(body, PredictionRequest, "", places)
    assert [p.pointer for p in places.told()] == [""]


def test_long_names_are_cut() -> None:
    """A name of a megabyte does not come back as a megabyte."""
    assert len(pointer_to("", "x" * 1_000_000)) < 100


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"flights":[' + b"1," * 300_000 + b"1]}", "/flights/0"),
        (b'{"flights":[' + b"{}," * 30_000 + b"{}]}", "/flights/0"),
        (b'{"no":[' + b"[]," * 30_000 + b"[]]}", ""),
        (b'{"no":[' + b'"",' * 400_000 + b'""]}', ""),
    ],
)
def test_a_body_of_more_parts_than_any_request_has_is_told_its_first_wrong_place_only(body, pointer):
    """It is not taken apart to look for the others, which would cost the worker its memory."""
    with pytest.raises(CrowdedError) as refused:
        decoded(body, REQUEST)

    assert refused.value.first.pointer == pointer
    assert refused.value.first.detail


def test_brackets_by_the_hundred_thousand_are_nested_too_deep():
    """And said to be, without a parser seeing them."""
    with pytest.raises(NotJsonError, match="nested deeper than 8"):
        decoded(b'{"a":' * 600_000, REQUEST)
