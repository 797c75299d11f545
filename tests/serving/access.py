"""A service that asks who one is, and keys for it, without a database."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atraso.bootstrap.access import Access, Entrance
from atraso.core.secret import Secret
from atraso.identity.keys import new_key
from atraso.ledger.accounts import Accounts, AccountsFile, KeyRow, Revocation
from atraso.serving.accounts import Accounts as AccountRoutes
from atraso.serving.app import Worker
from atraso.serving.guard import Guard
from atraso.settings import Settings
from atraso.telemetry.audit import audit_to
from tests.identity.directory_server import DirectoryServer


class Books:
    """The accounts of a folder as the ledger's writer shows them; changes are seen by services within a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "accounts.json"

    def key(self, name: str, *roles: str, expires_s: int | None = None) -> str:
        """Make a key and return it."""
        made = new_key(name, roles)
        row = KeyRow(made.prefix, name, made.sha256, made.roles, int(time.time()), expires_s)
        shown = self._shown()
        self.show(Accounts((*shown.keys, row), shown.revocations))
        return made.key

    def revoke(self, kind: Any, value: str) -> None:
        """Revoke tokens as of now."""
        shown = self._shown()
        self.show(Accounts(shown.keys, (*shown.revocations, Revocation(kind, value, int(time.time()), "test"))))

    def show(self, accounts: Accounts) -> None:
        """Put *accounts* in the place of those shown before."""
        AccountsFile(self.folder).publish(accounts)

    def _shown(self) -> Accounts:
        return AccountsFile(self.folder).read()


class Guarded:
    """A worker that asks who one is, and what its audit log says."""

    def __init__(
        self, folder: Path, now: Callable[[], float] = time.time, *, published: bool = True, **settings: Any
    ) -> None:
        if published and not (folder / "accounts.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            AccountsFile(folder).publish(Accounts())
        self.log = io.StringIO()
        audit = audit_to(self.log)
        self.entrance = Entrance(Settings(**{"auth": "keys", "data": folder, **settings}), audit)
        self.access: Access = self.entrance.open()
        self.guard = Guard(self.access.ways, audit, metrics_open=settings.get("metrics_open", False), now=now)
        jwks = self.access.tokens.jwks if self.access.tokens else None
        routes = AccountRoutes(self.access.log_in, jwks, revoke=lambda kind, value, by: None, audit=audit)
        self.worker = Worker(guard=self.guard, accounts=routes)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the audit log."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def scope(path: str, *authorization: str) -> dict[str, Any]:
    """Return the scope of a request with these Authorization headers."""
    headers = [(b"authorization", value.encode("latin-1")) for value in authorization]
    return {"type": "http", "method": "POST", "path": path, "headers": headers, "client": ("127.0.0.1", 1)}


def directory_settings(server: DirectoryServer) -> dict[str, Any]:
    """Return the settings for log-ins at *server*: alice may predict and administer, bob predict, carol nothing."""
    config = server.config()
    return {
        "ldap_url": " ".join(config.urls),
        "ldap_ca": config.ca_file,
        "ldap_bind_dn": config.bind_dn,
        "ldap_bind_password": Secret(config.bind_password),
        "ldap_base": config.base_dn,
        "ldap_filter": config.user_filter,
        "ldap_groups": "; ".join(f"{role}={group}" for group, roles in config.roles.items() for role in roles),
    }


def basic(name: str, password: str) -> str:
    """Return the Authorization header of HTTP Basic."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"
