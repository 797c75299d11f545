"""How what is asked of a ledger is done, by the writer or by whoever holds its lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine

from atraso.ledger import account_rows
from atraso.ledger.commands import (
    Command,
    CreateKey,
    Import,
    ListKeys,
    Prune,
    Report,
    Revoke,
    RevokeKey,
    RotateKey,
    Shadow,
)
from atraso.ledger.database import make_durable
from atraso.ledger.departures import store_report
from atraso.ledger.shadow import store_answers
from atraso.ledger.tables_csv import import_table
from atraso.ledger.upkeep import prune


def execute(command: Command, engine: Engine, between: Callable[[], None]) -> object:
    """Do what is asked and return its result, of the type that `commands.RESULTS` has for it.

    A long one calls *between* after each of its transactions. Raises LedgerError for what cannot be done.
    """
    match command:
        case Prune():
            return prune(engine, command.keep_days, between)
        case Import():
            return import_table(engine, command.table, Path(command.path), between)
        case Report():
            with engine.begin() as connection:
                reported = store_report(connection, command)
            make_durable(engine.url)  # who reported it may forget it now
            return reported
        case Shadow():
            with engine.begin() as connection:
                return store_answers(connection, command.rows)
    with engine.begin() as connection:
        return _on_accounts(command, connection)


def _on_accounts(command: CreateKey | RotateKey | ListKeys | RevokeKey | Revoke, connection: Connection) -> object:
    match command:
        case CreateKey():
            done: object = account_rows.create_key(connection, command.key)
        case RotateKey():
            done = account_rows.rotate_key(connection, command.key, command.overlap_s)
        case ListKeys():
            done = account_rows.list_keys(connection)
        case RevokeKey():
            done = account_rows.revoke_key(connection, command.prefix)
        case Revoke():
            done = account_rows.revoke(connection, command.revocation)
    return done
