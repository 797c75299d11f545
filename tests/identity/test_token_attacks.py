"""Nobody comes in by a token that was made up, altered or taken from elsewhere; beside each, one that does."""

from __future__ import annotations

import hashlib
import hmac
import json
import string
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from atraso.identity.principal import Principal
from atraso.identity.signing import jwks
from atraso.identity.tokens import MAX_TOKEN_BYTES, TokenError, Tokens
from tests.identity.forging import (
    ISSUER,
    LETTERS,
    LIFE_S,
    NOW,
    Sign,
    claims,
    claims_of,
    decoded,
    encoded,
    forged,
    signing_key,
)

KEY, STRANGERS = signing_key("first"), Ed25519PrivateKey.generate()
TOKENS = Tokens((signing_key("older"), KEY), ISSUER, LIFE_S)
HEAD = {"alg": "EdDSA", "kid": "first"}
HONEST, _ = TOKENS.issue(Principal("ana", frozenset({"predict"})), NOW)
OURS: Sign = KEY.private.sign
PUBLIC_PEM = KEY.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PUBLIC_KEYS = {
    "raw": KEY.public.public_bytes_raw(),
    "pem": PUBLIC_PEM,
    "pem without its last line end": PUBLIC_PEM.rstrip(),
    "der": KEY.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "openssh": KEY.public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "base64url": encoded(KEY.public.public_bytes_raw()).encode(),
    "jwks": jwks((KEY,)),
    "nothing": b"",
}
HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def reason(token: str, now: float = NOW) -> str:
    """Why *token* does not count; "" where it does."""
    try:
        TOKENS.verify(token, now)
    except TokenError as error:
        return error.reason
    return ""


def by_hmac(secret: bytes, name: str = "sha256") -> Sign:
    return lambda signed: hmac.new(secret, signed, name).digest()


def test_a_token_made_by_hand_with_the_right_key_comes_in() -> None:
    """What is refused below is refused for what was altered, not for how it was made."""
    assert reason(HONEST) == ""
    assert reason(forged(HEAD, claims(), OURS)) == ""
    assert reason(forged({**HEAD, "typ": "JWT"}, claims(jti=None), OURS)) == ""


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, 0, ["EdDSA"], {"EdDSA": 1}, True])
@pytest.mark.parametrize("signature", [b"", b"x" * 64, "right"])
def test_no_algorithm_is_no_proof(alg: Any, signature: bytes | str) -> None:
    """Not even with the right signature beside it."""
    sign: Sign = OURS if isinstance(signature, str) else lambda signed: signature  # type: ignore[assignment,return-value]
    assert reason(forged({**HEAD, "alg": alg}, claims(), sign)) == "algorithm"


def test_a_head_without_an_algorithm_is_no_proof() -> None:
    """Nothing is supposed where nothing is said."""
    assert reason(forged({"kid": "first"}, claims(), OURS)) == "algorithm"


@pytest.mark.parametrize("alg", HASHES)
@pytest.mark.parametrize("form", PUBLIC_KEYS)
def test_the_public_key_is_nobodys_secret(alg: str, form: str) -> None:
    """A keyed hash under what everybody can read proves nothing, in whatever form it was taken."""
    secret = PUBLIC_KEYS[form]
    for told in (alg, "EdDSA"):
        assert reason(forged({**HEAD, "alg": told}, claims(), by_hmac(secret, HASHES[alg])))


def test_the_attack_with_the_public_key_would_work_on_a_library_that_believes_the_head() -> None:
    """The forged token is a right one for whoever takes algorithm and secret on its word."""
    secret = PUBLIC_KEYS["base64url"]
    token = forged({**HEAD, "alg": "HS256"}, claims(), by_hmac(secret))
    believed = jwt.decode(token, secret, ["HS256"], {"verify_exp": False}, audience=ISSUER, issuer=ISSUER)
    assert believed["sub"] == "ana"
    assert reason(token) == "algorithm"


