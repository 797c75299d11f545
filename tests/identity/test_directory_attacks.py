"""Nobody gets in by: one test per way, each beside a control that the right password does get in there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atraso.core.errors import SettingsError
from atraso.identity import directory as module
from atraso.identity.directory import Directory, DirectoryDownError, WrongCredentialsError
from atraso.identity.directory_desk import DirectoryDesk
from atraso.identity.directory_link import DirectoryLink
from atraso.identity.directory_names import dn_key, filled_dn, filled_filter
from atraso.identity.directory_wire import MAX_ANSWERS, open_wire
from tests.identity.between import BIND_SUCCESS, PROTOCOL_ERROR, SUCCESS, UNWILLING, Between
from tests.identity.directory_server import (
    BASE,
    GROUPS,
    MAX_FAILURES,
    PEOPLE,
    PERSONS,
    SERVICE,
    DirectoryServer,
    free_port,
    make_authority,
    password_of,
)

ldap = pytest.importorskip("ldap", reason="python-ldap is not installed (the extra `ldap`)")

NASTY = st.text(st.sampled_from([*'*()\\/,+"<>;=#&|!~ alice', "é", "\u0430", "\x00", "ﬀ"]), max_size=12)


@pytest.fixture(params=["search", "direct", "ldaps", "groups searched"])
def door(request: pytest.FixtureRequest, server: DirectoryServer) -> Directory:
    """Each form of log-in in turn; every attack is tried at all of them."""
    configs = {
        "search": server.config(),
        "direct": server.direct(),
        "ldaps": server.config(urls=(server.tls_url,)),
        "groups searched": server.config(group_base=GROUPS, group_filter="(member={dn})", nested_depth=2),
    }
    return Directory(configs[request.param])


def refused(door: Directory, user: Any, password: Any) -> WrongCredentialsError:
    """Check that nobody gets in, and with the one sentence; then that alice still does."""
    with pytest.raises(WrongCredentialsError, match=r"^The name or the password is wrong\.$") as told:
        door.log_in(user, password)
    assert door.log_in("alice", "alicepw").name == "alice"
    return told.value


@pytest.mark.parametrize("user", ["alice", "nobody"])
@pytest.mark.parametrize("password", ["", "\0", "\0x", "\0" * 9, None, [], {}, 0, b"", b"alicepw"])
def test_an_empty_password_lets_nobody_in(door: Directory, user: str, password: Any) -> None:
    """The server calls an empty password a success (it is set up so); we never ask it."""
    assert refused(door, user, password).reason == "malformed"


def test_the_server_would_take_an_empty_password(server: DirectoryServer) -> None:
    """The trap is armed: without our own checks anybody would be in, and the test above could not fail."""
    for dn in (f"uid=alice,{PEOPLE}", f"uid=nobody,{PEOPLE}"):
        with server.bound(dn, "") as connection:
            assert not connection.whoami_s()


def test_each_check_of_an_empty_password_is_enough(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first is taken away the connection refuses, and where that is too, the server's own word does."""
    monkeypatch.setattr(module, "_is_password", lambda password: True)
    assert refused(directory, "alice", "").reason == "refused"
    monkeypatch.setattr(DirectoryLink, "bind", lambda link, dn, password: link._connection.simple_bind_s(dn, password))
    assert refused(directory, "alice", "").reason == "refused"
    monkeypatch.setattr(DirectoryLink, "whoami", lambda link: None)
    assert directory.log_in("alice", "").name == "alice"  # with no check left: what the others were for


@pytest.mark.parametrize("user", ["", " ", "   ", None, [], ["alice"], {"uid": "alice"}, 0, b"alice"])
def test_an_empty_user_gets_nowhere(door: Directory, user: Any) -> None:
    """Nor does what is no text: escaping would pass it by."""
    assert refused(door, user, "alicepw").reason == "malformed"


@pytest.mark.parametrize("user", ["*", "ali*", "a*e", "\\2a", "**"])
def test_a_star_stands_for_nobody(door: Directory, user: str) -> None:
    """It is a letter, not any name; the person who has one in the name gets in."""
    refused(door, user, "alicepw")
    assert door.log_in("o'hara, (ana) *", password_of("o'hara, (ana) *")).name == "o'hara, (ana) *"


