"""How many rows a second one PostgreSQL takes from replicas: what the arithmetic of docs/scale.md begins with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from atraso.stress.questions import PREDICTIONS, body_of
from benchmarks.processes import free_port
from tests.drill.figures import at_least, tell
from tests.drill.full import Full, begin, end, new_key
from tests.drill.service import flights, until
from tests.ledger.postgres_server import PostgresServer
from tests.ledger.postgres_server import missing as no_postgres

REQUESTS, FLIGHTS_EACH = 300, 500
# Far below the 18,000 to 33,000 that docs/scale.md says were measured: machines differ.
LEAST_ROWS_PER_S = 5_000.0
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"

pytestmark = pytest.mark.skipif(bool(no_postgres()), reason=no_postgres())


@pytest.fixture
def url() -> Iterator[str]:
    """Yield the URL of a PostgreSQL with nothing in it."""
    server = PostgresServer(durable=True)
    yield server.database()
    server.remove()


def fill(full: Full) -> int:
    """Have so many answers kept that the writer is behind; return how many."""
    service = replace(full.service, headers={"Authorization": f"Bearer {full.key}"})
    asked = flights()
    for n in range(REQUESTS):
        body = body_of(*(asked[(n * FLIGHTS_EACH + row) % len(asked)] for row in range(FLIGHTS_EACH)))
        assert service.post(PREDICTIONS, body)[0] == 200
    return REQUESTS * FLIGHTS_EACH


def calls_per_s(database: psycopg.Connection[tuple[int]]) -> float:
    """Return how many transactions end in a second while nobody asks for anything, over ten seconds."""
    ask = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    before = database.execute(ask).fetchone()
    time.sleep(10.0)  # the server tells its numbers once a second
    after = database.execute(ask).fetchone()
    assert before is not None and after is not None
    return (after[0] - before[0]) / 10.0


@pytest.mark.parametrize("replicas", [1, 2])
def test_rows_a_second_that_one_database_takes(tmp_path: Path, url: str, replicas: int) -> None:
    """What waits in the spools is stored at thousands of rows a second, whoever brings it, and none is lost."""
    settings = {"ATRASO_LEDGER_URL": url}
    (tmp_path / "keys").mkdir()
    key = new_key(tmp_path / "keys", **settings)
    running: list[Full] = []
    try:
        for n in range(replicas):
            (tmp_path / f"replica{n}").mkdir()
            running.append(begin(tmp_path / f"replica{n}", key, free_port(), **settings))
        until(lambda: all(full.asked() == 200 for full in running), 15.0)
        with psycopg.connect(url, autocommit=True) as database:

            def stored() -> int:
                return database.execute("SELECT count(*) FROM predictions").fetchone()[0]  # type: ignore[index]

            kept = sum(fill(full) for full in running)
            before, began = stored(), time.monotonic()
            for full in running:
                full.drained()
            took_s, rows = time.monotonic() - began, stored()
            size = database.execute("SELECT pg_total_relation_size('predictions')").fetchone()[0]  # type: ignore[index]
            open_ = database.execute(CONNECTIONS).fetchone()[0]  # type: ignore[index]
            calls = calls_per_s(database)
        assert rows >= kept
        tell(f"connections to PostgreSQL, {replicas} replicas at rest", open_, "connections")
        tell(f"transactions of replicas at rest, {replicas} replicas", calls, "per second")
        tell(f"bytes a row takes in PostgreSQL, {replicas} replicas", size / rows, "bytes")
        tell(f"rows that waited when nobody asked any more, {replicas} replicas", rows - before, "rows")
        at_least(f"rows stored, {replicas} replicas", (rows - before) / took_s, "rows/s", LEAST_ROWS_PER_S)
    finally:
        for full in running:
            end(full)
