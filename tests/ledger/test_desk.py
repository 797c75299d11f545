"""The desk does the same whether a writer runs or not."""

from __future__ import annotations

import contextlib
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from atraso.core.errors import LedgerError, LedgerUnavailableError
from atraso.ledger.accounts import AccountsFile, KeyRow
from atraso.ledger.command_socket import MAX_CONNECTIONS, MAX_REQUEST_BYTES, ask_running_writer, ask_writer
from atraso.ledger.commands import CreateKey, ListKeys, RevokeKey
from atraso.ledger.database import ledger_url
from atraso.ledger.desk import Desk
from atraso.ledger.locks import WriterLock
from tests.ledger.places import Place, eventually, record, running, spooled, start_writer

NOW = int(time.time())


def key(name: str, prefix: str | None = None, **changes: object) -> KeyRow:
    row = {"prefix": prefix or f"atraso_{name}", "name": name, "sha256": "ab" * 32, "roles": ("predict", "report")}
    return KeyRow(**{**row, "created_s": NOW, **changes})  # type: ignore[arg-type]


@pytest.fixture(params=["by the writer", "by the lock"])
def desk(request: pytest.FixtureRequest, place: Place) -> Iterator[Desk]:
    if request.param == "by the lock":
        yield Desk(place.data, place.url)
        return
    with running(place):
        yield Desk(place.data, place.url)


def test_keys_and_revocations_are_kept_and_shown(desk: Desk, place: Place) -> None:
    """Made, listed, revoked; the file of accounts holds what may be used."""
    assert desk.list_keys() == []
    made = key("tower", expires_s=NOW + 3600)
    assert desk.create_key(made) == made
    desk.create_key(key("desk"))
    assert desk.list_keys() == [key("desk"), made]
    revoked = desk.revoke_key("atraso_desk")
    assert revoked.revoked_s is not None
    assert desk.revoke_key("atraso_desk") == revoked
    assert desk.list_keys() == [revoked, made]
    kept = desk.revoke("subject", "ana", "admin", NOW + 900)
    assert (kept.value, kept.revoked_by, kept.expires_s) == ("ana", "admin", NOW + 900)
    if place.url is None:
        accounts = AccountsFile(place.data)
        eventually(lambda: accounts.read().revocations == (kept,), 3)
        assert accounts.read().keys == (made,)


def test_a_rotated_key_counts_beside_the_old_one_for_a_while(desk: Desk, place: Place) -> None:
    """Both have the name; the old one ends with the overlap, or before where it was to end before."""
    now = int(time.time())
    desk.create_key(key("a"))
    desk.rotate_key(key("a", prefix="atraso_new"), overlap_s=100)
    old, new = sorted(desk.list_keys(), key=lambda row: row.prefix == "atraso_new")
    assert new.expires_s is None
    assert old.expires_s is not None and now + 100 <= old.expires_s <= now + 110
    with pytest.raises(LedgerError, match="no key named 'b'"):
        desk.rotate_key(key("b"), overlap_s=100)


def test_what_cannot_be_done_is_told_in_a_sentence(desk: Desk) -> None:
    """Names and prefixes that are taken, keys that are not there, values that are none."""
    desk.create_key(key("tower"))
    with pytest.raises(LedgerError, match=r"a key named 'tower' already"):
        desk.create_key(key("tower", "atraso_other"))
    with pytest.raises(LedgerError, match=r"begins with atraso_tower already"):
        desk.create_key(key("other", "atraso_tower"))
    with pytest.raises(LedgerError, match=r"no key that begins with 'atraso_none'"):
        desk.revoke_key("atraso_none")
    with pytest.raises(LedgerError, match="does not take this"):
        desk.revoke("everything", "x", "admin")  # type: ignore[arg-type]
    with pytest.raises(LedgerError, match="does not take this"):
        desk.create_key(key("x" * 500))
    with pytest.raises(LedgerError, match="does not take this"):
        desk.prune(0)
    desk.revoke_key("atraso_tower")
    desk.create_key(key("tower", "atraso_new"))