@pytest.mark.parametrize("user", [
    ")(uid=*", "*)(uid=*", "alice)(uid=*", "alice)(&", "alice)(|(uid=*", "x)(|(uid=alice", "alice))(|(cn=*",
    "*)(objectClass=*", "alice\\29", "alice\\00", "(uid=alice)", "alice)(!(uid=x",
])  # fmt: skip
def test_a_filter_within_a_name_is_a_name(door: Directory, user: str) -> None:
    """Nothing that closes a parenthesis opens the door (RFC 4515)."""
    refused(door, user, "alicepw")


@pytest.mark.parametrize("user", [*(f"alice{chr(code)}" for code in (0, 1, 9, 10, 13, 27, 127, 0x85)), "\0alice",
                                  "ali\0ce", "alice\u200b", "alice\u202e", "alice\ud800", "\ufeffalice"])  # fmt: skip
def test_control_characters_in_a_name_are_refused(door: Directory, user: str) -> None:
    """NUL, line ends, what cannot be seen and halves of characters: before the network, and never into a log line."""
    assert refused(door, user, "alicepw").reason == "malformed"


@pytest.mark.parametrize("password", ["alicepw\0", "alicepw\n", "\ralicepw", "alicepw\x7f", "alicepw\ud800"])
def test_control_characters_in_a_password_are_refused(door: Directory, password: str) -> None:
    """A password that a server might cut at a NUL is not sent."""
    assert refused(door, "alice", password).reason == "malformed"


@pytest.mark.parametrize("user", [f"uid=alice,{PEOPLE}", "uid=alice", f"alice,{PEOPLE}", f"alice,{PEOPLE}#",
                                  "alice+cn=x", "alice,ou=people", SERVICE, f"cn=admin,{BASE}",
                                  "uid\\=alice"])  # fmt: skip
def test_a_dn_is_nobodys_name(door: Directory, user: str) -> None:
    """What is typed never becomes a part of a DN's structure (RFC 4514)."""
    for password in ("alicepw", "svcpw", "adminpw"):
        refused(door, user, password)


def test_a_group_that_looks_like_another_gives_nothing(door: Directory) -> None:
    """eve's groups have the administrators' name in another place, with escaped commas, or nearly."""
    assert door.log_in("eve", "evepw").roles == frozenset()
    assert "admin" in door.log_in("alice", "alicepw").roles


@pytest.mark.parametrize("other", [f"cn=admins,{PEOPLE}", f"cn=admins\\,ou\\=groups,{BASE}", f"cn=ad mins,{GROUPS}",
                                   f"cn=admins+cn=x,{GROUPS}", f"cn=\u0430dmins,{GROUPS}", f"cn=admin\u017f,{GROUPS}",
                                   f"cn=admins,{GROUPS},dc=org", "cn=admins", "", "admins",
                                   f"ou=admins,{GROUPS}"])  # fmt: skip
def test_dns_are_compared_part_by_part(other: str) -> None:
    """Case and spaces between parts do not tell two groups apart; everything else does."""
    wanted = dn_key(f"cn=admins,{GROUPS}")
    assert dn_key(other) != wanted
    for same in (f"CN=ADMINS , {GROUPS}", f"cn= admins  ,{GROUPS.upper()}", f"cn=admins\\20,{GROUPS}"):
        assert dn_key(same) == wanted


@pytest.mark.parametrize("size", [257, 1025, 100_000])
def test_what_is_too_long_is_refused_before_the_network(door: Directory, size: int) -> None:
    """A name of 100 kB costs nothing, a password neither."""
    begun = time.perf_counter()
    assert refused(door, "a" * size, "alicepw").reason == "malformed"
    if size > 1024:
        assert refused(door, "alice", "a" * size).reason == "malformed"
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("password", ["wrong", "alicepw ", " alicepw", "ALICEPW", "alicepw" * 9, "bobpw", "{SSHA}x"])
def test_a_wrong_password_is_refused(door: Directory, server: DirectoryServer, password: str) -> None:
    """Spaces and letter case count in a password."""
    assert refused(door, "alice", password).reason == "refused"
    assert server.failures_of("alice") == 0  # alice's own success forgets it


def test_a_removed_person_is_out_at_once(door: Directory, server: DirectoryServer) -> None:
    """Nothing of the last log-in is kept."""
    dn = server.add_person("rita")
    assert door.log_in("rita", "ritapw").name == "rita"
    with server.bound() as connection:
        connection.delete_s(dn)
    refused(door, "rita", "ritapw")