@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "ES512", "Ed448", "eddsa", "EDDSA", "EdDSA ", "A256GCM"])
def test_another_algorithm_is_not_taken(alg: str) -> None:
    """This issuer signs with one."""
    assert reason(forged({**HEAD, "alg": alg}, claims(), OURS)) == "algorithm"


def test_a_strangers_signature_proves_nothing() -> None:
    """Though all that it says is right; nor does the signature of another token."""
    assert reason(forged(HEAD, claims(), STRANGERS.sign)) == "InvalidSignature"
    other = forged(HEAD, claims(sub="eve"), OURS).rpartition(".")[2]
    assert reason(f"{HONEST.rpartition('.')[0]}.{other}") == "InvalidSignature"
    for signature in (b"", b"\0" * 64, OURS(b""), OURS(b"") * 2):
        assert reason(forged(HEAD, claims(), lambda signed, s=signature: s))  # type: ignore[misc]


@pytest.mark.parametrize("kid", ["second", "", "First", "first ", "first\0", "../first", "' OR 1=1 --", "fir\u017ft"])
def test_an_unknown_key_proves_nothing(kid: str) -> None:
    """Its name is looked up as it is, and nowhere else."""
    assert reason(forged({**HEAD, "kid": kid}, claims(), OURS)) == "unknown key"


def test_another_key_of_ours_does_not_prove_it_either() -> None:
    """The signature is proved by the key that the token names."""
    assert reason(forged({**HEAD, "kid": "older"}, claims(), OURS)) == "InvalidSignature"
    assert reason(forged({**HEAD, "kid": "older"}, claims(), TOKENS.keys[0].private.sign)) == ""


@pytest.mark.parametrize("kid", [None, 1, 1.5, True, ["first"], {"first": 1}])
def test_a_key_is_named_by_text(kid: Any) -> None:
    """Anything else is refused before it is looked up."""
    assert reason(forged({**HEAD, "kid": kid}, claims(), OURS)) == "no key named"
    assert reason(forged({"alg": "EdDSA"}, claims(), OURS)) == "no key named"


