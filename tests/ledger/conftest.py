"""Each test of the ledger runs over SQLite and over a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.places import Place
from tests.ledger.postgres_server import PostgresServer, missing


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if why := missing():
        pytest.skip(why)
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path, None)
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")

        def restart() -> None:
            server.stop()
            server.start()

        found = Place(tmp_path, server.database(), restart)
    yield found
    found.close()


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path, None)
    yield found
    found.close()


@pytest.fixture
def postgres_place(tmp_path: Path, postgres: PostgresServer) -> Iterator[Place]:
    found = Place(tmp_path, postgres.database())
    yield found
    found.close()
