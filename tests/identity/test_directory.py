"""Log-in against a real directory: who gets in, under which name, with which roles, and how soon it fails."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atraso.core.errors import AtrasoError, MissingExtraError, SettingsError
from atraso.identity.directory import Directory, DirectoryDownError, WrongCredentialsError
from atraso.identity.directory_config import DirectoryConfig
from atraso.identity.directory_desk import DirectoryBusyError, DirectoryDesk
from atraso.identity.principal import Principal
from tests.identity.between import Between
from tests.identity.directory_server import (
    BASE,
    GROUPS,
    PEOPLE,
    PERSONS,
    SERVICE,
    DirectoryServer,
    free_port,
    password_of,
)

QUICK = {"connect_timeout_s": 0.3, "operation_timeout_s": 0.3, "log_in_timeout_s": 0.6, "failure_floor_s": 0.0}
EXTRA = pytest.mark.skipif("ldap" not in sys.modules and not __import__("importlib.util").util.find_spec("ldap"),
                           reason="python-ldap is not installed (the extra `ldap`)")  # fmt: skip


def roles_of(config: DirectoryConfig, user: str) -> set[str]:
    return set(Directory(config).log_in(user, password_of(user)).roles)


def test_each_person_gets_in_with_their_own_roles(directory: Directory) -> None:
    """Roles come from the groups of the directory; a person of no mapped group gets in with none."""
    assert directory.log_in("alice", "alicepw") == Principal("alice", frozenset({"predict", "admin"}))
    assert directory.log_in("bob", "bobpw") == Principal("bob", frozenset({"predict"}))
    assert directory.log_in("carol", "carolpw") == Principal("carol", frozenset())


@pytest.mark.parametrize("uid", ["o'hara, (ana) *", "álvaro"])
@pytest.mark.parametrize("form", ["config", "direct"])
def test_names_with_signs_of_the_protocol_get_in(server: DirectoryServer, uid: str, form: str) -> None:
    """What is escaped is still found, in both forms."""
    assert Directory(getattr(server, form)()).log_in(uid, password_of(uid)).name == uid


@pytest.mark.parametrize("typed", ["alice", "ALICE", " alice", "alice ", "Alice"])
@pytest.mark.parametrize("form", ["config", "direct"])
def test_the_name_is_the_directorys(server: DirectoryServer, typed: str, form: str) -> None:
    """All spellings of a person are one principal, so that limits and records cannot be gone around."""
    assert Directory(getattr(server, form)()).log_in(typed, "alicepw").name == "alice"


def test_ldaps_works_as_starttls_does(server: DirectoryServer) -> None:
    """Both ways to encryption are at hand."""
    assert roles_of(server.config(urls=(server.tls_url,)), "bob") == {"predict"}


def test_a_direct_bind_needs_no_service_account(server: DirectoryServer) -> None:
    """The person's own entry tells name and groups."""
    assert roles_of(server.direct(), "alice") == {"predict", "admin"}
    with pytest.raises(WrongCredentialsError):
        Directory(server.direct()).log_in("alice", "bobpw")


@pytest.mark.parametrize(("attribute", "typed"), [("sAMAccountName", "alice.sam"),
                                                  ("userPrincipalName", "alice@flights.test")])  # fmt: skip
def test_active_directorys_names_work_by_configuration(server: DirectoryServer, attribute: str, typed: str) -> None:
    """Its attributes in the filter and as the name, whatever the case of the letters."""
    config = server.config(user_filter=f"(&(objectClass=user)({attribute}={{user}}))", name_attribute=attribute.lower())
    assert Directory(config).log_in(typed, "alicepw") == Principal(typed, frozenset({"predict", "admin"}))
    with pytest.raises(WrongCredentialsError):
        Directory(config).log_in("alice", "alicepw")


def test_groups_can_be_searched_for(server: DirectoryServer) -> None:
    """Where a person's entry does not tell its groups, the groups tell their members, to the service account."""
    config = server.config(group_base=GROUPS, group_filter="(&(objectClass=groupOfNames)(member={dn}))")
    assert roles_of(config, "alice") == {"predict", "admin"}
    assert roles_of(config, "carol") == set()