@pytest.mark.parametrize(
    "more", [{"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"b64": True},
             {"crit": None}],
)  # fmt: skip
def test_a_head_that_asks_for_more_is_refused(more: dict[str, Any]) -> None:
    """What must be understood and is not (RFC 7515, section 4.1.11) is not passed over."""
    assert reason(forged({**HEAD, **more}, claims(), OURS)) == "critical header"


def test_a_key_that_the_token_brings_along_is_not_looked_at() -> None:
    """Neither in its head nor where its head points to."""
    public = json.loads(jwks((KEY,)))["keys"][0] | {"x": encoded(STRANGERS.public_key().public_bytes_raw())}
    for brought in ({"jwk": public}, {"jku": "http://127.0.0.1:9/keys"}, {"x5u": "http://127.0.0.1:9/"}, {"x5c": [""]}):
        assert reason(forged({**HEAD, **brought}, claims(), STRANGERS.sign)) == "InvalidSignature"
        assert reason(forged({**HEAD, **brought, "kid": "new"}, claims(), STRANGERS.sign)) == "unknown key"


@pytest.mark.parametrize("issuer", ["https://other.example", ISSUER + "/", ISSUER.upper(), "", None, 1, [ISSUER]])
def test_another_issuer_is_not_believed(issuer: Any) -> None:
    """Though it signed with our key."""
    assert reason(forged(HEAD, claims(iss=issuer), OURS))


@pytest.mark.parametrize(
    "audience", ["https://other.example", ISSUER + "/", ISSUER[:-1], "", None, 1, [], ["https://other.example"], [1]]
)
def test_a_token_for_somebody_else_is_not_for_us(audience: Any) -> None:
    """Though the issuer is right."""
    assert reason(forged(HEAD, claims(aud=audience), OURS))


def test_a_token_for_us_among_others_is_for_us() -> None:
    """The audience may be a list (RFC 7519, section 4.1.3)."""
    assert reason(forged(HEAD, claims(aud=["https://other.example", ISSUER]), OURS)) == ""


@pytest.mark.parametrize(
    "roles", [["predict", "admin"], ["admin"], ["predict", "report", "admin"], [], "admin", None, ["predict"] * 2]
)
def test_altered_roles_with_the_old_signature_are_refused(roles: Any) -> None:
    """Whether there are more of them or fewer."""
    signature = decoded(HONEST.rpartition(".")[2])
    altered = claims_of(HONEST) | {"roles": roles}
    assert reason(forged(decoded(HONEST.split(".")[0]), altered, lambda signed: signature)) == "InvalidSignature"


@pytest.mark.parametrize("changed", [{"sub": "eve"}, {"exp": NOW + 10 * LIFE_S}, {"nbf": 0}, {"jti": "two"}])
def test_any_other_claim_altered_with_the_old_signature_is_refused(changed: dict[str, Any]) -> None:
    """Unaltered, the same bytes come in."""
    head, signature = decoded(HONEST.split(".")[0]), decoded(HONEST.rpartition(".")[2])
    assert reason(forged(head, claims_of(HONEST) | changed, lambda signed: signature)) == "InvalidSignature"
    assert reason(forged(head, decoded(HONEST.split(".")[1]), lambda signed: signature)) == ""


@pytest.mark.parametrize(
    "roles", [["king"], ["predict", "king"], ["Predict"], ["predict "], "predict", {"predict": 1}, [["predict"]],
              [{}], [None], [1], 1, True],
)  # fmt: skip
def test_roles_that_there_are_not_are_refused(roles: Any) -> None:
    """Even rightly signed: a token of another version of the service gives nobody what nobody here knows."""
    assert reason(forged(HEAD, claims(roles=roles), OURS)) == "roles"


def test_a_token_without_roles_is_refused_and_one_with_none_is_somebody() -> None:
    """Somebody without roles is known, and may do nothing."""
    assert reason(forged(HEAD, claims(roles=None), OURS)) == "roles"
    assert TOKENS.verify(forged(HEAD, claims(roles=[]), OURS), NOW).principal == Principal("ana", frozenset())


@pytest.mark.parametrize("subject", ["", "a" * 257, "a\nb", "a\0", "\u202eana", 1, None, ["ana"], True])
def test_a_token_is_somebodys(subject: Any) -> None:
    """By a name that can be told in a log."""
    assert reason(forged(HEAD, claims(sub=subject), OURS))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "time", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1", b"1" + b"0" * 400, b'"1700000000"', b"true", b"[]",
             b"null", b"{}"],
)  # fmt: skip
def test_a_time_is_a_number_that_a_clock_can_show(name: str, time: bytes) -> None:
    """There is no token without an end, however it is written, and none that makes the service stumble."""
    content = json.dumps({**claims(), name: "TIME"}).encode().replace(b'"TIME"', time)
    assert reason(forged(HEAD, content, OURS)) in ("times", "MissingRequiredClaim")
    honest = json.dumps({**claims(), name: "TIME"}).encode().replace(b'"TIME"', str(claims()[name]).encode())
    assert reason(forged(HEAD, honest, OURS)) == ""


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat"])
def test_a_claim_that_is_needed_is_not_supposed(name: str) -> None:
    """A token without it is refused."""
    assert reason(forged(HEAD, claims(**{name: None}), OURS)) == "MissingRequiredClaim"


ANYWHERE = st.integers(0, len(HONEST) - 1)


@given(ANYWHERE, st.sampled_from(LETTERS + "." + string.punctuation + " \n\0é"))
def test_one_character_changed_is_refused(place: int, letter: str) -> None:
    """Anywhere in the token, to whatever."""
    changed = HONEST[:place] + letter + HONEST[place + 1 :]
    assert (reason(changed) == "") == (changed == HONEST)


@given(ANYWHERE, st.sampled_from(LETTERS + ".=\n \t+/"))
def test_one_character_more_or_less_is_refused(place: int, letter: str) -> None:
    """No letter is passed over, as lenient base64 does."""
    assert reason(HONEST[:place] + letter + HONEST[place:])
    assert reason(HONEST + letter)
    assert reason(HONEST[:place] + HONEST[place + 1 :])


