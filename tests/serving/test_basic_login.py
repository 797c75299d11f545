"""Name and password with each request, believed for a while."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import pytest

from atraso.identity.principal import PREDICT, Principal
from atraso.serving.guard import Admitted, Refused
from atraso.serving.login import BasicLogin
from atraso.serving.problems import UnavailableError

ALICE = Principal("alice", frozenset({PREDICT}))
RIGHT = base64.b64encode(b"alice:alicepw")
WRONG = base64.b64encode(b"alice:wrong")


class SlowDirectory:
    """Takes a moment for each log-in, and counts them."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    async def log_in(self, name: str, password: str, address: str) -> Principal | Refused:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.down:
            raise UnavailableError("the directory does not answer", 5.0)
        return ALICE if password == "alicepw" else Refused("refused", name)


@pytest.fixture
def directory() -> SlowDirectory:
    return SlowDirectory()


def at_once(login: BasicLogin, credentials: bytes, count: int = 32) -> list[Admitted | Refused | BaseException]:
    async def ask() -> list[Admitted | Refused | BaseException]:
        asked = (login(credentials, "127.0.0.1") for _ in range(count))
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(ask())


def login_of(directory: SlowDirectory, cache_s: float, now: Callable[[], float] = lambda: 0.0) -> BasicLogin:
    return BasicLogin(directory.log_in, cache_s, lambda name: -1, now)


def test_many_requests_at_once_ask_the_directory_once(directory: SlowDirectory) -> None:
    """32 connections with a password that is not known yet: one log-in, and all are let in."""
    found = at_once(login_of(directory, 30.0), RIGHT)
    assert all(isinstance(one, Admitted) and one.principal == ALICE for one in found)
    assert directory.asked == 1


def test_a_wrong_password_is_refused_to_all_and_asked_again_later(directory: SlowDirectory) -> None:
    """What failed is shared by those who asked at the same time only, and never remembered."""
    login = login_of(directory, 30.0)
    assert all(isinstance(one, Refused) for one in at_once(login, WRONG))
    assert at_once(login, WRONG, count=1) == [Refused("refused", "alice")]
    assert directory.asked == 2


def test_a_directory_that_is_down_is_told_to_all(directory: SlowDirectory) -> None:
    """Each of those who wait has the reason, and the next one asks anew."""
    directory.down = True
    login = login_of(directory, 30.0)
    assert all(isinstance(one, UnavailableError) for one in at_once(login, RIGHT))
    directory.down = False
    assert isinstance(at_once(login, RIGHT, count=1)[0], Admitted)


def test_one_that_leaves_takes_nobody_along(directory: SlowDirectory) -> None:
    """The others have their answer although the client that asked first is gone."""

    async def first_leaves(login: BasicLogin) -> Admitted | Refused:
        first = asyncio.ensure_future(login(RIGHT, "127.0.0.1"))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(login(RIGHT, "127.0.0.1"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert isinstance(asyncio.run(first_leaves(login_of(directory, 30.0))), Admitted)
    assert directory.asked == 1


def test_without_a_cache_every_request_asks(directory: SlowDirectory) -> None:
    """ATRASO_BASIC_CACHE_S=0 means that the directory is asked for each, at the same time too."""
    found = at_once(login_of(directory, 0.0), RIGHT, count=3)
    assert all(isinstance(one, Admitted) for one in found)
    assert directory.asked == 3


def test_a_password_is_asked_again_when_its_time_is_over(directory: SlowDirectory) -> None:
    """Believed for 30 s and not longer."""
    moment = [0.0]
    login = login_of(directory, 30.0, lambda: moment[0])
    for second, asked in ((0.0, 1), (29.9, 1), (30.0, 2)):
        moment[0] = second
        at_once(login, RIGHT, count=1)
        assert directory.asked == asked
