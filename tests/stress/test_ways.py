"""Which ways a run measures, and which it leaves out."""

from __future__ import annotations

import pytest

from atraso.stress.profiles import StressError
from atraso.stress.ways import AUTH, plan

WHY = "no slapd here"


def test_all_ways_are_measured_where_there_is_a_directory():
    """Asked for nothing in particular, a run measures everything and leaves nothing out."""
    chosen = plan((), None)
    assert chosen.ways == AUTH
    assert not chosen.left_out


def test_what_needs_a_directory_is_left_out_by_name_where_there_is_none():
    """The ways that ask a directory are named with the reason, and the others are measured."""
    chosen = plan((), WHY)
    asking = [way.label for way in AUTH if way.directory]
    assert dict(chosen.left_out) == dict.fromkeys(asking, WHY)
    assert [way.label for way in chosen.ways] == [way.label for way in AUTH if not way.directory]


def test_a_way_brings_what_it_is_compared_with():
    """Client certificates are compared with TLS, and TLS with none."""
    assert [way.name for way in plan(["mtls"], None).ways] == ["open", "tls", "mtls"]
    assert [way.name for way in plan(["tls-connect"], None).ways] == ["open", "open-connect", "tls-connect"]
    assert not plan(["key"], WHY).left_out


def test_an_unknown_way_is_refused_with_those_there_are():
    """The sentence names what was asked for and what may be."""
    with pytest.raises(StressError, match=r"'keys'.*jwt-fresh"):
        plan(["keys"], None)
