"""A real OpenLDAP server on the loopback, with certificates of its own, that is thrown away after use."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from atraso.stress.certificates import make_certificates
from atraso.stress.profiles import StressError

BASE = "dc=flights,dc=test"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
SERVICE, SERVICE_PASSWORD = f"cn=svc,ou=system,{BASE}", "svcpw"
PERSON, PREDICTORS = "alice", f"cn=predictors,{GROUPS}"
START_WITHIN_S = 10.0
SCHEMAS = Path("/etc/ldap/schema")
MODULES = Path("/usr/lib/ldap")
# Debian keeps the servers where only root looks for commands.
SERVERS = "/usr/sbin:/sbin"
CONFIGURATION = f"""
include {SCHEMAS}/core.schema
include {SCHEMAS}/cosine.schema
include {SCHEMAS}/inetorgperson.schema
modulepath {MODULES}
moduleload back_mdb
moduleload memberof
pidfile FOLDER/slapd.pid
argsfile FOLDER/slapd.args
TLSCACertificateFile FOLDER/authority.pem
TLSCertificateFile FOLDER/server.pem
TLSCertificateKeyFile FOLDER/server.key
TLSProtocolMin 3.3
security simple_bind=128
database mdb
maxsize 16777216
suffix "{BASE}"
rootdn "cn=admin,{BASE}"
directory FOLDER/db
dbnosync
index objectClass,uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{SERVICE}" read by self read by * none
overlay memberof
"""


def why_not() -> str | None:
    """Return why no directory can be started here, or None."""
    missing = [name for name in ("slapd", "slapadd") if _tool(name) is None]
    if missing:
        return f"no {' and no '.join(missing)} here (Debian: apt-get install slapd), and no ATRASO_LDAP_URL is set"
    return None if SCHEMAS.is_dir() and MODULES.is_dir() else f"no {SCHEMAS} or {MODULES} here: not Debian's slapd"


def password_of(uid: str) -> str:
    """Return the password that *uid* has in the directory."""
    return f"{uid}pw"


class ThrowawayDirectory:
    """slapd with *persons* and *groups* (DN to members) in *folder*, a new one; a context manager.

    It takes passwords over TLS alone (StartTLS at `url`), for 127.0.0.1, by the authority in `ca_file`.
    """

    def __init__(
        self, folder: Path, persons: Sequence[str] = (PERSON,), groups: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.folder = folder
        self.ca_file = folder / "authority.pem"
        self._persons = persons
        self._groups = {PREDICTORS: [PERSON]} if groups is None else groups

    def __enter__(self) -> Self:
        (self.folder / "db").mkdir(parents=True, mode=0o700)
        make_certificates(self.folder)
        configuration = self.folder / "slapd.conf"
        configuration.write_text(CONFIGURATION.replace("FOLDER", str(self.folder)), encoding="utf-8")
        filled = subprocess.run(  # noqa: S603 - no shell
            [str(_tool("slapadd")), "-q", "-f", str(configuration)],
            input=self._entries(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if filled.returncode:
            raise StressError(f"The throwaway directory cannot be filled: {filled.stderr.strip()[-300:]}")
        self.port = _free_port()
        self.url = f"ldap://127.0.0.1:{self.port}"
        with (self.folder / "log").open("wb") as log:
            command = [str(_tool("slapd")), "-f", str(configuration), "-h", f"{self.url}/", "-d", "0"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, process_group=0)  # noqa: S603
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def variables(self) -> dict[str, str]:
        """Return the settings by which a service asks this directory: StartTLS, search, bind."""
        return {
            "ATRASO_LDAP_URL": self.url,
            "ATRASO_LDAP_CA": str(self.ca_file),
            "ATRASO_LDAP_BIND_DN": SERVICE,
            "ATRASO_LDAP_BIND_PASSWORD": SERVICE_PASSWORD,
            "ATRASO_LDAP_BASE": PEOPLE,
            "ATRASO_LDAP_GROUPS": f"predict={PREDICTORS}",
        }

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _wait(self) -> None:
        end = time.monotonic() + START_WITHIN_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        said = (self.folder / "log").read_text(errors="replace").strip()
        raise StressError(f"The throwaway directory did not start: {said[-300:]}")

    def _entries(self) -> str:
        """Return all that is there, as LDIF; `memberOf` too, which slapd itself writes for later changes only."""
        units = ("people", "groups", "system")
        top = {"objectClass": ["dcObject", "organization"], "o": ["flights"], "dc": ["flights"]}
        entries: list[tuple[str, dict[str, list[str]]]] = [(BASE, top)]
        entries += [(f"ou={unit},{BASE}", {"objectClass": ["organizationalUnit"], "ou": [unit]}) for unit in units]
        account = {"objectClass": ["applicationProcess", "simpleSecurityObject"], "cn": ["svc"]}
        entries.append((SERVICE, {**account, "userPassword": [hashed(SERVICE_PASSWORD)]}))
        for uid in self._persons:
            held = [dn for dn, members in self._groups.items() if uid in members]
            person = {"objectClass": ["inetOrgPerson"], "uid": [uid], "cn": [uid], "sn": [uid]}
            entries.append((dn_of(uid), {**person, "userPassword": [hashed(password_of(uid))], "memberOf": held}))
        for dn, members in self._groups.items():
            group = {"objectClass": ["groupOfNames"], "member": [dn_of(uid) for uid in members]}
            entries.append((dn, {**group, "cn": [dn.partition(",")[0].removeprefix("cn=")]}))
        lines = []
        for dn, attributes in entries:
            pairs = [("dn", dn), *((key, value) for key, values in attributes.items() for value in values)]
            lines += [f"{key}:: {base64.b64encode(value.encode()).decode()}" for key, value in pairs] + [""]
        return "\n".join(lines)


def dn_of(uid: str) -> str:
    """Return the DN of a person whose *uid* is letters and digits."""
    return f"uid={uid},{PEOPLE}"


def hashed(password: str) -> str:
    """Return *password* as slapd keeps it (RFC 2307, salted SHA-1)."""
    salt = os.urandom(8)
    digest = hashlib.sha1(password.encode() + salt).digest()  # noqa: S324 - a throwaway's, and what slapd is built with
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def _tool(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SERVERS}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
