"""Logging in: who failed too often is held back, once an attempt, however the name is spelt and the directory fares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from atraso.identity.directory import DirectoryDownError, WrongCredentialsError
from atraso.identity.directory_desk import DirectoryBusyError
from atraso.identity.limits import FAILURES_AT_ONCE, FailedLogins
from atraso.identity.principal import Principal
from atraso.serving.guard import Refused
from atraso.serving.login import Login
from atraso.serving.problems import TooManyRequestsError, UnavailableError
from atraso.telemetry.audit import no_audit

START = 1_700_000_000.0
ANA = Principal("ana", frozenset({"predict"}))
ALIASES = ("ana", "aperez", "ana@airport.example")


class People:
    """A directory with one person of several names; *down* is raised instead of an answer. Bound passwords are kept."""

    def __init__(self) -> None:
        self.down: Exception | None = None
        self.bound: list[str] = []

    async def log_in(self, user: str, password: str, may_try: Callable[[str], bool]) -> Principal:
        if user.strip().lower() not in ALIASES:
            raise WrongCredentialsError("unknown")
        for _ in range(2):  # a second server asks again
            if not may_try("ana"):
                raise WrongCredentialsError("held back", "ana")
        if self.down is not None:
            raise self.down
        self.bound.append(password)
        if password != "right":
            raise WrongCredentialsError("refused", "ana")
        return ANA


class Desk:
    """A log-in with its own clock."""

    def __init__(self) -> None:
        self.people, self.now = People(), START
        self._login = Login(self.people, FailedLogins(), no_audit, lambda: self.now)

    def outcome(self, name: str, password: str = "wrong", address: str = "192.0.2.1") -> str:
        try:
            found = asyncio.run(self._login(name, password, address))
        except TooManyRequestsError:
            return "held back"
        except UnavailableError:
            return "down"
        return "refused" if isinstance(found, Refused) else found.name


def test_the_right_password_comes_in_after_two_wrong_ones() -> None:
    """By any spelling and any name that the directory has for the person."""
    for name in ("ana", "ANA", " Ana", *ALIASES):
        desk = Desk()
        assert [desk.outcome(name), desk.outcome(name), desk.outcome(name, "right")] == ["refused", "refused", "ana"]


def test_a_success_forgets_the_failures() -> None:
    """Also those under another name of the same person."""
    desk = Desk()
    for _ in range(5):
        assert [desk.outcome("aperez"), desk.outcome("ana"), desk.outcome("aperez", "right")][-1] == "ana"


def test_the_directory_sees_few_wrong_passwords_whatever_the_name() -> None:
    """All names of a person together; who was held back is known no better by it."""
    desk = Desk()
    told = [desk.outcome(ALIASES[n % 3], address=f"192.0.2.{n}") for n in range(30)]
    assert len(desk.people.bound) == FAILURES_AT_ONCE
    assert set(told) == {"refused", "held back"}
    assert desk.outcome("ana", "right") == "held back"
    desk.now += 61
    assert desk.outcome("ana", "right") == "ana"


@pytest.mark.parametrize("fault", [DirectoryDownError("time-out"), DirectoryBusyError()])
def test_a_directory_that_does_not_answer_changes_no_count(fault: Exception) -> None:
    """Nobody is held back by its fault, and no failures are forgotten by it."""
    desk = Desk()
    desk.people.down = fault
    assert [desk.outcome("aperez", "right") for _ in range(20)] == ["down"] * 20
    desk.people.down = None
    assert [desk.outcome("ana") for _ in range(2)] == ["refused"] * 2
    desk.people.down = fault
    assert [desk.outcome("ana") for _ in range(20)] == ["down"] * 20
    desk.people.down = None
    assert [desk.outcome("ana"), desk.outcome("ana", "right")] == ["refused", "held back"]


def test_one_right_password_opens_no_more_tries_from_an_address() -> None:
    """Whoever has an account and tries others' names in between is held back like anybody."""
    desk = Desk()
    failed = 0
    for n in range(200):
        failed += desk.outcome(f"somebody {n}") == "refused"
        desk.outcome("aperez", "right")
    assert failed <= 30


def test_many_right_passwords_from_one_address_are_all_let_in() -> None:
    """A gateway's address is not held back for those who come in."""
    desk = Desk()
    assert {desk.outcome(name, "right") for _ in range(40) for name in ("ana", "aperez", "Ana")} == {"ana"}
