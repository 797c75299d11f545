"""The keys that sign tokens: their owner's alone, rotated with an overlap, made once."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import re
import stat
import time
from itertools import count
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from atraso.identity.principal import Principal
from atraso.identity.signing import FILE, SigningKeyError, SigningKeys, jwks, key_from_pem
from atraso.identity.tokens import TokenError, Tokens
from tests.identity.forging import ISSUER, LIFE_S

ANA = Principal("ana", frozenset({"predict"}))
fork = multiprocessing.get_context("fork")


def private_of(keys: SigningKeys) -> list[bytes]:
    return [key.private.private_bytes_raw() for key in keys.read()]


def test_there_is_no_key_until_one_is_made_and_then_it_stays(tmp_path: Path) -> None:
    """Whoever comes second finds the first one's, and so does whoever reads the file anew."""
    keys = SigningKeys(tmp_path / "new" / "folder")
    assert keys.read() == ()
    assert keys.stamp() is None
    assert keys.create() is True
    made = private_of(keys)
    assert len(made) == 1
    assert keys.create() is False
    assert private_of(SigningKeys(tmp_path / "new" / "folder")) == made


def test_keys_of_two_folders_are_two(tmp_path: Path) -> None:
    """Nothing is derived from what others could know."""
    pairs = [SigningKeys(tmp_path / name) for name in "ab"]
    for keys in pairs:
        keys.create()
    (one,), (two,) = (keys.read() for keys in pairs)
    assert one.kid != two.kid
    assert one.public.public_bytes_raw() != two.public.public_bytes_raw()
    token, _ = Tokens((one,), ISSUER, LIFE_S).issue(ANA, time.time())
    assert Tokens((one,), ISSUER, LIFE_S).verify(token, time.time()).principal == ANA
    with pytest.raises(TokenError):
        Tokens((two,), ISSUER, LIFE_S).verify(token, time.time())


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """When it is made and when it is replaced, whatever the umask; nothing is left beside it but an empty lock."""
    before = os.umask(0)
    try:
        keys = SigningKeys(tmp_path)
        keys.create()
        keys.rotate(60)
    finally:
        os.umask(before)
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert {path.name: path.stat().st_size > 0 for path in tmp_path.iterdir()} == {FILE: True, f"{FILE}.lock": False}


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o620, 0o602, 0o666, 0o610])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """For reading as for rotating, with what to do; once that is done it counts."""
    keys = SigningKeys(tmp_path)
    keys.create()
    keys.path.chmod(mode)
    for act in (keys.read, keys.create, lambda: keys.rotate(60)):
        with pytest.raises(SigningKeyError, match="chmod 600"):
            act()
    keys.path.chmod(0o600)
    assert len(keys.read()) == 1


GOOD = base64.b64encode(bytes(range(32))).decode()


def content(**changed: object) -> str:
    return json.dumps({"keys": [{"kid": "a", "private": GOOD, "created_s": 1} | changed]})


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "\0" * 100, '{"keys": null}', '{"keys": [{}]}', '{"keys": [], "more": 1}',
             content(private=""), content(private=GOOD[:-4]), content(private=GOOD + "AAAA"), content(private="*" * 44),
             content(private=1), content(kid=1), content(kid=None), content(created_s="1"), content(more=1),
             content()[:-5], '{"keys": [{"kid": "\\ud800"}]}'],
)  # fmt: skip
def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    """Neither taken for no keys nor written over; what it holds is not told."""
    keys = SigningKeys(tmp_path)
    keys.path.write_text(text)
    keys.path.chmod(0o600)
    for act in (keys.read, keys.create, lambda: keys.rotate(60)):
        with pytest.raises(SigningKeyError, match="damaged") as told:
            act()
        assert GOOD[:8] not in str(told.value)
    assert keys.path.read_text() == text


def test_bytes_that_are_no_text_are_damage_too(tmp_path: Path) -> None:
    """And the same file undamaged is read."""
    keys = SigningKeys(tmp_path)
    keys.path.write_bytes(b"\xff\xfe\x00")
    keys.path.chmod(0o600)
    with pytest.raises(SigningKeyError, match="damaged"):
        keys.read()
    keys.path.write_text(content())
    assert private_of(keys) == [bytes(range(32))]


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """In words, with its name."""
    (tmp_path / "file").write_text("")
    keys = SigningKeys(tmp_path / "file")
    for act in (keys.read, keys.create, lambda: keys.rotate(60)):
        with pytest.raises(SigningKeyError, match=re.escape(str(tmp_path))):
            act()


def test_a_rotation_leaves_the_old_key_its_overlap(tmp_path: Path) -> None:
    """The new one signs at once; the old one proves what it signed, and then no more."""
    keys = SigningKeys(tmp_path)
    keys.create()
    (first,) = keys.read()
    token, _ = Tokens((first,), ISSUER, LIFE_S).issue(ANA, time.time())
    before = int(time.time())
    kid = keys.rotate(600)
    old, new = keys.read()
    assert (old.kid, new.kid, new.retired_s) == (first.kid, kid, None)
    assert old.retired_s is not None
    assert before + 600 <= old.retired_s <= time.time() + 600
    tokens = Tokens(keys.read(), ISSUER, LIFE_S)
    now = time.time()
    assert tokens.verify(tokens.issue(ANA, now)[0], now).kid == new.kid
    assert tokens.verify(token, now).kid == first.kid
    with pytest.raises(TokenError):
        tokens.verify(token, old.retired_s)


