"""The directory that the tests of this folder log in against, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from atraso.identity.directory import Directory
from tests.identity.directory_server import DirectoryServer, why_not


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryServer]:
    """A running directory; what a test changes in it, it changes back."""
    pytest.importorskip("ldap", reason="python-ldap is not installed (the extra `ldap`)")
    if reason := why_not():
        pytest.skip(reason)
    with DirectoryServer(tmp_path_factory.mktemp("directory") / "slapd") as running:
        yield running


@pytest.fixture(scope="session")
def directory(server: DirectoryServer) -> Directory:
    """Log-in against the running directory, search form, StartTLS."""
    return Directory(server.config())
