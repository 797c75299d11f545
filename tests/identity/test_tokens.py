"""Tokens of this service: what is issued is proved, as long as it lives and by nobody else's word."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from atraso.identity.principal import ROLES, Principal
from atraso.identity.tokens import LEEWAY_S, MAX_TOKEN_BYTES, TokenError, Tokens
from tests.identity.forging import ISSUER, LIFE_S, NOW, claims, claims_of, decoded, forged, head_of, signing_key

KEY = signing_key("first")
TOKENS = Tokens((KEY,), ISSUER, LIFE_S)
ANA = Principal("ana", frozenset({"predict", "report"}))
HEAD = {"alg": "EdDSA", "kid": "first"}


def reason(token: str, now: float = NOW, tokens: Tokens = TOKENS) -> str:
    """Why *token* does not count; "" where it does."""
    try:
        tokens.verify(token, now)
    except TokenError as error:
        return error.reason
    return ""


def test_what_is_issued_is_proved() -> None:
    """Who, what they may do, from when until when, with which key, and which token."""
    token, life_s = TOKENS.issue(ANA, NOW + 0.7)
    found = TOKENS.verify(token, NOW + 1)
    assert (found.principal, found.issued_at, found.expires_at) == (ANA, NOW, NOW + LIFE_S)
    assert (found.kid, life_s) == ("first", LIFE_S)
    assert found.jti


printable = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=256).filter(str.isprintable)


@given(printable, st.sets(st.sampled_from(ROLES)))
def test_every_name_that_a_directory_may_have_comes_back(name: str, roles: set[str]) -> None:
    """Whole, in whatever script, and with exactly its roles, none included."""
    principal = Principal(name, frozenset(roles))
    assert TOKENS.verify(TOKENS.issue(principal, NOW)[0], NOW).principal == principal


@pytest.mark.parametrize("letter", ["a", "é", "\u98db", "\U0001f6eb", '"', "\\"])
def test_the_longest_name_has_a_token_that_counts(letter: str) -> None:
    """What is issued is never longer than what is taken."""
    token, _ = TOKENS.issue(Principal(letter * 256, frozenset(ROLES)), NOW)
    assert len(token) <= MAX_TOKEN_BYTES
    assert reason(token) == ""


def test_a_token_says_what_others_need_to_prove_it() -> None:
    """Algorithm, key and claims as RFC 7519 and RFC 8037 have them; the signature is over exactly these bytes."""
    token, _ = TOKENS.issue(ANA, NOW)
    assert head_of(token) == {"alg": "EdDSA", "kid": "first", "typ": "JWT"}
    told = claims_of(token)
    assert told.pop("jti")
    assert told == {"iss": ISSUER, "aud": ISSUER, "sub": "ana", "roles": ["predict", "report"], "iat": NOW, "nbf": NOW,
                    "exp": NOW + LIFE_S}  # fmt: skip
    signed, _, signature = token.rpartition(".")
    Ed25519PublicKey.from_public_bytes(KEY.public.public_bytes_raw()).verify(decoded(signature), signed.encode())


def test_no_two_tokens_are_alike() -> None:
    """Each can be revoked by itself, though the same person has both in the same second."""
    made = [TOKENS.verify(TOKENS.issue(ANA, NOW)[0], NOW).jti for _ in range(200)]
    assert len(set(made)) == 200


@pytest.mark.parametrize(
    ("at", "why"), [(0, ""), (LIFE_S - 0.001, ""), (LIFE_S, "expired"), (LIFE_S + 1, "expired"), (10**9, "expired"),
                    (-LEEWAY_S, ""), (-LEEWAY_S - 0.001, "not yet valid"), (-LIFE_S, "not yet valid")],
)  # fmt: skip
def test_a_token_lives_from_its_beginning_to_its_end(at: float, why: str) -> None:
    """Clocks may differ by the leeway at its beginning; its end is not stretched."""
    assert reason(TOKENS.issue(ANA, NOW)[0], NOW + at) == why


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_each_beginning_holds_by_itself(name: str) -> None:
    """Issued in the future, or not valid before: both are too early."""
    sign = KEY.private.sign
    assert reason(forged(HEAD, claims(**{name: NOW + LEEWAY_S}), sign)) == ""
    assert reason(forged(HEAD, claims(**{name: NOW + LEEWAY_S + 1}), sign)) == "not yet valid"


def test_the_newest_key_signs_and_older_ones_prove() -> None:
    """A rotation leaves the tokens that there are alone, until the overlap is over."""
    old, _ = TOKENS.issue(ANA, NOW)
    retiring = KEY.__class__(KEY.kid, KEY.private, NOW + 600)
    both = Tokens((retiring, signing_key("second")), ISSUER, LIFE_S)
    new, _ = both.issue(ANA, NOW)
    assert (both.verify(new, NOW).kid, both.verify(old, NOW + 599.9).kid) == ("second", "first")
    assert reason(old, NOW + 600, both) == "retired key"
    assert reason(new, NOW + 600, both) == ""
    assert reason(new, NOW) == "unknown key"


def test_a_token_is_believed_no_longer_than_its_key() -> None:
    """Whoever remembers what was proved must ask again when the overlap ends, not only when the token does."""
    old, _ = TOKENS.issue(ANA, NOW)
    retiring = KEY.__class__(KEY.kid, KEY.private, NOW + 600)
    both = Tokens((retiring, signing_key("second")), ISSUER, LIFE_S)
    assert both.verify(old, NOW).expires_at == NOW + 600
    assert both.verify(both.issue(ANA, NOW)[0], NOW).expires_at == NOW + LIFE_S


def test_whose_a_token_says_it_is_tells_who_proves_it() -> None:
    """And nothing more: what is no token is nobody's."""
    assert TOKENS.claims(TOKENS.issue(ANA, NOW)[0])
    assert not TOKENS.claims(forged(HEAD, claims(iss="https://other.example"), KEY.private.sign))
    for nothing in ("", ".", "..", "a.b.c", "é.é.é", "a." + "A" * MAX_TOKEN_BYTES + ".c", "[" * 4000):
        assert not TOKENS.claims(nothing)


def test_a_refusal_travels_between_processes() -> None:
    """With its reason, which its sentence does not tell."""
    error = pickle.loads(pickle.dumps(TokenError("expired")))
    assert error.reason == "expired"
    assert "expired" not in str(error)