def test_nested_groups_count_where_asked_for(server: DirectoryServer) -> None:
    """A group in a group gives its role as deep as configured; a circle of groups comes to an end."""
    config = server.config(group_base=GROUPS, group_filter="(member={dn})")
    assert roles_of(config, "dave") == set()
    assert roles_of(replace(config, nested_depth=1), "dave") == {"report"}
    assert roles_of(replace(config, nested_depth=10), "dave") == {"report"}
    assert roles_of(replace(config, nested_depth=10), "alice") == {"predict", "admin"}


def test_active_directorys_own_walk_through_groups_is_asked_for(server: DirectoryServer) -> None:
    """The filter of its matching rule goes out with the person's DN; OpenLDAP, which lacks the rule, gives no role."""
    rule = "(member:1.2.840.113556.1.4.1941:={dn})"
    with Between(server.port) as between:
        config = server.config(urls=(between.url,), plain_allowed=True, group_base=GROUPS, group_filter=rule)
        assert roles_of(config, "dave") == set()
    assert b"1.2.840.113556.1.4.1941" in between.heard
    assert f"uid=dave,{PEOPLE}".encode() in between.heard.split(b"1.2.840.113556.1.4.1941")[1]


@pytest.mark.parametrize("spelling", [f"CN=Admins,{GROUPS}", f"cn=admins , {GROUPS.replace(',', ' ,  ')}",
                                      f"cn= admins ,{GROUPS.upper()}"])  # fmt: skip
def test_a_group_may_be_spelled_otherwise_in_the_configuration(server: DirectoryServer, spelling: str) -> None:
    """Case and spaces of a DN do not matter."""
    assert roles_of(server.config(roles={spelling: ["admin"]}), "alice") == {"admin"}


def test_a_dead_server_is_passed_over_and_then_asked_last(server: DirectoryServer) -> None:
    """Nobody's log-in fails while one server lives, and only the first of them waits."""
    with Between(free_port()) as dead:
        directory = Directory(server.config(urls=(f"ldap://127.0.0.1:{free_port()}", server.url)))
        assert directory.log_in("alice", "alicepw").name == "alice"
    with Between(server.port, silent_after=0) as silent:
        directory = Directory(server.config(urls=(silent.url, server.url), connect_timeout_s=0.4))
        assert directory.log_in("alice", "alicepw").name == "alice"
        begun = time.monotonic()
        assert directory.log_in("bob", "bobpw").name == "bob"
        assert time.monotonic() - begun < 0.4
    assert silent.visits == 1
    assert dead.visits == 0


def test_a_wrong_password_is_not_tried_on_the_next_server(server: DirectoryServer) -> None:
    """One mistake counts once in the directory."""
    dn = server.add_person("mira")
    directory = Directory(server.config(urls=(server.url, server.tls_url)))
    with pytest.raises(WrongCredentialsError):
        directory.log_in("mira", "wrong")
    assert server.failures_of("mira") == 1
    assert directory.log_in("mira", "mirapw").name == "mira"
    with server.bound() as connection:
        connection.delete_s(dn)


def test_when_all_servers_are_down_it_is_told_with_a_reason(server: DirectoryServer) -> None:
    """Nobody is let in or called wrong by a directory that could not be asked."""
    directory = Directory(server.config(urls=tuple(f"{kind}://127.0.0.1:{free_port()}" for kind in ("ldap", "ldaps"))))
    with pytest.raises(DirectoryDownError, match="not reachable") as told:
        directory.log_in("alice", "alicepw")
    assert told.value.detail.count("Connection refused") == 2
    with pytest.raises(DirectoryDownError, match="service account refused"):
        Directory(server.config(bind_password="wrong")).log_in("alice", "alicepw")


def test_a_hanging_directory_is_told_within_the_limit(server: DirectoryServer) -> None:
    """A stopped server costs the time limit, and log-ins work again when it goes on."""
    directory = Directory(server.config(**QUICK))
    server.pause()
    try:
        begun = time.monotonic()
        with pytest.raises(DirectoryDownError, match="time-out"):
            directory.log_in("alice", "alicepw")
        assert time.monotonic() - begun < 1.0
    finally:
        server.resume()
    assert Directory(server.config()).log_in("alice", "alicepw").name == "alice"


