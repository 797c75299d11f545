"""What Alembic runs: the migrations over the connection it is handed, in that connection's transaction."""

from alembic import context

from atraso.ledger.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # Statements that make tables are undone with the rest when a migration is killed: on SQLite too, because the
    # transaction is begun by us and not by the driver.
    transactional_ddl=True,
)
context.run_migrations()