def test_a_rotation_stretches_no_overlap_and_drops_what_is_over(tmp_path: Path) -> None:
    """A key that was to end soon ends soon, one may be ended sooner, and one that ended is gone from the file."""
    keys = SigningKeys(tmp_path)
    keys.create()
    keys.rotate(100)
    keys.rotate(10_000)
    ends = [key.retired_s for key in keys.read()]
    now = time.time()
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[0] <= now + 100 < now + 9_000 < ends[1]
    assert ends[2] is None
    keys.rotate(0)  # a key that was stolen: none proves any more
    assert [key.retired_s is not None and key.retired_s <= time.time() for key in keys.read()] == [True] * 3 + [False]
    kid = keys.rotate(60)
    assert len(keys.read()) == 2
    assert keys.read()[-1].kid == kid


def test_the_stamp_changes_with_the_keys_alone(tmp_path: Path) -> None:
    """Workers look at it each second."""
    keys = SigningKeys(tmp_path)
    keys.create()
    stamp = keys.stamp()
    keys.read()
    assert keys.stamp() == stamp
    keys.rotate(60)
    assert keys.stamp() != stamp


def _create(folder: Path, begin: object) -> None:
    begin.wait()  # type: ignore[attr-defined]
    SigningKeys(folder).create()


def _rotate(folder: Path, begin: object) -> None:
    begin.wait()  # type: ignore[attr-defined]
    for _ in range(3):
        SigningKeys(folder).rotate(1_000)


def at_once(work: object, folder: Path) -> None:
    begin = fork.Barrier(3)
    processes = [fork.Process(target=work, args=(folder, begin)) for _ in range(3)]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_services_that_start_together_have_one_key(tmp_path: Path) -> None:
    """The second waits for the first; nobody signs with a key that is not in the file. Rotations wait likewise."""
    at_once(_create, tmp_path)
    assert len(SigningKeys(tmp_path).read()) == 1
    at_once(_rotate, tmp_path)
    keys = SigningKeys(tmp_path).read()
    assert len({key.kid for key in keys}) == len(keys) == 10


def pem(key: object, encryption: object = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()  # type: ignore[attr-defined]


def test_a_key_of_the_settings_is_the_same_in_every_service() -> None:
    """Its identifier too, so that each proves what the others signed."""
    private = Ed25519PrivateKey.generate()
    here, there = key_from_pem(pem(private)), key_from_pem(f"\n{pem(private)}\n")
    assert (here.kid, here.retired_s) == (there.kid, None)
    token, _ = Tokens((here,), ISSUER, LIFE_S).issue(ANA, time.time())
    assert Tokens((there,), ISSUER, LIFE_S).verify(token, time.time()).principal == ANA
    assert key_from_pem(pem(Ed25519PrivateKey.generate())).kid != here.kid


@pytest.mark.parametrize(
    "text",
    ["", "secret-that-is-no-key", "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----", "é\0",
     pem(generate_private_key(SECP256R1())), pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret")),
     pem(Ed25519PrivateKey.generate())[:-40],
     Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()],
    ids=count(),  # some are made anew for each run, and the names of tests are not
)  # fmt: skip
def test_a_setting_that_is_no_such_key_is_refused(text: str) -> None:
    """With how to make one, and without a word of what was given."""
    with pytest.raises(SigningKeyError, match="openssl genpkey -algorithm ed25519") as told:
        key_from_pem(text)
    assert "secret" not in str(told.value)
    assert told.value.__cause__ is None


def test_the_published_keys_prove_and_sign_nothing(tmp_path: Path) -> None:
    """Others prove our tokens by them as RFC 7517 and RFC 8037 say; no private half is among them."""
    keys = SigningKeys(tmp_path)
    keys.create()
    keys.rotate(600)
    published = json.loads(jwks(keys.read()))
    assert [set(key) for key in published["keys"]] == [{"kty", "crv", "use", "alg", "kid", "x"}] * 2
    for private in private_of(keys):
        for form in (base64.b64encode(private), base64.urlsafe_b64encode(private)):
            assert form.rstrip(b"=").decode() not in json.dumps(published)
    token, _ = Tokens(keys.read(), ISSUER, LIFE_S).issue(ANA, time.time())
    key = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, ["EdDSA"], audience=ISSUER, issuer=ISSUER)["sub"] == "ana"
    assert json.loads(jwks(())) == {"keys": []}


def test_a_key_does_not_tell_its_private_half() -> None:
    """Not even where it is printed by mistake."""
    private = Ed25519PrivateKey.generate()
    key = key_from_pem(pem(private))
    raw = private.private_bytes_raw()
    assert not any(form in repr(key) for form in (raw.hex(), base64.b64encode(raw).decode(), repr(raw)[2:-1]))
