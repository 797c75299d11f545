"""The audit log: one line an event, whatever a client sends, and never a key or a token."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atraso.identity.keys import new_key
from atraso.identity.principal import Principal
from atraso.identity.tokens import Tokens
from atraso.telemetry.audit import LONGEST_TOLD, audit_to
from tests.identity.forging import ISSUER, LIFE_S, NOW, signing_key

KEY = new_key("desk", ["predict"])
TOKEN, _ = Tokens((signing_key("first"),), ISSUER, LIFE_S).issue(Principal("ana", frozenset()), NOW)


def noted(**facts: object) -> str:
    stream = io.StringIO()
    audit_to(stream)("login", **facts)
    return stream.getvalue()


def test_an_event_tells_when_what_and_who() -> None:
    """In this order, as one line of JSON; what is not known is left out."""
    line = noted(who="ana", allowed=True, roles=["predict"], why=None)
    told = json.loads(line)
    assert list(told) == ["timestamp", "event", "who", "allowed", "roles"]
    assert (told["event"], told["who"], told["allowed"], told["roles"]) == ("login", "ana", True, ["predict"])
    age = datetime.now(UTC) - datetime.fromisoformat(told["timestamp"])
    assert abs(age.total_seconds()) < 60


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_of_any_kind_stays_in_its_line(name: str) -> None:
    """No line can be made up by a name, nor filled by it."""
    line = noted(who=name, allowed=False)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert line.isascii() or line[:-1].isprintable()
    told = json.loads(line)
    assert len(told["who"]) <= LONGEST_TOLD + 1
    assert told["who"] == (name if len(name) <= LONGEST_TOLD else f"{name[:LONGEST_TOLD]}…")


@pytest.mark.parametrize("around", ["{}", "Bearer {}", " {}", "x{}x", "{}:", "no such key {}.", "é{}é"])
@pytest.mark.parametrize("fact", ["who", "why", "what"])
def test_a_key_is_told_by_its_beginning_alone(around: str, fact: str) -> None:
    """Wherever somebody put it."""
    line = noted(**{fact: around.format(KEY.key)})
    assert KEY.prefix in line
    assert KEY.key.removeprefix(f"{KEY.prefix}_")[:4] not in line


@pytest.mark.parametrize("around", ["{}", "Bearer {}", "x{}x", "unknown token {}."])
def test_a_token_is_not_told(around: str) -> None:
    """Neither whole nor in parts."""
    for token in (TOKEN, TOKEN[:60], TOKEN.rpartition(".")[0]):
        line = noted(who=around.format(token))
        assert not any(part and part in line for part in TOKEN.split("."))
        assert TOKEN[3:20] not in line
        assert "eyJ" in line
