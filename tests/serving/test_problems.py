"""The table at the door."""

from __future__ import annotations

import json

import pytest

from atraso.core.errors import AtrasoError, FieldError
from atraso.serving import problems
from atraso.serving.problems import (
    STATUS_OF,
    STATUSES,
    BodyTooLargeError,
    MethodNotAllowedError,
    NotJsonError,
    WrongPlacesError,
    one_line,
    problem_body,
    refusal_of,
)
from atraso.serving.wire import Place


def test_every_error_type_of_the_door_has_a_status() -> None:
    """Each error class defined at the door reaches a row of the table that is its own, not that of a fault."""
    own = [c for c in vars(problems).values() if isinstance(c, type) and c.__module__ == problems.__name__]
    errors = [c for c in own if issubclass(c, AtrasoError) and not c.__subclasses__()]
    assert len(errors) >= 6
    for kind in errors:
        assert next(STATUS_OF[c] for c in kind.__mro__ if c in STATUS_OF) != 500
    assert set(STATUS_OF.values()) <= set(STATUSES)


@pytest.mark.parametrize("status", STATUSES)
def test_body(status: int) -> None:
    """A body has the members of RFC 9457, its status, and no list of places where there are none."""
    body = json.loads(problem_body(status, "it is so"))
    assert body == {"type": "about:blank", "title": STATUSES[status][0], "status": status, "detail": "it is so"}


def test_places() -> None:
    """Wrong places come as `errors`, each with a pointer and a detail."""
    refusal = refusal_of(WrongPlacesError([Place("/a", "is missing"), Place("", "is odd")]), "/x")
    body = json.loads(refusal.body)
    assert (refusal.status, body["detail"]) == (422, "/a: is missing (and 1 more)")
    assert body["errors"] == [{"pointer": "/a", "detail": "is missing"}, {"pointer": "", "detail": "is odd"}]


def test_a_field_error_names_its_field() -> None:
    """A field refused by the core is a 422 at that field."""
    body = json.loads(refusal_of(FieldError("origin", "is needed"), "/x").body)
    assert body["errors"] == [{"pointer": "/origin", "detail": "is needed"}]


def test_what_is_wrong_as_a_whole() -> None:
    """Where the whole is wrong the empty pointer names it; a body too large also ends the connection."""
    assert json.loads(refusal_of(NotJsonError("broken"), "/x").body)["errors"] == [{"pointer": "", "detail": "broken"}]
    assert ("connection", "close") in refusal_of(BodyTooLargeError("large"), "/x").headers
    assert ("connection", "close") not in refusal_of(NotJsonError("broken"), "/x").headers


def test_allow() -> None:
    """A refused method comes with the list of those allowed."""
    assert ("allow", "GET, HEAD") in refusal_of(MethodNotAllowedError(["HEAD", "GET"]), "/x").headers


def test_length() -> None:
    """The announced length is that of the body in bytes."""
    refusal = refusal_of(NotJsonError("Aerolíneas"), "/x")
    assert dict(refusal.headers)["content-length"] == str(len(refusal.body))


def test_one_line_says_where() -> None:
    """The line of the log names the error and the code it came through, latest first."""

    def inner() -> None:
        raise KeyError("a\nb")

    try:
        inner()
    except KeyError as error:
        line = one_line(error)
    assert line.startswith("KeyError(")
    assert "\n" not in line
    assert line.index("inner") < line.index("test_one_line_says_where")