def test_a_locked_out_person_is_refused_the_right_password(door: Directory, server: DirectoryServer) -> None:
    """The directory's lock holds, and the answer does not say so."""
    dn = server.add_person("lola")
    assert door.log_in("lola", "lolapw").name == "lola"
    for _ in range(MAX_FAILURES):
        refused(door, "lola", "wrong")
    refused(door, "lola", "lolapw")
    server.change(dn, pwdAccountLockedTime=None)
    assert door.log_in("lola", "lolapw").name == "lola"
    with server.bound() as connection:
        connection.delete_s(dn)


def test_a_person_who_must_change_the_password_is_refused(door: Directory, server: DirectoryServer) -> None:
    """A bind that only serves to set a new password is no log-in."""
    dn = server.add_person("nora")
    assert door.log_in("nora", "norapw").name == "nora"
    server.change(dn, pwdReset="TRUE")
    refused(door, "nora", "norapw")
    with server.bound() as connection:
        connection.delete_s(dn)


def test_two_people_of_one_name_are_both_refused(directory: Directory) -> None:
    """The first found is not good enough."""
    assert refused(directory, "twin", "twinpw").reason == "unknown"


@pytest.mark.parametrize("form", ["search", "direct"])
def test_a_referral_to_another_server_is_not_followed(server: DirectoryServer, form: str) -> None:
    """The other server is never visited, least with a password."""
    server.elsewhere.setblocking(False)
    below = f"ou=elsewhere,{BASE}"
    config = server.config() if form == "search" else server.direct(user_dn=f"uid={{user}},{below}")
    with pytest.raises(WrongCredentialsError):
        Directory(config).log_in("mallory", "mallorypw")
    with pytest.raises(DirectoryDownError):
        Directory(server.config(base_dn=below)).log_in("alice", "alicepw")
    with pytest.raises(BlockingIOError):
        server.elsewhere.accept()
    assert Directory(server.config()).log_in("alice", "alicepw").name == "alice"


def test_the_referral_would_be_followed(server: DirectoryServer) -> None:
    """A client with libldap's own settings does go there, so the test above can fail."""
    careless = ldap.initialize(server.url)
    careless.set_option(ldap.OPT_NETWORK_TIMEOUT, 0.2)
    careless.set_option(ldap.OPT_TIMEOUT, 0.2)
    careless.simple_bind_s(SERVICE, "svcpw")
    server.elsewhere.settimeout(10)
    visits: list[bytes] = []

    def visited() -> None:
        with server.elsewhere.accept()[0] as visitor:
            visits.append(visitor.recv(1000))

    thread = threading.Thread(target=visited)
    thread.start()
    with contextlib.suppress(ldap.LDAPError):
        careless.search_s(f"ou=elsewhere,{BASE}", ldap.SCOPE_SUBTREE, "(uid=alice)")
    thread.join()
    careless.unbind_s()
    assert visits


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_a_certificate_of_another_name_is_refused(server: DirectoryServer, scheme: str) -> None:
    """The same server under an address that its certificate does not hold; the authority is the right one."""
    port = server.port if scheme == "ldap" else server.tls_port
    right, wrong = (Directory(server.config(urls=(f"{scheme}://127.0.0.{n}:{port}",))) for n in (1, 2))
    assert right.log_in("alice", "alicepw").name == "alice"
    with pytest.raises(DirectoryDownError, match="no trusted encryption") as told:
        wrong.log_in("alice", "alicepw")
    assert "not valid for '127.0.0.2'" in told.value.detail


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
@pytest.mark.parametrize("authority", ["another", "the machine's"])
def test_an_unknown_authority_is_refused(server: DirectoryServer, tmp_path: Path, scheme: str, authority: str) -> None:
    """The certificate must be signed by whom we trust; no credentials cross before that is known."""
    other = make_authority(tmp_path, "other") if authority == "another" else None
    with Between(server.port if scheme == "ldap" else server.tls_port) as between:
        urls = (between.url if scheme == "ldap" else between.tls_url,)
        assert Directory(server.config(urls=urls)).log_in("alice", "alicepw").name == "alice"
        with pytest.raises(DirectoryDownError, match="no trusted encryption"):
            Directory(server.config(urls=urls, ca_file=other)).log_in("alice", "alicepw")
    assert b"svcpw" not in between.heard
    assert b"alicepw" not in between.heard


