"""Tokens of another issuer: believed by its published keys alone, which are asked for seldom and kept."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from atraso.core.errors import SettingsError
from atraso.identity.external import (
    MAX_KEYS_BYTES,
    REFRESH_AFTER_UNKNOWN_S,
    REFRESH_EVERY_S,
    ExternalIssuer,
    IssuerConfig,
)
from atraso.identity.principal import Principal
from atraso.identity.tokens import TokenError
from tests.identity.forging import NOW, Sign, claims, encoded, forged

ISSUER, AUDIENCE = "https://login.airport.example", "atraso"
RSA, SMALL = (rsa.generate_private_key(65537, bits) for bits in (2048, 1024))
EC, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
SECRET = b"a secret that client and issuer share"


def by_rsa(signed: bytes, key: rsa.RSAPrivateKey = RSA) -> bytes:
    return key.sign(signed, PKCS1v15(), SHA256())


def by_ec(signed: bytes) -> bytes:
    return jwt.get_algorithm_by_name("ES256").sign(signed, EC)


def by_hmac(secret: bytes) -> Sign:
    return lambda signed: hmac.new(secret, signed, "sha256").digest()


def published(public: Any, kid: str, **more: Any) -> dict[str, Any]:
    """The JSON Web Key of *public*."""
    kinds = {rsa.RSAPublicKey: RSAAlgorithm, ec.EllipticCurvePublicKey: ECAlgorithm}
    kind = next((found for of, found in kinds.items() if isinstance(public, of)), OKPAlgorithm)
    return {**kind.to_jwk(public, as_dict=True), "kid": kid, **more}


RSA_KEY = published(RSA.public_key(), "rsa", use="sig", alg="RS256")
GOOD = [RSA_KEY, published(EC.public_key(), "ec"), published(ED.public_key(), "ed")]
SHARED = {"kty": "oct", "kid": "shared", "k": encoded(SECRET)}


def config(where: str, **changed: Any) -> IssuerConfig:
    told = {"issuer": ISSUER, "audience": AUDIENCE, "keys": where, "claim": "groups",
            "roles": {"staff": ["predict"], "ops": ["predict", "report"]}}  # fmt: skip
    return IssuerConfig(**{**told, **changed})


def issuer_of(folder: Path, keys: Any, **changed: Any) -> ExternalIssuer:
    """An issuer whose keys are read from a file."""
    (folder / "jwks.json").write_text(json.dumps({"keys": keys}))
    issuer = ExternalIssuer(config(str(folder / "jwks.json"), **changed))
    issuer.refresh()
    return issuer


def theirs(alg: str = "RS256", kid: str = "rsa", sign: Sign = by_rsa, **changed: Any) -> str:
    told = claims(iss=ISSUER, aud=AUDIENCE, groups=["staff"], roles=None)
    content = {name: value for name, value in {**told, **changed}.items() if value is not None}
    return forged({"alg": alg, "kid": kid}, content, sign)


def reason(issuer: ExternalIssuer, token: str, now: float = NOW) -> str:
    """Why *token* does not count; "" where it does."""
    try:
        issuer.verify(token, now)
    except TokenError as error:
        return error.reason
    return ""


@pytest.mark.parametrize(("alg", "kid", "sign"), [("RS256", "rsa", by_rsa), ("ES256", "ec", by_ec),
                                                  ("EdDSA", "ed", ED.sign)])  # fmt: skip
def test_a_token_of_the_issuer_comes_in(tmp_path: Path, alg: str, kid: str, sign: Sign) -> None:
    """With each algorithm that there is a key for, under a name that nobody here has."""
    issuer = issuer_of(tmp_path, GOOD)
    found = issuer.verify(theirs(alg, kid, sign), NOW)
    assert found.principal == Principal("oidc:ana", frozenset({"predict"}))
    assert (found.kid, found.issued_at, found.jti) == (kid, NOW, "one")
    assert issuer.claims(theirs(alg, kid, sign))
    assert not issuer.claims(theirs(alg, kid, sign, iss="https://other.example"))


@pytest.mark.parametrize(
    ("groups", "roles"),
    [(["staff"], {"predict"}), (["ops", "others"], {"predict", "report"}), ("staff others", {"predict"}), ([], set()),
     ("", set()), (None, set()), (["Staff", "staff ", "predict", "admin"], set()), ([["staff"], {"a": 1}, 1], set()),
     ({"staff": True}, set()), (True, set()), (["staff", "ops"], {"predict", "report"})],
)  # fmt: skip
def test_roles_are_those_that_the_settings_give(tmp_path: Path, groups: Any, roles: set[str]) -> None:
    """For whole values, in a list or separated by spaces; one may give several, what is not named none."""
    assert issuer_of(tmp_path, GOOD).verify(theirs(groups=groups), NOW).principal.roles == roles


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "HS512", "PS256", "RS512", "ES384", "", None])
def test_only_algorithms_of_public_keys_are_taken(tmp_path: Path, alg: Any) -> None:
    """Without a signature, with ours, and with a keyed hash."""
    issuer = issuer_of(tmp_path, GOOD)
    for sign in (by_rsa, by_hmac(PEM), lambda signed: b""):
        assert reason(issuer, theirs(alg, sign=sign)) == "algorithm"


@pytest.mark.parametrize("secret", [PEM, PEM.strip(), RSA_KEY["n"].encode(), json.dumps(RSA_KEY).encode(), b"",
                                    RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)])  # fmt: skip
@pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256", "EdDSA"])
def test_a_public_key_is_no_shared_secret(tmp_path: Path, secret: bytes, alg: str) -> None:
    """Whatever the head says of the algorithm; the same token with a signature comes in."""
    issuer = issuer_of(tmp_path, GOOD)
    assert reason(issuer, theirs(alg, sign=by_hmac(secret)))
    assert reason(issuer, theirs()) == ""


def test_a_shared_secret_among_the_keys_is_no_key(tmp_path: Path) -> None:
    """However it dresses; the others still count."""
    disguised = [{**SHARED, "kid": f"as {alg}", "alg": alg} for alg in ("HS256", "RS256", "EdDSA")]
    issuer = issuer_of(tmp_path, [SHARED, *disguised, *GOOD])
    for kid in ("shared", *(key["kid"] for key in disguised)):
        for alg in ("HS256", "RS256", "EdDSA"):
            assert reason(issuer, theirs(alg, kid, by_hmac(SECRET)))
    assert reason(issuer, theirs()) == ""


@pytest.mark.parametrize(("kid", "alg"), [("rsa", "EdDSA"), ("rsa", "ES256"), ("ec", "RS256"), ("ed", "RS256")])
def test_a_key_proves_by_its_own_algorithm(tmp_path: Path, kid: str, alg: str) -> None:
    """And by none that a token would like."""
    issuer = issuer_of(tmp_path, GOOD)
    for sign in (by_rsa, by_ec, ED.sign):
        assert reason(issuer, theirs(alg, kid, sign))


@pytest.mark.parametrize(
    "useless",
    [published(RSA.public_key(), "x", use="enc"), published(RSA.public_key(), "x", alg="RS512"),
     published(RSA.public_key(), "x", alg="HS256"), published(P384.public_key(), "x"), {"kty": "RSA", "kid": "x"},
     published(SMALL.public_key(), "x"), {"kty": "RSA", "kid": "x", "n": 5, "e": "AQAB"},
     {"kty": "RSA", "kid": "x", "n": "é", "e": "AQAB"}, {"kty": "RSA", "kid": "x", "n": RSA_KEY["n"], "e": "AA"},
     {"kty": "EC", "crv": "P-256", "kid": "x", "x": "AAAA", "y": "AAAA"}, {"kid": "x"}, {"kty": ["RSA"], "kid": "x"},
     {"kty": "OKP", "crv": "Ed25519", "kid": "x", "x": "AAAA"}, {"kty": "OKP", "crv": "Ed25519", "kid": "x"},
     {"kty": "OKP", "crv": "Ed25519", "kid": "x", "x": None}, {**RSA_KEY, "kid": None},
     {**RSA_KEY, "kid": ["x"]}, None, 1, "x", []],
)  # fmt: skip
def test_a_key_that_cannot_be_used_leaves_the_others(tmp_path: Path, useless: Any) -> None:
    """For another use, of another algorithm, too weak, or broken: it is passed over."""
    issuer = issuer_of(tmp_path, [useless, *GOOD])
    for alg, sign in (("RS256", by_rsa), ("RS256", lambda signed: by_rsa(signed, SMALL)), ("EdDSA", ED.sign)):
        assert reason(issuer, theirs(alg, "x", sign)) == "unknown key"
    assert reason(issuer, theirs()) == ""


def test_a_private_key_that_was_published_by_mistake_still_proves(tmp_path: Path) -> None:
    """Its public half is used, whatever lies beside it."""
    issuer = issuer_of(tmp_path, [{**RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "rsa", "key_ops": ["sign"]}])
    assert reason(issuer, theirs()) == ""
    assert reason(issuer, theirs(sign=by_hmac(PEM)))


@pytest.mark.parametrize(
    "changed", [{"iss": "https://other.example"}, {"iss": ISSUER + "/"}, {"iss": None}, {"aud": "other"}, {"aud": None},
                {"aud": [ISSUER]}, {"aud": AUDIENCE + " other"}, {"exp": NOW}, {"exp": None}, {"nbf": NOW + 31},
                {"iat": NOW + 31}, {"sub": ""}, {"sub": None}, {"sub": 1}],
)  # fmt: skip
def test_a_token_of_the_issuer_that_is_not_for_now_or_us_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    """Though it is rightly signed."""
    assert reason(issuer_of(tmp_path, GOOD), theirs(**changed))


def test_the_leeway_is_that_of_our_own_tokens(tmp_path: Path) -> None:
    """And the audience may be among others."""
    issuer = issuer_of(tmp_path, GOOD)
    assert reason(issuer, theirs(nbf=NOW + 30, iat=NOW + 30)) == ""
    assert reason(issuer, theirs(aud=["other", AUDIENCE])) == ""


def test_a_strangers_key_proves_nothing(tmp_path: Path) -> None:
    """Nor does an altered claim with the old signature."""
    issuer = issuer_of(tmp_path, GOOD)
    stranger = rsa.generate_private_key(65537, 2048)
    assert reason(issuer, theirs(sign=lambda signed: by_rsa(signed, stranger))) == "InvalidSignature"
    head, _, signature = theirs().split(".")
    content = theirs(groups=["ops"]).split(".")[1]
    assert reason(issuer, f"{head}.{content}.{signature}") == "InvalidSignature"


@pytest.mark.parametrize(
    "url", ["http://login.example/jwks", "http://127.0.0.1.evil.example/jwks", "http://localhost@evil.example/jwks",
            "http://192.0.2.1/jwks", "ftp://localhost/jwks", "file:///etc/passwd", "file://localhost/etc/passwd",
            "data:,{}", "HTTP://login.example/", "http:/jwks", "http://[::2]/"],
)  # fmt: skip
def test_keys_come_encrypted_or_from_this_machine(url: str) -> None:
    """Anything else is refused when the service starts, with what would do."""
    with pytest.raises(SettingsError, match="https://"):
        ExternalIssuer(config(url))


@pytest.mark.parametrize(
    "url", ["https://login.example/jwks", "http://127.0.0.1:8080/jwks", "http://localhost/jwks", "http://[::1]:1/jwks",
            "/etc/atraso/jwks.json", "jwks.json"],
)  # fmt: skip
def test_what_is_safe_is_taken(url: str) -> None:
    """Nothing is asked before it is needed."""
    ExternalIssuer(config(url))


@pytest.mark.parametrize("missing", ["issuer", "audience", "keys"])
def test_an_issuer_is_named_wholly(missing: str) -> None:
    """Without an audience, tokens for anybody would come in."""
    with pytest.raises(SettingsError, match="oidc_audience"):
        ExternalIssuer(config("jwks.json", **{missing: ""}))


class Published:
    """An issuer's server, told by each test what to answer."""

    def __init__(self) -> None:
        self.status, self.headers, self.asked = 200, {}, 0
        self.content: bytes = json.dumps({"keys": GOOD}).encode()
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                told.asked += 1
                if told.status == 0:
                    self.wfile.write(b"what is this?\r\n\r\n")
                    return
                self.send_response(told.status)
                for name, value in told.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(told.content)

            def log_message(self, *told: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"


@pytest.fixture
def at() -> Iterator[Published]:
    served = Published()
    served.thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    served.thread.join()


def settled() -> None:
    """Wait for the threads that read keys."""
    for thread in threading.enumerate():
        if thread.name == "issuer-keys":
            thread.join()


class Clock:
    """A clock that goes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


DOWN = [{"status": 500}, {"status": 404}, {"status": 0}, {"content": b""}, {"content": b"<html>"}, {"content": b"[]"},
        {"content": b'{"keys": {}}'}, {"content": b"\xff\xfe"}, {"content": b"[" * 100_000},
        {"content": b'{"keys": [', "headers": {"content-length": "100000"}},
        {"content": json.dumps({"keys": GOOD, "ballast": "x" * MAX_KEYS_BYTES}).encode()},
        {"status": 302, "headers": {"location": "http://login.example/jwks"}},
        {"status": 302, "headers": {"location": "file:///etc/passwd"}},
        {"status": 302, "headers": {"location": "/jwks"}}]  # fmt: skip


@pytest.mark.parametrize("fault", DOWN, ids=[f"{n}" for n in range(len(DOWN))])
def test_the_last_good_keys_stay_when_the_issuer_fails(
    at: Published, caplog: pytest.LogCaptureFixture, fault: dict[str, Any]
) -> None:
    """Down, broken, too large, not JSON, or leading astray: whoever has a token comes in, and the log tells."""
    issuer = ExternalIssuer(config(at.url))
    issuer.refresh()
    for name, value in fault.items():
        setattr(at, name, value)
    issuer.refresh()
    assert "the 3 read before still count" in caplog.text
    assert reason(issuer, theirs()) == ""
    beginner = ExternalIssuer(config(at.url))
    beginner.refresh()  # a service that starts now starts, and believes nobody
    assert reason(beginner, theirs()) == "unknown key"
    settled()


def test_keys_that_moved_are_followed_to_a_safe_place(at: Published) -> None:
    """On the same machine, or by https."""
    elsewhere = Published()
    elsewhere.thread.start()
    at.status, at.headers = 302, {"location": elsewhere.url}
    issuer = ExternalIssuer(config(at.url))
    issuer.refresh()
    elsewhere.server.shutdown()
    elsewhere.server.server_close()
    elsewhere.thread.join()
    assert reason(issuer, theirs()) == ""
    assert elsewhere.asked == 1


def test_a_server_that_is_gone_is_told_and_comes_back(at: Published, caplog: pytest.LogCaptureFixture) -> None:
    """Asked again after seconds, not minutes; and keys that were taken out in between count no more."""
    clock = Clock()
    issuer = ExternalIssuer(config(at.url), clock)
    issuer.look()
    settled()
    at.status = 503
    clock.now += REFRESH_EVERY_S
    issuer.look()
    settled()
    assert "503" in caplog.text
    assert (at.asked, reason(issuer, theirs())) == (2, "")
    at.status, at.content = 200, json.dumps({"keys": GOOD[1:]}).encode()
    clock.now += REFRESH_AFTER_UNKNOWN_S
    issuer.look()
    settled()
    assert at.asked == 3
    assert reason(issuer, theirs("EdDSA", "ed", ED.sign)) == ""
    assert reason(issuer, theirs()) == "unknown key"


def test_keys_are_read_again_when_it_is_time_and_not_before(at: Published) -> None:
    """Looking costs nothing in between."""
    clock = Clock()
    issuer = ExternalIssuer(config(at.url), clock)
    issuer.refresh()
    for _ in range(100):
        issuer.look()
    clock.now += REFRESH_EVERY_S - 0.1
    issuer.look()
    settled()
    assert at.asked == 1
    clock.now += 0.1
    issuer.look()
    settled()
    assert at.asked == 2


@pytest.mark.parametrize("status", [200, 503])
def test_unknown_keys_ask_the_issuer_once_in_ten_seconds(at: Published, status: int) -> None:
    """Whoever makes up key names does not make us flood it, whether it answers or not."""
    clock = Clock()
    issuer = ExternalIssuer(config(at.url), clock)
    issuer.refresh()
    at.status = status
    asked = []
    for second in range(41):
        clock.now = 100.0 + second
        for n in range(5):
            assert reason(issuer, theirs(kid=f"made up {second} {n}")) == "unknown key"
            settled()
        asked.append(at.asked)
    assert asked == [1 + second // 10 for second in range(41)]


def test_a_new_key_of_the_issuer_counts_within_ten_seconds(at: Published) -> None:
    """The first token that names it makes us ask; the next one comes in."""
    clock = Clock()
    issuer = ExternalIssuer(config(at.url), clock)
    issuer.refresh()
    at.content = json.dumps({"keys": [*GOOD, published(RSA.public_key(), "new")]}).encode()
    clock.now += REFRESH_AFTER_UNKNOWN_S
    assert reason(issuer, theirs(kid="new")) == "unknown key"
    settled()
    assert reason(issuer, theirs(kid="new")) == ""


def test_a_head_that_is_refused_asks_nobody(at: Published) -> None:
    """Only a token in good order is worth a question."""
    clock = Clock()
    issuer = ExternalIssuer(config(at.url), clock)
    issuer.refresh()
    clock.now += 60
    for token in ("", "a.b.c", theirs("none", "new"), theirs("HS256", "new"), theirs(kid=1)):  # type: ignore[arg-type]
        assert reason(issuer, token)
    settled()
    assert at.asked == 1
