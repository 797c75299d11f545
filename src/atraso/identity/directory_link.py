"""One connection to a server of a directory: encrypted before a password is said on it, closed after one log-in."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from atraso.identity.directory_config import DirectoryConfig
from atraso.identity.directory_names import python_ldap
from atraso.identity.directory_wire import open_wire

Entry = tuple[str, dict[str, list[bytes]]]
# Told of each step: connect, bind, whoami or search; ok, refused or error; and the seconds it took.
Note = Callable[[str, str, float], None]


class DirectoryLink:
    """A connection to the server at *url* that ends at *deadline* (of `time.monotonic`).

    Entering raises OSError, every method ldap.LDAPError. One connection serves one log-in and is closed: nobody's bind
    is ever left on it for the next. *note* is told of each step.
    """

    def __init__(
        self, url: str, config: DirectoryConfig, tls: ssl.SSLContext | None, deadline: float, note: Note
    ) -> None:
        self._note = note
        self._url, self._config, self._tls, self._deadline = url, config, tls, deadline
        self._ldap = python_ldap()
        self._connection: Any = None

    def __enter__(self) -> Self:
        ldap, limit_s = self._ldap, self._config.connect_timeout_s
        with self._timed("connect"):
            wire = open_wire(self._url, self._tls, limit_s, self._deadline)
        with wire:
            # The address is one where nobody answers: libldap may not open a connection of its own, least in plain.
            self._connection = ldap.initialize("ldapi://%2Fdev%2Fnull", fileno=wire.fileno())
            wire.detach()
        for option, value in (
            (ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3),
            (ldap.OPT_REFERRALS, 0),
            (ldap.OPT_DEREF, ldap.DEREF_NEVER),
            (ldap.OPT_NETWORK_TIMEOUT, limit_s),
        ):
            self._connection.set_option(option, value)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(self._ldap.LDAPError):
            self._connection.unbind_s()

    def bind(self, dn: str, password: str) -> None:
        """Bind as *dn*, and refuse who may only bind to set a new password (the directory's password policy tells).

        An empty *password* is never sent: a directory may call that a success, as nobody.
        """
        if not dn or not password:
            raise self._ldap.INVALID_CREDENTIALS({"desc": "Empty name or password"})
        self._allow(self._config.operation_timeout_s)
        policy = self._ldap.controls.ppolicy.PasswordPolicyControl()
        with self._timed("bind"):
            *_, controls = self._connection.simple_bind_s(dn, password, serverctrls=[policy])
        if any(getattr(control, "error", None) is not None for control in controls):
            raise self._ldap.INVALID_CREDENTIALS({"desc": "The password must be changed first"})

    def whoami(self) -> str | None:
        """Return whom the server takes this connection for (RFC 4532), or None where it does not know the question."""
        self._allow(self._config.operation_timeout_s)
        try:
            with self._timed("whoami"):
                return str(self._connection.whoami_s() or "")
        except self._ldap.PROTOCOL_ERROR:
            return None

    def search(self, base: str, scope: int, condition: str, attributes: list[str], at_most: int = 0) -> list[Entry]:
        """Return the entries found, attribute names in lower case; references to other servers are left out."""
        self._allow(self._config.operation_timeout_s)
        with self._timed("search"):
            found = self._connection.search_ext_s(base, scope, condition, attributes, sizelimit=at_most)
        return [(dn, {key.lower(): values for key, values in held.items()}) for dn, held in found if dn is not None]

    @contextlib.contextmanager
    def _timed(self, op: str) -> Iterator[None]:
        began, result = time.perf_counter(), "error"
        ldap = self._ldap
        unanswered = (
            ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT, ldap.TIMELIMIT_EXCEEDED, ldap.BUSY, ldap.UNAVAILABLE,
            ldap.OTHER, ldap.DECODING_ERROR, ldap.LOCAL_ERROR,
        )  # fmt: skip
        try:
            yield
            result = "ok"
        except unanswered:
            raise
        except ldap.LDAPError as error:
            # More people of a name than may be, or a question that it does not know: the server has answered.
            fine = isinstance(error, ldap.SIZELIMIT_EXCEEDED | ldap.PROTOCOL_ERROR) and op != "bind"
            result = "ok" if fine else "refused"
            raise
        finally:
            self._note(op, result, time.perf_counter() - began)

    def _allow(self, seconds: float) -> None:
        """Let the next operation take *seconds*, and never longer than the log-in has left."""
        left = min(seconds, self._deadline - time.monotonic())
        if left <= 0:
            raise self._ldap.TIMEOUT({"desc": "Timed out"})
        self._connection.set_option(self._ldap.OPT_TIMEOUT, left)