@pytest.mark.parametrize(
    "loose", [{"LDAPTLS_REQCERT": "never"}, {"LDAPTLS_REQCERT": "allow", "LDAPTLS_CACERT": "{ca}"}]
)
def test_the_machines_settings_loosen_nothing(server: DirectoryServer, tmp_path: Path, loose: dict[str, str]) -> None:
    """What ldap.conf and its variables say of certificates is not heeded."""
    code = f"""if True:
        from pathlib import Path
        from atraso.identity.directory import Directory, DirectoryConfig, DirectoryDownError
        for ca_file in ({str(server.ca_file)!r}, {str(make_authority(tmp_path, "other"))!r}):
            config = DirectoryConfig(({server.url!r},), {{}}, user_dn="uid={{user}},{PEOPLE}", ca_file=Path(ca_file))
            try:
                print(Directory(config).log_in("alice", "alicepw").name)
            except DirectoryDownError as error:
                print(error.reason)"""
    environment = os.environ | {key: value.format(ca=server.ca_file) for key, value in loose.items()}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["alice", "no trusted encryption"]


@pytest.mark.parametrize("form", ["config", "direct"])
@pytest.mark.parametrize(("answer", "ahead"), [(PROTOCOL_ERROR, b""), (UNWILLING, b""), (SUCCESS, b""),
                                               (SUCCESS, BIND_SUCCESS), (PROTOCOL_ERROR, BIND_SUCCESS)])  # fmt: skip
def test_starttls_stripped_by_the_network_ends_the_log_in(
    server: DirectoryServer, form: str, answer: int, ahead: bytes
) -> None:
    """Whether it is refused, granted and not done, or followed by answers in plain: nobody's password is heard."""
    with Between(server.port, start_tls=answer, ahead=ahead) as between:
        config = getattr(server, form)(urls=(between.url,), connect_timeout_s=0.5)
        with pytest.raises(DirectoryDownError):
            Directory(config).log_in("alice", "alicepw")
    for secret in (b"svcpw", b"alicepw", b"uid=alice"):
        assert secret not in between.heard
    with Between(server.port) as honest:
        assert Directory(getattr(server, form)(urls=(honest.url,))).log_in("alice", "alicepw").name == "alice"


def test_a_server_without_encryption_is_refused(server: DirectoryServer) -> None:
    """ldaps to a port that speaks plain, and anything that is no directory at all, is down and not in."""
    for url in (
        f"ldaps://127.0.0.1:{server.port}",
        f"ldap://127.0.0.1:{server.tls_port}",
        f"ldap://127.0.0.1:{free_port()}",
    ):
        with pytest.raises(DirectoryDownError):
            Directory(server.config(urls=(url,), connect_timeout_s=0.5)).log_in("alice", "alicepw")


@pytest.fixture
def babbler() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b"\x30\x84\xff\xff\xff\xff",
                                  b"\x30\x03\x02\x01\x01", b"\x30\x80\x00\x00", b"\xff" * 5000])  # fmt: skip
def test_garbage_instead_of_an_answer_is_down(server: DirectoryServer, babbler: socket.socket, said: bytes) -> None:
    """Whatever is said in place of an answer, nobody gets in and the limit holds."""

    def babble() -> None:
        with babbler.accept()[0] as client:
            client.recv(1000)
            client.sendall(said)
            time.sleep(0.05)

    thread = threading.Thread(target=babble)
    thread.start()
    begun = time.monotonic()
    with pytest.raises(DirectoryDownError):
        url = f"ldap://127.0.0.1:{babbler.getsockname()[1]}"
        Directory(server.config(urls=(url,), connect_timeout_s=0.5)).log_in("alice", "alicepw")
    assert time.monotonic() - begun < 2
    thread.join()


def test_an_unknown_name_looks_like_a_wrong_password_on_the_wire(server: DirectoryServer) -> None:
    """Both cost the same messages: bind, search, bind, end; two people of one name too."""
    said = []
    for user in ("alice", "nobody", "twin"):
        with Between(server.port) as between:
            with pytest.raises(WrongCredentialsError):
                Directory(server.config(urls=(between.url,), plain_allowed=True)).log_in(user, "wrong")
            end = time.monotonic() + 5
            while between.kinds()[-1:] != [0x42] and time.monotonic() < end:
                time.sleep(0.01)
        said.append(between.kinds())
    assert said == [[0x60, 0x63, 0x60, 0x42]] * 3
    assert Directory(server.config()).log_in("alice", "alicepw").name == "alice"


