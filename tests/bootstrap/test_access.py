"""The ways in as settings turn them on: keys and tokens that change while the service runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from atraso.artefact.scorer import load_scorer
from atraso.bootstrap import create_service
from atraso.bootstrap.access import Entrance
from atraso.bootstrap.own_tokens import OwnTokens
from atraso.identity.keys import NewKey, new_key
from atraso.identity.principal import Principal
from atraso.identity.signing import SigningKeys
from atraso.identity.tokens import TokenError
from atraso.ledger.accounts import Accounts, AccountsFile, KeyRow, Revocation
from atraso.serving.guard import Admitted
from atraso.settings import Settings
from atraso.telemetry.audit import no_audit
from tests.serving.asgi import get

ANA = Principal("ana", frozenset({"predict"}))


def own(folder: Path) -> OwnTokens:
    return OwnTokens(Settings(data=folder))


def test_a_rotation_is_seen_by_every_worker(tmp_path: Path) -> None:
    """One that has looked signs with the new key, and one that has not yet proves what it signed."""
    one, two = own(tmp_path), own(tmp_path)
    old, _ = one.issue(ANA)
    kid = SigningKeys(tmp_path).rotate(600)
    one.look()
    new, _ = one.issue(ANA)
    assert two.verify(new, time.time()).kid == kid
    assert two.verify(old, time.time()).kid != kid
    assert kid.encode() in two.jwks()
    SigningKeys(tmp_path).rotate(0)
    for token in (old, new):
        with pytest.raises(TokenError):
            two.verify(token, time.time())


def test_a_damaged_file_of_signing_keys_leaves_those_read_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is locked out, the log tells once, and a mended file is read again."""
    tokens, keys = own(tmp_path), SigningKeys(tmp_path)
    token, _ = tokens.issue(ANA)
    good = keys.path.read_text()
    keys.path.write_text(good[:-9])
    for _ in range(5):
        assert tokens.verify(token, time.time()).principal == ANA
    assert caplog.text.count("still count") == 1
    keys.path.write_text(good)
    kid = keys.rotate(600)
    assert tokens.verify(token, time.time()).principal == ANA
    assert tokens.verify(tokens.issue(ANA)[0], time.time()).kid == kid


def row(made: NewKey, expires_s: int | None = None) -> KeyRow:
    return KeyRow(made.prefix, "desk", made.sha256, made.roles, 1, expires_s)


def test_keys_and_revocations_that_are_published_count_at_the_next_look(tmp_path: Path) -> None:
    """A new key comes in and a removed or expired one does not; a token ends, and one that is issued later counts."""
    now, file = int(time.time()), AccountsFile(tmp_path)
    file.publish(Accounts())
    ways = Entrance(Settings(data=tmp_path, auth="keys,jwt"), no_audit).open().ways
    tokens = own(tmp_path)
    desk, ended, token = new_key("desk", ["predict"]), new_key("desk", ["predict"]), tokens.issue(ANA)[0]

    def let_in() -> list[bool]:
        return [isinstance(ways.bearer(bearer), Admitted) for bearer in (desk.key, ended.key, token)]

    assert let_in() == [False, False, True]
    file.publish(Accounts((row(desk, now + 600), row(ended, now - 1))))
    assert let_in() == [False, False, True]
    assert ways.look()
    assert let_in() == [True, False, True]
    assert not ways.look()
    file.publish(Accounts((), (Revocation("subject", "ana", now + 1, "root"),)))
    assert ways.look()
    assert let_in() == [False, False, False]
    file.publish(Accounts((), (Revocation("subject", "ana", now - 10, "root"),)))
    assert ways.look()
    assert let_in() == [False, False, True]


def test_what_is_not_turned_on_takes_nobody_in(tmp_path: Path) -> None:
    """A good key where keys are off, a good token where tokens are."""
    desk, token = new_key("desk", ["predict"]), own(tmp_path).issue(ANA)[0]
    AccountsFile(tmp_path).publish(Accounts((row(desk),)))
    for auth, expected in (("keys", [True, False]), ("jwt", [False, True]), ("keys,jwt", [True, True])):
        ways = Entrance(Settings(data=tmp_path, auth=auth), no_audit).open().ways
        assert [isinstance(ways.bearer(bearer), Admitted) for bearer in (desk.key, token)] == expected


def test_one_value_of_another_issuer_may_give_several_roles(tmp_path: Path) -> None:
    """As the setting has it: a role each, and none is lost."""
    from atraso.bootstrap.access import _issuer_config

    settings = Settings(oidc_issuer="https://login.example", oidc_audience="atraso", oidc_jwks="jwks.json",
                        oidc_roles="predict=staff; report=staff; admin=root")  # fmt: skip
    assert _issuer_config(settings).roles == {"staff": ["predict", "report"], "root": ["admin"]}


def test_a_new_replica_is_not_ready_before_it_knows_who_has_a_key(tmp_path: Path) -> None:
    """Until the ledger has told, readiness and requests with a key are 503 with Retry-After; then the key comes in."""
    made = new_key("desk", ["predict"])
    bearer = f"Bearer {made.key}"
    front = create_service(Settings(data=tmp_path, auth="keys"), load_scorer())

    ready = get(front, "/health/ready")
    asked = get(front, "/v1/model", authorization=bearer)
    assert (ready.status, asked.status) == (503, 503)
    assert ready.headers["retry-after"] == asked.headers["retry-after"] == "1"
    assert get(front, "/health/live").status == 200

    AccountsFile(tmp_path).publish(Accounts((row(made),)))
    assert get(front, "/health/ready").status == 200
    assert get(front, "/v1/model", authorization=bearer).status == 200


def test_a_stranger_is_refused_once_that_is_known(tmp_path: Path) -> None:
    """A key that nobody has is 401 as soon as the ledger has told that there are none."""
    AccountsFile(tmp_path).publish(Accounts())
    front = create_service(Settings(data=tmp_path, auth="keys"), load_scorer())

    assert get(front, "/v1/model", authorization=f"Bearer {new_key('desk', ['predict']).key}").status == 401
