"""Log-in against a directory (LDAP): from a name and a password to a principal with roles."""

from __future__ import annotations

import functools
import re
import secrets
import ssl
import time
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from atraso.core.errors import AtrasoError
from atraso.identity.directory_config import DirectoryConfig
from atraso.identity.directory_link import DirectoryLink, Entry
from atraso.identity.directory_names import DN, USER, DnKey, dn_key, filled_dn, filled_filter, python_ldap
from atraso.identity.directory_wire import tls_of
from atraso.identity.principal import Principal

MAX_USER, MAX_PASSWORD = 256, 1024
MAX_GROUPS = 1000  # a walk through groups ends here, whatever the directory holds
AVOIDED_S = 10.0  # a server that failed is asked last for so long


class WrongCredentialsError(AtrasoError):
    """Nobody was let in; the sentence is the same whatever the *reason*, which is for the log alone.

    *name* is the person's, as `Directory.log_in` asks *may_try* for it; None where nobody was found.
    """

    def __init__(self, reason: str, name: str | None = None) -> None:
        super().__init__("The name or the password is wrong.")
        self.reason = reason
        self.name = name

    def __reduce__(self) -> tuple[type[WrongCredentialsError], tuple[str, str | None]]:
        """Travel between processes whole."""
        return type(self), (self.reason, self.name)


