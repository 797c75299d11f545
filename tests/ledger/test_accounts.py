"""What the workers see of keys and revocations is whole, and changes only when something has changed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from atraso.ledger.account_rows import create_key, list_keys, revoke, revoke_key, snapshot
from atraso.ledger.accounts import Accounts, AccountsError, AccountsFile, KeyRow, Revocation
from atraso.ledger.desk import Desk
from atraso.ledger.records import used_record
from tests.ledger.places import Place, eventually, running, spooled


def key(name: str, **changes: object) -> KeyRow:
    row = {"prefix": f"atraso_{name}", "name": name, "sha256": "ab" * 32, "roles": ("predict",), "created_s": 100}
    return KeyRow(**{**row, **changes})  # type: ignore[arg-type]


def test_a_snapshot_holds_what_may_be_used_and_what_still_matters(place: Place) -> None:
    """Neither expired nor revoked keys, nor revocations of what has expired anyway."""
    with place.engine.begin() as connection:
        for row in (key("a"), key("b", expires_s=200), key("c", expires_s=300), key("d")):
            create_key(connection, row, now_s=100)
        revoke_key(connection, "atraso_d", now_s=150)
        lasting = revoke(connection, Revocation("kid", "k1", 100, "admin"))
        revoke(connection, Revocation("jti", "t1", 100, "admin", 180))
        found = snapshot(connection, now_s=200)
    assert [row.name for row in found.keys] == ["a", "c"]
    assert found.revocations == (lasting,)


def test_a_name_is_free_again_when_its_key_has_expired_or_is_revoked(place: Place) -> None:
    """So that a key can be replaced under its name; the old ones stay in the list."""
    with place.engine.begin() as connection:
        create_key(connection, key("a", expires_s=150), now_s=100)
        create_key(connection, key("a", prefix="atraso_2"), now_s=150)
        revoke_key(connection, "atraso_2", now_s=160)
        create_key(connection, key("a", prefix="atraso_3"), now_s=170)
        assert [(row.prefix, row.revoked_s) for row in list_keys(connection)] == [
            ("atraso_2", 160),
            ("atraso_3", None),
            ("atraso_a", 150),
        ]


def test_of_several_revocations_the_latest_and_longest_counts(place: Place) -> None:
    """In whatever order they come."""
    with place.engine.begin() as connection:
        revoke(connection, Revocation("subject", "ana", 100, "one", 500))
        assert revoke(connection, Revocation("subject", "ana", 90, "two", 400)).revoked_s == 100
        assert snapshot(connection, 0).revocations[0].expires_s == 500
        assert revoke(connection, Revocation("subject", "ana", 120, "three")).expires_s is None
        assert revoke(connection, Revocation("subject", "ana", 80, "four", 900)).expires_s is None
        assert [row.revoked_s for row in snapshot(connection, 0).revocations] == [120]


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """It is replaced in one step, for its owner only; what is the same is not written again."""
    file = AccountsFile(tmp_path)
    assert file.read() == Accounts()
    many = [Accounts(tuple(key(f"{name}-{size}") for name in range(size))) for size in (1, 300)]
    assert file.publish(many[0])
    assert (tmp_path / "accounts.json").stat().st_mode & 0o777 == 0o600
    done = threading.Event()
    seen: set[int] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(len(AccountsFile(tmp_path).read().keys))

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(1, 120):
        assert file.publish(many[turn % 2])
    done.set()
    reader.join()
    assert seen <= {1, 300}
    stamp = file.stamp()
    assert not file.publish(many[1])
    assert not AccountsFile(tmp_path).publish(many[1])
    assert file.stamp() == stamp
    file.path.unlink()
    assert file.publish(many[1])


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """With a sentence that says what to do."""
    for content in (b"", b'{"keys": [', b"\xff", b'{"keys": [], "more": 1}'):
        (tmp_path / "accounts.json").write_bytes(content)
        with pytest.raises(AccountsError, match="is damaged: remove it"):
            AccountsFile(tmp_path).read()


def test_the_writer_publishes_changes_within_seconds_and_nothing_else(place: Place) -> None:
    """By whatever way they came; that a key was used changes nothing of it. A file that was removed comes back."""
    file = AccountsFile(place.data)
    with running(place):
        eventually(lambda: file.stamp() is not None, 3)
        desk = Desk(place.data, place.url)
        desk.create_key(key("a"))
        eventually(lambda: [row.name for row in file.read().keys] == ["a"], 3)
        stamp = file.stamp()
        spooled(place, used_record({"atraso_a": 150})).close()
        eventually(lambda: desk.list_keys()[0].last_used_s == 150, 3)
        threading.Event().wait(1.3)
        assert file.stamp() == stamp
        file.path.unlink()
        eventually(lambda: file.stamp() is not None, 3)
        desk.revoke_key("atraso_a")
        eventually(lambda: file.read().keys == (), 3)