def test_no_failure_is_answered_before_the_floor(server: DirectoryServer) -> None:
    """Known, unknown and malformed names take the same time at the desk; a success does not wait."""
    desk = DirectoryDesk(Directory(server.config(failure_floor_s=0.06)))

    async def timed(user: str, password: str) -> float:
        begun = time.perf_counter()
        with contextlib.suppress(WrongCredentialsError):
            await desk.log_in(user, password)
        return time.perf_counter() - begun

    async def medians() -> list[float]:
        return [
            statistics.median([await timed(user, password) for _ in range(9)])
            for user, password in (
                ("alice", "alicepw"),
                ("alice", ""),
                ("nobody", "wrong"),
                ("bob", ""),
                ("lena", "wrong"),
            )
        ]

    success, *failures = asyncio.run(medians())
    desk.close()
    assert success < 0.06 <= min(failures)
    assert max(failures) - min(failures) < 0.02


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(NASTY)
def test_a_filled_filter_finds_the_one_name_or_nobody(server: DirectoryServer, name: str) -> None:
    """Whatever is put in, the server finds only who is called so by its own rules: case and spaces aside."""
    with server.bound(SERVICE, "svcpw") as connection:
        found = connection.search_s(PEOPLE, ldap.SCOPE_SUBTREE, filled_filter("(uid={user})", "{user}", name), ["uid"])
    names = [entry["uid"][0].decode() for _, entry in found]
    plain = " ".join(name.split()).lower()
    assert names in ([], [plain])
    assert (plain in PERSONS) <= (names == [plain])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40).filter(module._is_name))
def test_a_filled_dn_has_the_name_as_one_value(name: str) -> None:
    """Whatever is let through stays one value of one part, to the letter."""
    parts = ldap.dn.str2dn(filled_dn("uid={user},ou=people,dc=x", name))
    assert [[pair[:2] for pair in part] for part in parts] == [[("uid", name)], [("ou", "people")], [("dc", "x")]]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(NASTY)
def test_a_made_up_name_never_gets_in_with_anothers_password(server: DirectoryServer, name: str) -> None:
    """Who gets in with alice's password is alice, in both forms."""
    for config in (server.config(), server.direct()):
        try:
            found = Directory(config).log_in(name, "alicepw").name
        except WrongCredentialsError:
            continue
        assert found == "alice" == " ".join(name.split()).lower()


def test_what_is_raised_holds_no_password(server: DirectoryServer) -> None:
    """Neither the sentence nor the detail, nor what was raised before it."""
    doors = (
        server.config(),
        server.config(bind_password="svcsecret"),
        server.config(urls=(f"ldap://127.0.0.1:{free_port()}",)),
    )
    for config in doors:
        try:
            Directory(config).log_in("alice", "canary-password")
        except (WrongCredentialsError, DirectoryDownError) as error:
            raised: BaseException | None = error
            while raised:
                for secret in ("canary-password", "svcsecret", "svcpw"):
                    assert secret not in repr(raised) + repr(vars(raised))
                raised = raised.__context__
    assert Directory(server.config()).log_in("alice", "alicepw").name == "alice"


def test_an_endless_answer_is_cut_off(babbler: socket.socket) -> None:
    """A server that says more than any log-in needs is left, before it fills the memory."""

    def babble() -> None:
        with babbler.accept()[0] as client, contextlib.suppress(OSError):
            while True:
                client.sendall(b"x" * 65536)

    thread = threading.Thread(target=babble)
    thread.start()
    url, heard = f"ldap://127.0.0.1:{babbler.getsockname()[1]}", 0
    with open_wire(url, None, 5, time.monotonic() + 10) as wire:
        wire.settimeout(10)
        while piece := wire.recv(65536):
            heard += len(piece)
    thread.join(10)
    assert not thread.is_alive()
    assert MAX_ANSWERS < heard <= MAX_ANSWERS + 65536


def test_a_file_without_certificates_is_refused(server: DirectoryServer, tmp_path: Path) -> None:
    """At the start, and not by trusting nobody or everybody later."""
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="ca_file"):
        Directory(server.config(ca_file=tmp_path / "ca.pem"))
    assert Directory(server.config()).log_in("alice", "alicepw").name == "alice"
