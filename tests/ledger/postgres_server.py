"""A real PostgreSQL for the tests: its own folder, a Unix socket, no durability, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

# Debian and Ubuntu keep each version's programs in a folder of its own, off the path; the newest one is taken.
VERSIONS = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin/initdb"), key=lambda file: int(file.parts[-3]))


def missing() -> str:
    """Return why there can be no server here, nothing where there can."""
    if _programs() is None:
        return "PostgreSQL is not installed: apt-get install postgresql-15"
    if os.geteuid() == 0 and not _user():
        return "PostgreSQL does not run as root, and there is no user postgres"
    return ""


def _programs() -> Path | None:
    """Return the folder of PostgreSQL's programs."""
    found = VERSIONS[-1] if VERSIONS else shutil.which("initdb")
    return Path(found).parent if found else None


def _user() -> dict[str, Any]:
    """Return as whom the server runs: root may not."""
    if os.geteuid() != 0:
        return {}
    try:
        found = pwd.getpwnam("postgres")
    except KeyError:
        return {}
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


class PostgresServer:
    """A server that can be stopped and started again; `database()` gives its one database, empty."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="atraso-postgres-", dir="/tmp"))
        self._as = _user()
        if self._as:
            os.chown(self._folder, self._as["user"], self._as["group"])
        programs = _programs()
        assert programs is not None, missing()
        self._bin = programs
        self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        settings = ("fsync=off", "listen_addresses=", f"unix_socket_directories={self._folder}", "max_connections=40")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._folder / "data", *(f"--{setting}" for setting in settings)],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._as,
            )
        deadline = time.monotonic() + 20
        while self._run("pg_isready", "-q", "-h", str(self._folder), check=False):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once: connections are cut."""
        if self._process.poll() is None:
            self._run("pg_ctl", "stop", "-D", "data", "-m", "immediate", "-s", "-w")
            self._process.wait()

    def remove(self) -> None:
        """End it and remove what it left."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def database(self) -> str:
        """Empty the one database, end whatever still uses it, and return its URL."""
        # A new one for each test would be some 300 files each time.
        empty = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'postgres' "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'; "
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        )
        self._run("psql", "-q", "-h", str(self._folder), "-U", "postgres", "-d", "postgres", "-c", empty)
        return f"postgresql://postgres@/postgres?host={self._folder}"

    def _run(self, *command: str, check: bool = True) -> int:
        program, *arguments = command
        done = subprocess.run(
            [self._bin / program, *arguments], cwd=self._folder, capture_output=True, check=False, **self._as
        )
        if check and done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode()}")
        return done.returncode
