"""API keys: made once, shown once, kept as digests."""

from __future__ import annotations

import hashlib
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atraso.identity.keys import KEY_START, MAX_NAME, Keys, KeysError, digest_of, new_key
from atraso.identity.principal import ROLES
from atraso.ledger.accounts import KeyRow

MADE_S = 1_700_000_000
DESK, FEED = new_key("desk", ["predict"]), new_key("feed", ["report", "predict"])


def row(key: str, prefix: str, name: str, roles: tuple[str, ...]) -> KeyRow:
    return KeyRow(prefix, name, digest_of(key), roles, MADE_S)


KNOWN = Keys([row(DESK.key, DESK.prefix, "desk", DESK.roles), row(FEED.key, FEED.prefix, "feed", FEED.roles)])


def test_a_key_finds_what_is_kept_of_it() -> None:
    """Its own row and no other, with the roles in the order in which they are told everywhere."""
    assert len(KNOWN) == 2
    desk, feed = KNOWN.facts_of(DESK.key), KNOWN.facts_of(FEED.key)
    assert desk is not None
    assert feed is not None
    assert (desk.name, desk.prefix, tuple(desk.roles)) == ("desk", DESK.prefix, ("predict",))
    assert (feed.name, feed.prefix, tuple(feed.roles)) == ("feed", FEED.prefix, ("predict", "report"))


@given(st.integers(0, len(DESK.key) - 1), st.characters(exclude_categories=[]))
def test_one_character_changed_finds_nothing(place: int, letter: str) -> None:
    """Wherever it is and whatever it becomes, a surrogate that no encoding holds included."""
    changed = DESK.key[:place] + letter + DESK.key[place + 1 :]
    found = KNOWN.facts_of(changed)
    assert (found is not None) == (changed == DESK.key)


@pytest.mark.parametrize(
    "wrong",
    ["", KEY_START, DESK.prefix, DESK.key[:-1], DESK.key + "a", DESK.key + "=", f" {DESK.key}", f"{DESK.key} ",
     DESK.key + "\0", DESK.key.upper(), DESK.key.replace("_", "-", 1), f"{DESK.key},{FEED.key}", digest_of(DESK.key),
     DESK.prefix + FEED.key.removeprefix(FEED.prefix), "é" * 40],
    ids=count(),  # the keys are made anew for each run, and the names of tests are not
)  # fmt: skip
def test_what_only_resembles_a_key_finds_nothing(wrong: str) -> None:
    """Neither a part of it, nor more than it, nor its digest, nor one key's beginning with another's end."""
    assert KNOWN.facts_of(wrong) is None


def test_what_is_kept_does_not_tell_the_key() -> None:
    """A digest of the whole, and a beginning that holds none of the secret."""
    made = new_key("desk", ["predict"])
    secret = made.key.removeprefix(f"{made.prefix}_")
    assert made.sha256 == hashlib.sha256(made.key.encode()).hexdigest()
    assert made.key.startswith(made.prefix)
    assert made.prefix.startswith(KEY_START)
    assert len(secret) == 43  # 256 bits
    assert secret not in "".join((made.prefix, made.sha256, *made.roles))


def test_no_two_keys_are_alike() -> None:
    """Nor their beginnings, by which people tell them apart."""
    made = [new_key("desk", ["predict"]) for _ in range(500)]
    assert len({key.key for key in made}) == len({key.prefix for key in made}) == 500


@pytest.mark.parametrize(
    ("name", "roles"), [("", ["predict"]), ("  ", ["predict"]), ("a\nb", ["predict"]), ("a\0", ["predict"]),
                        ("a" * (MAX_NAME + 1), ["predict"]), ("a", []), ("a", ["king"]), ("a", ["predict", "king"]),
                        ("a", ["Predict"]), ("a", "predict")],
)  # fmt: skip
def test_a_name_or_role_that_cannot_be_used_is_refused(name: str, roles: list[str]) -> None:
    """In words, before anything is made."""
    with pytest.raises(KeysError):
        new_key(name, roles)


@pytest.mark.parametrize("name", ["a", "a" * MAX_NAME, "Torre de Control Ñ", "desk=1; drop"])
def test_a_name_that_can_be_used_is_taken(name: str) -> None:
    """With every role, each told once."""
    assert new_key(name, [*ROLES, *ROLES]).roles == ROLES


def test_a_kept_key_with_an_unknown_role_counts_for_nothing() -> None:
    """A row that somebody wrote by other means gives nobody more, nor less than they can see."""
    known = Keys([row(DESK.key, DESK.prefix, "desk", ("predict", "king")), row(FEED.key, FEED.prefix, "feed", ROLES)])
    assert known.facts_of(DESK.key) is None
    assert known.facts_of(FEED.key) is not None