@pytest.mark.parametrize("silent_after", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["plain", "StartTLS", "ldaps"])
def test_a_directory_may_fall_silent_at_any_point(server: DirectoryServer, kind: str, silent_after: int) -> None:
    """Before, in and after the TLS handshake the time limits hold."""
    with Between(server.tls_port if kind == "ldaps" else server.port, silent_after=silent_after) as between:
        url = between.tls_url if kind == "ldaps" else between.url
        directory = Directory(server.config(urls=(url,), plain_allowed=kind == "plain", **QUICK))
        begun = time.monotonic()
        try:
            directory.log_in("alice", "alicepw")
            assert silent_after == 4  # bind, search, bind and whoami in plain are all
        except DirectoryDownError as error:
            assert error.reason in ("time-out", "not reachable")
        assert time.monotonic() - begun < 1.2


def test_the_desk_refuses_at_once_what_it_has_no_place_for(server: DirectoryServer) -> None:
    """While the directory hangs, N wait until the limit, the next is refused, and the event loop goes on."""
    desk = DirectoryDesk(Directory(server.config(max_binds=1, max_waiting=1, **QUICK)))

    async def crowd() -> tuple[list[tuple[str, float]], float]:
        async def one() -> tuple[str, float]:
            begun = time.monotonic()
            try:
                await desk.log_in("alice", "alicepw")
            except AtrasoError as error:
                return type(error).__name__, time.monotonic() - begun
            return "in", time.monotonic() - begun

        gap, ended = 0.0, asyncio.gather(*(one() for _ in range(5)))
        while not ended.done():
            begun = time.monotonic()
            await asyncio.sleep(0.005)
            gap = max(gap, time.monotonic() - begun)
        return await ended, gap

    server.pause()
    try:
        answers, gap = asyncio.run(crowd())
    finally:
        server.resume()
    assert [name for name, _ in answers] == ["DirectoryDownError"] * 2 + ["DirectoryBusyError"] * 3
    assert all(seconds < (0.9 if name == "DirectoryDownError" else 0.05) for name, seconds in answers)
    assert gap < 0.1
    time.sleep(0.7)  # the stuck thread has its own limit
    assert asyncio.run(desk.log_in("alice", "alicepw")).name == "alice"
    desk.close()


class Stuck(Directory):
    """A directory whose thread cannot be brought back, whatever the time limits of the library."""

    def __init__(self, config: DirectoryConfig) -> None:
        self.config, self.free = config, threading.Event()

    def log_in(self, *_: Any) -> Principal:
        self.free.wait(10)
        return Principal("late", frozenset())


def test_a_thread_that_does_not_come_back_holds_nobody(recwarn: pytest.WarningsRecorder) -> None:
    """The limit holds for whoever waits, the place stays taken, and is free again afterwards."""
    stuck = Stuck(DirectoryConfig((), {}, max_binds=1, max_waiting=0, log_in_timeout_s=0.05))
    desk = DirectoryDesk(stuck)

    async def play() -> None:
        begun = time.monotonic()
        with pytest.raises(DirectoryDownError, match="time-out"):
            await desk.log_in("alice", "alicepw")
        assert time.monotonic() - begun < 0.5
        with pytest.raises(DirectoryBusyError):
            await desk.log_in("alice", "alicepw")
        stuck.free.set()
        await asyncio.sleep(0.05)
        assert (await desk.log_in("alice", "alicepw")).name == "late"
        desk.close()
        with pytest.raises(DirectoryDownError, match="closed"):
            await desk.log_in("alice", "alicepw")

    asyncio.run(play())
    assert not recwarn.list


def test_log_ins_at_the_same_time_do_not_mix(directory: Directory) -> None:
    """Everybody comes out as themselves, with their own roles."""
    people = [uid for uid in PERSONS if uid not in ("twin", "lena")] * 15
    with ThreadPoolExecutor(4) as threads:
        names = threads.map(lambda uid: directory.log_in(uid, password_of(uid)).name, people)
        assert list(names) == people


def test_the_one_who_asks_may_hold_a_log_in_back(server: DirectoryServer) -> None:
    """All spellings are held back under one name, before the directory counts a failure."""
    asked: list[str] = []

    def never(name: str) -> bool:
        asked.append(name)
        return False

    for config in (server.config(), server.direct()):
        for typed in ("bob", "BOB", " bob"):
            with pytest.raises(WrongCredentialsError) as told:
                Directory(config).log_in(typed, "bobpw", never)
            assert (told.value.reason, told.value.name) == ("held back", "bob")
    assert asked == ["bob"] * 6
    assert server.failures_of("bob") == 0


