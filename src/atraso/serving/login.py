"""Logging in with name and password: held back after failures, asked of the directory, told to the audit log."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from atraso.identity.directory import DirectoryDownError, WrongCredentialsError
from atraso.identity.directory_desk import DirectoryBusyError
from atraso.identity.limits import FailedLogins
from atraso.identity.principal import Principal, folded
from atraso.serving.accounts import LoggedIn, name_and_password
from atraso.serving.guard import Admitted, Refused
from atraso.serving.problems import TooManyRequestsError, UnavailableError
from atraso.telemetry.audit import Audit

RETRY_AFTER_S = 5.0
MAX_REMEMBERED = 1024


class People(Protocol):
    """Where names and passwords are proved."""

    async def log_in(self, user: str, password: str, may_try: Callable[[str], bool]) -> Principal:
        """Return who that is, if *may_try* says yes to the name that the directory has for them."""


class Login:
    """Proves names and passwords with *people*; raises TooManyRequestsError and UnavailableError."""

    def __init__(
        self, people: People, failures: FailedLogins, audit: Audit, now: Callable[[], float] = time.time
    ) -> None:
        self._people, self._failures, self._audit, self._now = people, failures, audit, now

    async def __call__(self, name: str, password: str, address: str) -> Principal | Refused:
        """Return who *name* is, or that nobody is; why is in the audit log alone."""
        now = self._now()
        wait_s = self._failures.wait_s(name, address, now)
        if wait_s:
            self._audit("login", who=name, allowed=False, why="held back after failures", address=address)
            raise TooManyRequestsError("too many failed log-ins; Retry-After says when to come back", wait_s)
        self._failures.tried(name, address, now)
        tried = {folded(name): True}

        def may_try(known: str) -> bool:
            # The directory takes several spellings for one person: their failures count together, once an attempt.
            if folded(known) not in tried:
                tried[folded(known)] = not self._failures.wait_s(known, address, now)
                if tried[folded(known)]:
                    self._failures.tried(known, address, now)
            return tried[folded(known)]

        try:
            person = await self._people.log_in(name, password, may_try)
        except WrongCredentialsError as error:
            self._audit("login", who=error.name or name, allowed=False, why=error.reason, address=address)
            return Refused(error.reason, error.name or name)
        except (DirectoryDownError, DirectoryBusyError) as error:
            why = error.reason if isinstance(error, DirectoryDownError) else "busy"
            for counted in filter(tried.get, tried):
                self._failures.undone(counted, address)  # nothing was found out about a password
            self._audit("login", who=name, allowed=False, why=f"directory: {why}", address=address)
            detail = f"the directory does not answer ({why}); tokens that there are still count"
            raise UnavailableError(detail, RETRY_AFTER_S) from None
        for counted in filter(tried.get, tried):
            self._failures.succeeded(counted, address)
        self._audit("login", who=person.name, allowed=True, roles=sorted(person.roles), address=address)
        return person


class TokenLogin:
    """Gives a token for a log-in."""

    def __init__(self, login: Login, issue: Callable[[Principal], tuple[str, int]]) -> None:
        self._login, self._issue = login, issue

    async def __call__(self, name: str, password: str, address: str) -> LoggedIn | Refused:
        """Return who *name* is with their token, or that nobody is; raises as `Login` does."""
        found = await self._login(name, password, address)
        return found if isinstance(found, Refused) else LoggedIn(found, *self._issue(found))


class BasicLogin:
    """Takes name and password with each request, and believes those that were proved for *cache_s* seconds."""

    def __init__(
        self,
        login: Callable[[str, str, str], Awaitable[Principal | Refused]],
        cache_s: float,
        rate_of: Callable[[str], int],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._login, self._cache_s, self._rate_of, self._now = login, cache_s, rate_of, now
        # Salted, so that what lies in memory tells nothing of passwords that are used elsewhere too.
        self._salt = os.urandom(16)
        self._proved: dict[bytes, Admitted] = {}
        self._asked: dict[bytes, asyncio.Future[Admitted | Refused]] = {}

    async def __call__(self, credentials: bytes, address: str) -> Admitted | Refused:
        """Return who shows *credentials*, the base64 of name and password; raises as `Login` does."""
        digest = hashlib.blake2b(credentials, salt=self._salt).digest()
        found = self._proved.get(digest)
        if found is not None:
            if self._now() < found.until:
                return found
            del self._proved[digest]
        named = name_and_password(b"Basic " + credentials)
        if named is None:
            return Refused("malformed")
        if not self._cache_s:
            return await self._ask(digest, *named, address)
        # A client with many connections finds its password forgotten on all of them at once: the directory is asked
        # once for them, or they would count as so many attempts and be held back.
        asked = self._asked.get(digest)
        if asked is None:
            asked = self._asked[digest] = asyncio.ensure_future(self._ask(digest, *named, address))
            asked.add_done_callback(lambda answer: self._answered(digest, answer))
        return await asyncio.shield(asked)

    def _answered(self, digest: bytes, answer: asyncio.Future[Admitted | Refused]) -> None:
        del self._asked[digest]
        if not answer.cancelled():
            answer.exception()  # whoever waited may be gone

    async def _ask(self, digest: bytes, name: str, password: str, address: str) -> Admitted | Refused:
        person = await self._login(name, password, address)
        if isinstance(person, Refused):
            return person
        until = self._now() + self._cache_s
        found = Admitted(person, until, self._rate_of(person.name))
        if self._cache_s:
            if len(self._proved) >= MAX_REMEMBERED:
                self._proved.clear()
            self._proved[digest] = found._replace(known=True)
        return found
