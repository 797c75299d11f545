"""What was revoked counts no more, and what was not goes on to."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atraso.identity.principal import Principal
from atraso.identity.revocations import JTI, KID, KINDS, SUBJECT, Revocations
from atraso.identity.tokens import Credential, Tokens
from atraso.ledger.accounts import Revocation
from tests.identity.forging import ISSUER, LIFE_S, NOW, signing_key

ANAS = Credential(Principal("ana", frozenset({"predict"})), NOW, NOW + LIFE_S, "first", "one")


def revoked(kind: str, value: str, at: int = NOW) -> Revocation:
    return Revocation(kind, value, at, "root")  # type: ignore[arg-type]


def test_nothing_is_revoked_until_something_is() -> None:
    """No entry, no refusal."""
    assert not Revocations().is_revoked(ANAS)


@pytest.mark.parametrize(("kind", "value"), [(SUBJECT, "ana"), (KID, "first"), (JTI, "one")])
def test_each_kind_ends_what_it_names(kind: str, value: str) -> None:
    """All tokens of somebody, all that a key signed, or one."""
    assert Revocations([revoked(kind, value)]).is_revoked(ANAS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["luis", "an", "anaa", "fir", "first,one", "on", "*", "%"])
def test_what_is_not_named_goes_on(kind: str, value: str) -> None:
    """A part of a name, or more than it, names nobody."""
    assert not Revocations([revoked(kind, value)]).is_revoked(ANAS)


@pytest.mark.parametrize("value", ["ANA", "ana ", "Ana", "\uff41na"])
def test_a_name_is_revoked_however_it_is_spelt(value: str) -> None:
    """Directories take several spellings for one person, and a revocation that does nothing would be believed."""
    assert Revocations([revoked(SUBJECT, value)]).is_revoked(ANAS)
    assert not Revocations([revoked(KID, "FIRST")]).is_revoked(ANAS)


@pytest.mark.parametrize(("kind", "value"), [(SUBJECT, "first"), (SUBJECT, "one"), (KID, "ana"), (KID, "one"),
                                             (JTI, "ana"), (JTI, "first")])  # fmt: skip
def test_a_value_counts_for_its_own_kind(kind: str, value: str) -> None:
    """Somebody who is called like a key is not that key."""
    assert not Revocations([revoked(kind, value)]).is_revoked(ANAS)


@pytest.mark.parametrize(("later_s", "ends"), [(-1, False), (0, True), (1, True), (LIFE_S, True)])
def test_somebody_may_log_in_again(later_s: int, ends: bool) -> None:
    """A subject's tokens end that were issued by then, in the same second too; those that come later count."""
    assert Revocations([revoked(SUBJECT, "ana", NOW + later_s)]).is_revoked(ANAS) is ends


@pytest.mark.parametrize("kind_and_value", [(KID, "first"), (JTI, "one")])
def test_a_key_or_a_token_does_not_come_back(kind_and_value: tuple[str, str]) -> None:
    """Whatever time a token says that it was issued."""
    later = dataclasses.replace(ANAS, issued_at=NOW + 10_000)
    assert Revocations([revoked(*kind_and_value, NOW)]).is_revoked(later)


@given(st.permutations([NOW - 100, NOW + 5, NOW + 50]))
def test_the_last_revocation_of_somebody_counts(moments: list[int]) -> None:
    """In whatever order they are read."""
    revocations = Revocations(revoked(SUBJECT, "ana", moment) for moment in moments)
    for issued_at, ends in ((NOW + 50, True), (NOW + 51, False)):
        assert revocations.is_revoked(dataclasses.replace(ANAS, issued_at=issued_at)) is ends


entries = st.builds(revoked, st.sampled_from(KINDS), st.sampled_from(["ana", "luis", "first", "second", "one", "two"]),
                    st.integers(NOW - 5, NOW + 5))  # fmt: skip


@given(st.lists(entries, max_size=12), st.sampled_from(["ana", "luis"]), st.sampled_from(["first", "second"]),
       st.sampled_from(["one", "two"]), st.integers(NOW - 6, NOW + 6))  # fmt: skip
def test_many_revocations_are_each_of_them(kept: list[Revocation], name: str, kid: str, jti: str, issued: int) -> None:
    """A token ends when one of them, by itself, would end it."""
    token = Credential(Principal(name, frozenset()), issued, issued + LIFE_S, kid, jti)
    expected = any(
        (entry.kind == SUBJECT and entry.value == name and issued <= entry.revoked_s)
        or (entry.kind == KID and entry.value == kid)
        or (entry.kind == JTI and entry.value == jti)
        for entry in kept
    )
    assert Revocations(kept).is_revoked(token) is expected


def test_a_token_that_was_proved_can_be_revoked_by_what_it_says() -> None:
    """Its subject, key and identifier are those that the revocation takes."""
    tokens = Tokens((signing_key("first"),), ISSUER, LIFE_S)
    principal = Principal("Ñandú 鳥", frozenset({"predict"}))
    one, two = (tokens.verify(tokens.issue(principal, NOW)[0], NOW) for _ in range(2))
    assert Revocations([revoked(JTI, one.jti)]).is_revoked(one)
    assert not Revocations([revoked(JTI, one.jti)]).is_revoked(two)
    for kind, value in ((SUBJECT, principal.name), (KID, "first")):
        assert Revocations([revoked(kind, value)]).is_revoked(one)
        assert Revocations([revoked(kind, value)]).is_revoked(two)
