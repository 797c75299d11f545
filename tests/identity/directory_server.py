"""A real OpenLDAP server on loopback, with an authority of its own, that lets in more than it should.

It takes empty passwords and plain connections on purpose: what is refused in the tests is refused by the client.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from atraso.identity.directory_config import DirectoryConfig

BASE = "dc=flights,dc=test"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "adminpw"
SERVICE, SERVICE_PASSWORD = f"cn=svc,ou=system,{BASE}", "svcpw"
SCHEMAS = Path("/etc/ldap/schema")
MODULES = Path("/usr/lib/ldap")
MAX_FAILURES = 5

CONFIGURATION = """
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
  SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch
  SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP top AUXILIARY MAY ( sAMAccountName $ userPrincipalName ) )
modulepath {modules}
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload ppolicy
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSProtocolMin 3.3
allow bind_anon_cred bind_anon_dn
database mdb
maxsize 16777216
suffix "{base}"
rootdn "{admin}"
rootpw {admin_password}
directory {folder}/db
dbnosync
index objectClass,uid,member,memberOf eq
access to attrs=userPassword by self =xw by anonymous auth by * none
access to * by dn.exact="{service}" read by self read by * none
overlay memberof
overlay refint
refint_attributes memberof member
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{base}"
ppolicy_use_lockout
"""

# Who is there: uid -> organisational unit. The password is the uid and "pw".
PERSONS = {"alice": "people", "bob": "people", "carol": "people", "dave": "people", "eve": "people",
           "twin": "people", "lena": "people", "o'hara, (ana) *": "people", "álvaro": "people"}  # fmt: skip
GROUPS_OF_PERSONS = {
    f"cn=predictors,{GROUPS}": ["alice", "bob"],
    f"cn=admins,{GROUPS}": ["alice"],
    f"cn=team,{GROUPS}": ["dave"],
    # Groups of eve that only look like that of the administrators.
    f"cn=admins,{PEOPLE}": ["eve"],
    f"cn=admins\\,ou\\=groups\\,dc\\=flights\\,dc\\=test,{PEOPLE}": ["eve"],
    f"cn=admins\\,ou\\=groups,{BASE}": ["eve"],
    f"cn=ad mins,{GROUPS}": ["eve"],
    f"cn=xadmins,{GROUPS}": ["eve"],
}
ROLES = {f"cn=predictors,{GROUPS}": ["predict"], f"cn=admins,{GROUPS}": ["admin"], f"cn=everyone,{GROUPS}": ["report"]}


def password_of(uid: str) -> str:
    """Return the password that *uid* has in the directory."""
    return f"{uid}pw"


def why_not() -> str | None:
    """Return why no directory can be started here, or None."""
    missing = [tool for tool in ("slapd", "slapadd", "openssl") if not _tool(tool)]
    if missing:
        return f"no {', '.join(missing)} here (Debian: apt-get install slapd openssl)"
    return None if SCHEMAS.is_dir() and MODULES.is_dir() else f"no {SCHEMAS} or {MODULES} here: not Debian's slapd"


@functools.cache
def _tool(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class DirectoryServer:
    """slapd in *folder*; a context manager. Its certificate is for 127.0.0.1, and it listens on 127.0.0.2 as well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.url, self.tls_url = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.tls_port}"
        self.ca_file = folder / "ca.pem"
        self.elsewhere = socket.create_server(("127.0.0.1", 0))  # where the referral leads; nobody should come

    def __enter__(self) -> Self:
        (self.folder / "db").mkdir(parents=True)
        make_authority(self.folder, "ca")
        make_certificate(self.folder)
        values = {"schemas": SCHEMAS, "modules": MODULES, "folder": self.folder, "base": BASE, "admin": ADMIN,
                  "admin_password": ADMIN_PASSWORD, "service": SERVICE}  # fmt: skip
        text = CONFIGURATION
        for key, value in values.items():
            text = text.replace("{" + key + "}", str(value))
        configuration = self.folder / "slapd.conf"
        configuration.write_text(text)
        _run(_tool("slapadd"), "-q", "-f", configuration, input=self._entries())
        listen = f"{self.url}/ {self.tls_url}/ ldap://127.0.0.2:{self.port}/ ldaps://127.0.0.2:{self.tls_port}/"
        with (self.folder / "log").open("wb") as log:
            command = [str(_tool("slapd")), "-f", str(configuration), "-h", listen, "-d", "0"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()
        self._add_groups()
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        self.process.terminate()
        self.process.wait(10)
        self.elsewhere.close()

    def config(self, **changes: Any) -> DirectoryConfig:
        """Return how this directory is asked (search form, StartTLS), with *changes*."""
        told: dict[str, Any] = {
            "urls": (self.url,), "roles": ROLES, "bind_dn": SERVICE, "bind_password": SERVICE_PASSWORD,
            "base_dn": BASE, "user_filter": "(uid={user})", "ca_file": self.ca_file,
            # Longer than in use: the machine that runs the tests may be busy with something else.
            "connect_timeout_s": 5.0, "operation_timeout_s": 5.0, "log_in_timeout_s": 10.0,
        }  # fmt: skip
        return DirectoryConfig(**told | changes)

    def direct(self, **changes: Any) -> DirectoryConfig:
        """Return how this directory is asked in the direct form, with *changes*."""
        form = {"bind_dn": "", "bind_password": "", "base_dn": "", "user_filter": ""}
        return self.config(**form | {"user_dn": f"uid={{user}},{PEOPLE}"} | changes)

    @contextlib.contextmanager
    def bound(self, dn: str = ADMIN, password: str = ADMIN_PASSWORD) -> Iterator[Any]:
        """Give a plain connection bound as *dn*, as a careless client would have it."""
        import ldap

        connection = ldap.initialize(self.url)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_TIMEOUT, 10)
        connection.simple_bind_s(dn, password)
        try:
            yield connection
        finally:
            connection.unbind_s()

    def add_person(self, uid: str, unit: str = "people") -> str:
        """Put a person into the directory and return the DN."""
        dn, attributes = _person(uid, unit)
        with self.bound() as connection:
            connection.add_s(dn, [(key, [v.encode() for v in values]) for key, values in attributes.items()])
        return dn

    def change(self, dn: str, **attributes: str | None) -> None:
        """Replace *attributes* of the entry *dn*; None removes."""
        import ldap

        changes = [(ldap.MOD_REPLACE, key, value and [value.encode()]) for key, value in attributes.items()]
        with self.bound() as connection:
            connection.modify_s(dn, changes)

    def failures_of(self, uid: str) -> int:
        """Return how many wrong passwords the directory counts for *uid*."""
        with self.bound() as connection:
            found = connection.search_s(f"uid={uid},{PEOPLE}", 0, attrlist=["pwdFailureTime"])
        return len(found[0][1].get("pwdFailureTime", []))

    def pause(self) -> None:
        """Let the server hang: connections are taken by the kernel and answered by nobody."""
        self.process.send_signal(signal.SIGSTOP)
        # Each thread stops at its own next chance.
        deadline = time.monotonic() + 5.0
        while not all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in self._threads()):
            assert time.monotonic() < deadline, "the directory does not stop"
            time.sleep(0.005)

    def resume(self) -> None:
        """End `pause`."""
        self.process.send_signal(signal.SIGCONT)

    def _threads(self) -> list[Path]:
        return list(Path(f"/proc/{self.process.pid}/task").glob("*/stat"))

    def _wait(self) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.tls_port), 1):
                return
            time.sleep(0.02)
        raise RuntimeError((self.folder / "log").read_text() or "slapd did not start")

    def _entries(self) -> str:
        """Return what is there before the first start, as LDIF."""
        top = {"objectClass": ["dcObject", "organization"], "o": ["flights"], "dc": ["flights"]}
        units = ("people", "contractors", "groups", "system", "policies")
        entries = [(BASE, top)]
        entries += [(f"ou={unit},{BASE}", {"objectClass": ["organizationalUnit"], "ou": [unit]}) for unit in units]
        policy = {"objectClass": ["applicationProcess", "pwdPolicy"], "cn": ["default"],
                  "pwdAttribute": ["userPassword"],
                  "pwdLockout": ["TRUE"], "pwdMaxFailure": [str(MAX_FAILURES)], "pwdLockoutDuration": ["600"],
                  "pwdFailureCountInterval": ["600"], "pwdMustChange": ["TRUE"]}  # fmt: skip
        service = {"objectClass": ["applicationProcess", "simpleSecurityObject"], "cn": ["svc"],
                   "userPassword": [hashed(SERVICE_PASSWORD)]}  # fmt: skip
        referral = {"objectClass": ["referral", "extensibleObject"], "ou": ["elsewhere"],
                    "ref": [f"ldap://127.0.0.1:{self.elsewhere.getsockname()[1]}/ou=elsewhere,{BASE}"]}  # fmt: skip
        entries += [(f"cn=default,ou=policies,{BASE}", policy), (SERVICE, service), (f"ou=elsewhere,{BASE}", referral)]
        entries += [_person(uid, unit) for uid, unit in PERSONS.items()] + [_person("twin", "contractors")]
        lines = []
        for dn, attributes in entries:
            pairs = [("dn", dn), *((key, value) for key, values in attributes.items() for value in values)]
            lines += [f"{key}:: {base64.b64encode(value.encode()).decode()}" for key, value in pairs] + [""]
        return "\n".join(lines)

    def _add_groups(self) -> None:
        """Add the groups to the running server: only it writes memberOf."""
        members = {dn: [_person(uid, "people")[0] for uid in uids] for dn, uids in GROUPS_OF_PERSONS.items()}
        # team is in everyone, and everyone in team: a circle.
        members[f"cn=everyone,{GROUPS}"] = [f"cn=team,{GROUPS}"]
        members[f"cn=team,{GROUPS}"].append(f"cn=everyone,{GROUPS}")
        with self.bound() as connection:
            for dn, held in members.items():
                group = [("objectClass", [b"groupOfNames"]), ("member", [member.encode() for member in held])]
                connection.add_s(dn, group)