@pytest.mark.parametrize("part", [0, 1, 2])
def test_bits_that_stand_for_nothing_are_not_free(part: int) -> None:
    """The last letter of a part may have bits to spare: other letters for the same bytes are refused."""
    # Twelve names, so that a part of every length modulo three is met.
    met = 0
    for n in range(12):
        kid = "k" * (n + 1)
        key = KEY.__class__(kid, KEY.private)
        tokens = Tokens((key,), ISSUER, LIFE_S)
        token = forged({"alg": "EdDSA", "kid": kid}, claims(sub="a" * (n + 1)), OURS)
        tokens.verify(token, NOW)
        parts = token.split(".")
        for letter in LETTERS:
            twin = parts[part][:-1] + letter
            if twin == parts[part] or len(twin) % 4 == 0 or decoded(twin) != decoded(parts[part]):
                continue
            met += 1
            with pytest.raises(TokenError):
                tokens.verify(".".join([*parts[:part], twin, *parts[part + 1 :]]), NOW)
    assert met >= 12


@pytest.mark.parametrize(
    "spoilt",
    [lambda t: t + "=", lambda t: t.replace(".", "=.", 1), lambda t: t.replace(".", "..", 1), lambda t: f".{t}",
     lambda t: f"{t}.", lambda t: f"{t}.{t}", lambda t: t.rpartition(".")[0], lambda t: t.rpartition(".")[0] + ".",
     lambda t: t.replace("-", "+").replace("_", "/") if set(t) & set("-_") else t + "+", str.lower, str.upper,
     lambda t: f" {t}", lambda t: f"{t}\n", lambda t: t.encode().hex(), lambda t: "", lambda t: "..",
     lambda t: json.dumps({"token": t}), lambda t: t.split(".")[1]],
)  # fmt: skip
def test_a_token_is_one_text(spoilt: Callable[[str], str]) -> None:
    """There is no second spelling of it."""
    assert reason(spoilt(HONEST))


def test_a_token_that_is_too_long_is_refused_before_it_is_read() -> None:
    """Though it is rightly signed; a shorter one with the same kind of ballast comes in."""
    assert reason(forged(HEAD, claims(ballast="x" * MAX_TOKEN_BYTES), OURS)) == "too long"
    assert reason(forged(HEAD, claims(ballast="x" * (MAX_TOKEN_BYTES // 2)), OURS)) == ""


@pytest.mark.parametrize(
    "head", [b"", b"{", b"[]", b'"EdDSA"', b"null", b"1", b"\xff\xfe", b"[" * 2000, b'{"alg":"EdDSA","kid":"\\ud800"}',
             b'{"alg":"EdDSA","kid":"first"}x'],
)  # fmt: skip
def test_a_head_that_is_no_object_is_refused(head: bytes) -> None:
    """Quietly, however deep it is."""
    assert reason(forged(head, claims(), OURS))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"ana"', b"null", b"1", b"\xff\xfe", b"[" * 2000])
def test_claims_that_are_no_object_are_refused(content: bytes) -> None:
    """Even rightly signed."""
    assert reason(forged(HEAD, content, OURS))


@given(st.text() | st.lists(st.text(LETTERS, max_size=20), min_size=3, max_size=3).map(".".join))
def test_whatever_comes_is_refused_and_nothing_stumbles(token: str) -> None:
    """Any text at all has a TokenError for an answer."""
    assert reason(token)
    assert TOKENS.claims(token) in (True, False)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_whatever_is_signed_by_us_stumbles_no_more(head: bytes, content: bytes) -> None:
    """Bytes of any kind in the right form, rightly signed."""
    assert reason(forged(head, content, OURS))
    assert reason(forged(HEAD, content, OURS))


def test_thousands_of_random_signatures_are_all_refused() -> None:
    """Not one is let in."""
    start = HONEST.rpartition(".")[0]
    tried = (f"{start}.{encoded(hashlib.sha512(b'%d' % n).digest())}" for n in range(4_000))
    assert sum(reason(token) == "" for token in tried) == 0
    assert reason(HONEST) == ""