def test_a_plain_connection_is_made_only_where_allowed(server: DirectoryServer) -> None:
    """Then the password crosses the network; otherwise it does not."""
    for plain_allowed in (True, False):
        with Between(server.port) as between:
            config = server.config(urls=(between.url,), plain_allowed=plain_allowed)
            assert Directory(config).log_in("alice", "alicepw").name == "alice"
        assert (b"alicepw" in between.heard) is plain_allowed


@EXTRA
@pytest.mark.parametrize("changes", [
    {"urls": ()}, {"urls": ("http://a",)}, {"urls": ("ldap://a ldap://b",)}, {"urls": ("ldap://a,ldap://b",)},
    {"urls": ("ldapi://%2Ftmp",)}, {"urls": ("ldap:///",)}, {"urls": ("ldap://a:x",)}, {"urls": ("ldap://u@a",)},
    {"urls": ("ldap://a/dc=x??sub",)},
    {"ca_file": Path("/no/such")}, {"bind_dn": ""}, {"bind_dn": "svc"}, {"bind_password": ""}, {"base_dn": ""},
    {"base_dn": "x"}, {"user_filter": ""}, {"user_filter": "(uid=alice)"}, {"user_filter": "uid={user}"},
    {"user_filter": "(uid={user}"}, {"user_filter": "(uid={user}))((a=b)"}, {"user_filter": "({user}=alice)"},
    {"user_filter": "(uid={user})(a=b)"}, {"user_filter": "(uid={name}{user})"}, {"user_dn": "uid={user},dc=x"},
    {"group_base": "ou=g,dc=x"}, {"group_filter": "(member={dn})"},
    {"group_base": "x", "group_filter": "(member={dn})"}, {"group_base": "ou=g,dc=x", "group_filter": "(member=*)"},
    {"nested_depth": 1}, {"nested_depth": 99, "group_base": "ou=g,dc=x", "group_filter": "(member={dn})"},
    {"roles": {"admins": ["admin"]}}, {"roles": {"cn=a,dc=x": ["king"]}}, {"roles": {"cn=a,dc=x": "admin"}},
    {"roles": {"": ["admin"]}}, {"name_attribute": ""}, {"connect_timeout_s": 0}, {"log_in_timeout_s": float("inf")},
    {"operation_timeout_s": float("nan")}, {"max_binds": 0}, {"max_waiting": -1}, {"failure_floor_s": 9},
], ids=str)  # fmt: skip
def test_a_configuration_that_cannot_be_used_is_refused(changes: dict[str, Any]) -> None:
    """Before anybody logs in, with a sentence that shows no password."""
    right = DirectoryConfig(("ldap://a",), {"cn=a,dc=x": ["admin"]}, bind_dn=SERVICE, bind_password="svcpw",
                            base_dn=BASE, user_filter="(uid={user})")  # fmt: skip
    Directory(right)
    with pytest.raises(SettingsError, match="directory's") as told:
        Directory(replace(right, **changes))
    assert "svcpw" not in str(told.value) + repr(right)


@EXTRA
@pytest.mark.parametrize("user_dn", ["uid=alice,dc=x", "{user}", "{user},dc=x", "uid={user},uid={user},dc=x"])
def test_a_direct_form_that_cannot_be_used_is_refused(user_dn: str) -> None:
    """A DN with the name in one place is needed."""
    with pytest.raises(SettingsError, match="user_dn"):
        Directory(DirectoryConfig(("ldap://a",), {}, user_dn=user_dn))


def test_without_the_extra_the_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for a directory tells what to install."""
    monkeypatch.setitem(sys.modules, "ldap", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'atraso\[ldap\]'"):
        Directory(DirectoryConfig(("ldap://a",), {}, user_dn="uid={user},dc=x"))


def test_importing_the_modules_takes_no_extra() -> None:
    """API keys work where python-ldap is not installed."""
    code = "import sys; sys.modules['ldap'] = None; import atraso.identity.directory_desk, atraso.identity.keys"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("error", [WrongCredentialsError("refused", "a"), DirectoryDownError("a", "b"),
                                   DirectoryBusyError()])  # fmt: skip
def test_the_errors_travel_between_processes_whole(error: AtrasoError) -> None:
    """With their data and their sentence."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