def test_upkeep_goes_the_same_way(desk: Desk, place: Place, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Prune, export, import, and a backup where there is one."""
    old, young = ((NOW - days * 86_400) * 1000 for days in (40, 20))
    source = tmp_path / "in.csv"
    desk.list_keys()
    assert desk.export_table("predictions", source) == 0
    spooled(place, record(1, at_ms=old), record(2, at_ms=young)).close()
    runs = request.node.callspec.params["desk"] == "by the writer"
    with contextlib.nullcontext() if runs else running(place):
        eventually(lambda: place.count() == 2)
    assert desk.export_table("predictions", tmp_path / "out.csv") == 2
    assert desk.import_table("predictions", tmp_path / "out.csv") == 0
    assert desk.prune(30) == 1
    assert desk.import_table("predictions", tmp_path / "out.csv") == 1
    with pytest.raises(LedgerError, match=r"no table 'keys'"):
        desk.export_table("keys", tmp_path / "keys.csv")
    with pytest.raises(LedgerError, match="cannot be read"):
        desk.import_table("predictions", tmp_path / "none.csv")
    if place.url is None:
        desk.backup(tmp_path / "copy")
        assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    else:
        with pytest.raises(LedgerError, match="pg_dump"):
            desk.backup(tmp_path / "copy")


def test_the_desk_waits_for_a_writer_that_begins(sqlite_place: Place) -> None:
    """The lock is held, the socket is not there yet."""
    lock = WriterLock(sqlite_place.data, ledger_url(sqlite_place.data))
    lock.take()
    threading.Timer(0.3, lock.release).start()
    began = time.monotonic()
    assert Desk(sqlite_place.data).list_keys() == []
    assert 0.2 < time.monotonic() - began < 5


def test_the_socket_that_a_killed_writer_left_is_no_writer(sqlite_place: Place) -> None:
    """The desk does the work itself; the next writer takes the name."""
    writer = start_writer(sqlite_place)
    eventually(lambda: writer.status().last_success_ms)
    writer.kill()
    assert (sqlite_place.data / "ledger.sock").exists()
    desk = Desk(sqlite_place.data)
    desk.create_key(key("tower"))
    with running(sqlite_place) as writer:
        eventually(lambda: writer.status().last_success_ms)
        assert ask_writer(sqlite_place.data, ListKeys(), 5.0) == [key("tower")]


def test_the_socket_is_for_its_owner_and_its_folder_may_have_a_long_name(tmp_path: Path) -> None:
    """A socket's name has at most 107 bytes; a folder's has more."""
    place = Place(tmp_path / ("d" * 120) / "data", None)
    place.data.mkdir(parents=True)
    with running(place) as writer:
        eventually(lambda: writer.status().last_success_ms)
        found = (place.data / "ledger.sock").stat()
        assert (stat.S_ISSOCK(found.st_mode), found.st_mode & 0o777) == (True, 0o600)
        assert ask_writer(place.data, ListKeys(), 5.0) == []
        assert Desk(place.data).create_key(key("tower")).name == "tower"


def test_silent_slow_and_senseless_clients_hold_nobody(sqlite_place: Place) -> None:
    """Each is refused or left alone; the next is answered at once, and there is a limit to how many there are."""
    with running(sqlite_place) as writer:
        eventually(lambda: writer.status().last_success_ms)
        path = str(sqlite_place.data / "ledger.sock")

        def connected(content: bytes) -> socket.socket:
            client = socket.socket(socket.AF_UNIX)
            client.connect(path)
            client.sendall(content)
            return client

        senseless = [b"\xff\xff\xff\xff", b"\x02\0\0\0{}", b"\x04\0\0\0\xff\xfe\xfd\xfc", b"\x08\0\0\0" + b"[" * 8]
        silent = [connected(b"") for _ in range(MAX_CONNECTIONS - 2)]
        for content in senseless:
            with connected(content) as client:
                client.settimeout(3)
                assert b"does not understand" in (client.recv(1000) or b"does not understand")
        began = time.monotonic()
        assert Desk(sqlite_place.data).list_keys() == []
        assert time.monotonic() - began < 1
        spooled(sqlite_place, record(1)).close()
        eventually(lambda: sqlite_place.count() == 1)
        for client in silent:
            client.close()


def test_a_database_that_is_down_is_told_without_its_password(tmp_path: Path) -> None:
    """In a sentence, by the desk as by the writer."""
    url = "postgresql://someone:s3cret@127.0.0.1:1/ledger"
    with pytest.raises(LedgerError, match=r"PostgreSQL at 127\.0\.0\.1, database ledger cannot be used now") as raised:
        Desk(tmp_path, url).list_keys()
    assert "s3cret" not in str(raised.value)
    with pytest.raises(LedgerError, match="cannot be used now"):
        Desk(tmp_path, url).export_table("predictions", tmp_path / "out.csv")


def test_a_service_asks_its_writer_although_it_just_begins(place: Place) -> None:
    """For a while; where there is none it is told that the same may be asked again."""
    with pytest.raises(LedgerUnavailableError, match="is not there yet: try again"):
        ask_running_writer(place.data, ListKeys(), 0.3)
    with running(place):
        assert ask_running_writer(place.data, CreateKey(key("tower")), 10.0) == key("tower")
        with pytest.raises(LedgerError, match="already") as refused:
            ask_running_writer(place.data, CreateKey(key("tower")), 10.0)
        assert not isinstance(refused.value, LedgerUnavailableError)


def test_a_request_that_is_too_large_is_refused_before_it_is_sent(sqlite_place: Place) -> None:
    """In a sentence."""
    with pytest.raises(LedgerError, match="at most 4194304 bytes"):
        ask_writer(sqlite_place.data, RevokeKey("x" * (MAX_REQUEST_BYTES + 1)), 1.0)
