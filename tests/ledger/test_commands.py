"""Whoever asks the ledger's writer stays small."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("sqlalchemy", "alembic", "psycopg", "polars", "matplotlib")


def modules_after(statement: str) -> set[str]:
    """Return the packages that a fresh interpreter has imported after *statement*."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_asking_the_writer_needs_no_database_library() -> None:
    """Neither the commands nor the socket, nor all that a service imports, bring one along."""
    for statement in ("import atraso.ledger.commands, atraso.ledger.command_socket", "import atraso.bootstrap"):
        assert modules_after(statement).isdisjoint(HEAVY), statement


def test_doing_what_is_asked_does() -> None:
    """The look at the modules sees what it looks for."""
    assert "sqlalchemy" in modules_after("import atraso.ledger.verbs")