def _person(uid: str, unit: str) -> tuple[str, dict[str, list[str]]]:
    import ldap.dn

    attributes = {"objectClass": ["inetOrgPerson", "user"], "uid": [uid], "cn": [uid], "sn": [uid],
                  "sAMAccountName": [f"{uid}.sam"], "userPrincipalName": [f"{uid}@flights.test"],
                  "userPassword": [hashed(password_of(uid))]}  # fmt: skip
    return f"uid={ldap.dn.escape_dn_chars(uid)},ou={unit},{BASE}", attributes


def hashed(password: str) -> str:
    """Return *password* as slapd keeps it (RFC 2307, salted SHA-1)."""
    salt = os.urandom(8)
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def make_authority(folder: Path, name: str) -> Path:
    """Make a certificate authority *name*.pem and *name*.key in *folder*, and return its certificate."""
    certificate = folder / f"{name}.pem"
    _run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", folder / f"{name}.key", "-out", certificate, "-subj", f"/CN=test {name}",
         "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    return certificate


def make_certificate(folder: Path) -> None:
    """Make server.pem and server.key for 127.0.0.1 in *folder*, signed by the authority ca."""
    request, extensions = folder / "server.csr", folder / "server.ext"
    _run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", folder / "server.key", "-out", request, "-subj", "/CN=localhost")  # fmt: skip
    extensions.write_text(
        "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    _run("openssl", "x509", "-req", "-in", request, "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
         "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", folder / "server.pem")  # fmt: skip


def _run(*command: object, **options: Any) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr}")