class DirectoryDownError(AtrasoError):
    """The directory could not be asked: *reason* in a word or two, *detail* per server for the log."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"The directory cannot be asked now ({reason}). Try again in a few seconds.")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[DirectoryDownError], tuple[str, str]]:
        """Travel between processes whole."""
        return type(self), (self.reason, self.detail)


class Directory:
    """A directory that people log in against. It holds no connection between two log-ins; threads may share it.

    *note* is told of each step at a server: its place in the configuration, the step, its result and the seconds.
    """

    def __init__(
        self,
        config: DirectoryConfig,
        note: Callable[[int, str, str, float], None] = lambda server, op, result, seconds: None,
    ) -> None:
        config.check()
        self._note = note
        self.config = config
        self._ldap = python_ldap()
        self._tls = tls_of(config.ca_file)
        self._roles: dict[DnKey, frozenset[str]] = {}
        for dn, roles in config.roles.items():
            self._roles[dn_key(dn)] = self._roles.get(dn_key(dn), frozenset()) | frozenset(roles)
        self._avoided_until: dict[str, float] = {}

    def log_in(self, user: str, password: str, may_try: Callable[[str], bool] = lambda name: True) -> Principal:
        """Return who *user* is by the directory's own spelling, with the roles of their groups (perhaps none); blocks.

        *may_try* is asked with the person's name before the password is tried; where it says no, nobody is let in and
        the directory counts no failure; where a second server is asked, so is it. All spellings of a person give one
        name there: with a search the directory's, with a direct bind what was typed, folded.
        Raises WrongCredentialsError, and DirectoryDownError where no server could be asked in time.
        """
        if not _is_name(user) or not _is_password(password):
            raise WrongCredentialsError("malformed")
        deadline = time.monotonic() + self.config.log_in_timeout_s
        failures: list[tuple[str, Any]] = []
        for url in self._in_order():
            try:
                tls = None if self.config.plain_allowed and url.startswith("ldap:") else self._tls
                note = functools.partial(self._note, self.config.urls.index(url))
                with DirectoryLink(url, self.config, tls, deadline, note) as link:
                    principal = self._log_in_at(link, user, password, may_try)
            # Not on to the next server: it would count the same failure once more.
            except WrongCredentialsError:
                self._avoided_until.pop(url, None)
                raise
            except (self._ldap.LDAPError, OSError, UnicodeDecodeError) as error:
                # Whoever came later and had no time left is not to blame for that.
                if not failures or time.monotonic() < deadline:
                    self._avoided_until[url] = time.monotonic() + AVOIDED_S
                failures.append((url, error))
                if time.monotonic() >= deadline:
                    break
            else:
                self._avoided_until.pop(url, None)
                return principal
        detail = "; ".join(f"{url}: {self._told(error)}" for url, error in failures)
        raise DirectoryDownError(self._reason(failures[0][1]), detail) from None

    def _log_in_at(self, link: DirectoryLink, user: str, password: str, may_try: Callable[[str], bool]) -> Principal:
        if self.config.user_dn:
            return self._directly(link, user, password, may_try)
        return self._by_search(link, user, password, may_try)

    def _by_search(self, link: DirectoryLink, user: str, password: str, may_try: Callable[[str], bool]) -> Principal:
        config = self.config
        link.bind(config.bind_dn, config.bind_password)
        try:
            wanted = filled_filter(config.user_filter, USER, user)
            found = link.search(config.base_dn, self._ldap.SCOPE_SUBTREE, wanted, self._attributes(), at_most=2)
        except self._ldap.SIZELIMIT_EXCEEDED:
            found = []
        name = self._name(found[0]) if len(found) == 1 else None
        if name is None or not may_try(name):
            # A bind that must fail, so that somebody unknown costs the round trips of somebody known. The DN has 128
            # random bits and cannot exist: a real one would have its failures counted and be locked out by strangers.
            # What a directory spends on a real password (its hash, a counter written) is not in it; that is why the
            # desk answers no failure before a floor of time.
            refusal = WrongCredentialsError("unknown" if name is None else "held back", name)
            self._prove(link, f"cn={secrets.token_hex(16)},{config.base_dn}", secrets.token_hex(16), refusal)
            raise refusal
        dn = found[0][0]
        self._prove(link, dn, password, WrongCredentialsError("refused", name))
        if config.group_base:
            link.bind(config.bind_dn, config.bind_password)  # people need not be allowed to search groups
        return Principal(name, self._roles_of(link, found[0]))

    def _directly(self, link: DirectoryLink, user: str, password: str, may_try: Callable[[str], bool]) -> Principal:
        folded = " ".join(unicodedata.normalize("NFKC", user).casefold().split())
        if not may_try(folded):
            raise WrongCredentialsError("held back", folded)
        refusal = WrongCredentialsError("refused", folded)
        dn = self._prove(link, filled_dn(self.config.user_dn, user), password, refusal)
        found = link.search(dn, self._ldap.SCOPE_BASE, "(objectClass=*)", self._attributes(), at_most=2)
        name = self._name(found[0]) if len(found) == 1 else None
        if name is None:
            raise WrongCredentialsError("unknown", folded)
        return Principal(name, self._roles_of(link, found[0]))

    def _prove(self, link: DirectoryLink, dn: str, password: str, refusal: WrongCredentialsError) -> str:
        """Bind as *dn* and return it in the server's spelling; raises *refusal* unless the server says it is them."""
        ldap = self._ldap
        try:
            link.bind(dn, password)
            taken_for = link.whoami()
        except (
            ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH, ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX,
            ldap.UNWILLING_TO_PERFORM, ldap.CONSTRAINT_VIOLATION, ldap.INSUFFICIENT_ACCESS, ldap.REFERRAL,
            ldap.UNDEFINED_TYPE, ldap.NAMING_VIOLATION,
        ):  # fmt: skip
            raise refusal from None
        # A success that leaves the connection nobody's is the unauthenticated bind of RFC 4513, section 5.1.2. A server
        # that does not know the question is believed: no empty password was sent.
        if taken_for is None:
            return dn
        if not taken_for or (taken_for.startswith("dn:") and dn_key(taken_for[3:]) != dn_key(dn)):
            raise refusal
        return taken_for[3:] if taken_for.startswith("dn:") else dn  # Active Directory says u:DOMAIN\name

    def _attributes(self) -> list[str]:
        return [self.config.name_attribute, self.config.group_attribute]

    def _name(self, person: Entry) -> str | None:
        """Return the one name the directory has for *person*, None where there is none or several."""
        values = person[1].get(self.config.name_attribute.lower(), [])
        name = values[0].decode("utf-8", "replace") if len(values) == 1 else ""
        return name if _is_name(name) and "\ufffd" not in name else None

    def _roles_of(self, link: DirectoryLink, person: Entry) -> frozenset[str]:
        if self.config.group_base:
            groups = self._searched_groups(link, person[0])
        else:
            held = person[1].get(self.config.group_attribute.lower(), [])
            groups = (value.decode("utf-8", "replace") for value in held)
        return frozenset().union(*(self._roles.get(dn_key(group), frozenset()) for group in groups))

    def _searched_groups(self, link: DirectoryLink, dn: str) -> Iterable[str]:
        """Return the groups that hold *dn*, those that hold these, and so on; a circle of groups ends."""
        config = self.config
        groups: dict[DnKey, str] = {}
        members = [dn]
        for _ in range(1 + config.nested_depth):
            wanted = "".join(filled_filter(config.group_filter, DN, member) for member in members)
            found = link.search(config.group_base, self._ldap.SCOPE_SUBTREE, f"(|{wanted})", ["1.1"])
            new = {dn_key(group): group for group, _ in found if dn_key(group) not in groups}
            groups |= new
            members = list(new.values())
            if not members or len(groups) > MAX_GROUPS:
                break
        return groups.values()

    def _in_order(self) -> list[str]:
        """Return the servers as configured, those that failed lately last."""
        now = time.monotonic()
        return sorted(self.config.urls, key=lambda url: self._avoided_until.get(url, 0.0) > now)

    def _reason(self, error: Exception) -> str:
        ldap = self._ldap
        for reason, kinds in (
            ("time-out", (TimeoutError, ldap.TIMEOUT, ldap.TIMELIMIT_EXCEEDED)),
            ("no trusted encryption", (ssl.SSLError, ldap.CONFIDENTIALITY_REQUIRED, ldap.STRONG_AUTH_REQUIRED)),
            ("not reachable", (OSError, ldap.SERVER_DOWN)),
            ("service account refused", (ldap.INVALID_CREDENTIALS,)),
        ):
            if isinstance(error, kinds):
                return reason
        return "server error"

    def _told(self, error: Exception) -> str:
        """Return the library's words for *error*; they hold neither names nor passwords."""
        told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        words = ", ".join(str(told[key]) for key in ("desc", "info") if told.get(key))
        return (words or (str(error) if isinstance(error, OSError) else "") or type(error).__name__)[:200]


def _is_name(user: object) -> bool:
    """Return whether *user* is text that a person may be called: nothing invisible, not spaces alone, not endless."""
    return isinstance(user, str) and bool(user.strip()) and len(user) <= MAX_USER and user.isprintable()


def _is_password(password: object) -> bool:
    """Return whether *password* may be sent: not empty, no control characters, nothing that UTF-8 cannot hold."""
    return (
        isinstance(password, str)
        and 0 < len(password) <= MAX_PASSWORD
        and not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", password)
    )
