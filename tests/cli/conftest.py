"""The database that commands of this folder's tests read."""

from tests.ledger.conftest import postgres, postgres_place

__all__ = ["postgres", "postgres_place"]
