"""The first tables: predictions, departures, keys, revocations, spools, runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _flight() -> list[sa.Column[object]]:
    return [
        sa.Column("airline", sa.String, nullable=False),
        sa.Column("flight_number", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("destination", sa.String, nullable=False),
        sa.Column("scheduled_utc", sa.BigInteger, nullable=False),
        sa.Column("scheduled_local", sa.String, nullable=False),
    ]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("principal", sa.String, nullable=False),
        sa.Column("asked_ms", sa.BigInteger, nullable=False),
        sa.Column("as_of_s", sa.BigInteger, nullable=False),
        *_flight(),
        *(sa.Column(name, sa.String, nullable=False) for name in ("lead", "basis", "model_version")),
        sa.Column("delay_probability", sa.Double, nullable=False),
        sa.Column("delayed", sa.Boolean, nullable=False),
        sa.Column("base_rate", sa.Double, nullable=False),
        *(sa.Column(f"exceeds_{minutes}", sa.Double, nullable=False) for minutes in (0, 15, 30, 60)),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("p50", "p80", "p95")),
        sa.Column("warnings", sa.Text),
        sa.Column("reasons", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "departures",
        *_flight(),
        sa.Column("actual_utc", sa.BigInteger),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("reported_ms", sa.BigInteger, nullable=False),
        sa.Column("reported_by", sa.String, nullable=False),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "airline", "flight_number", "origin", "destination", "scheduled_utc", "reported_ms", name="departures_pkey"
        ),
    )
    op.create_index("departures_received", "departures", ["received_ms"])
    op.create_table(
        "keys",
        sa.Column("prefix", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("roles", sa.String, nullable=False),
        sa.Column("created_s", sa.BigInteger, nullable=False),
        sa.Column("expires_s", sa.BigInteger),
        sa.Column("revoked_s", sa.BigInteger),
        sa.Column("last_used_s", sa.BigInteger),
    )
    lasting = sa.text("revoked_s IS NULL AND expires_s IS NULL")
    op.create_index("keys_lasting_name", "keys", ["name"], unique=True, sqlite_where=lasting, postgresql_where=lasting)
    op.create_table(
        "revocations",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("value", sa.String, primary_key=True),
        sa.Column("revoked_s", sa.BigInteger, nullable=False),
        sa.Column("expires_s", sa.BigInteger),
        sa.Column("revoked_by", sa.String, nullable=False),
    )
    op.create_table(
        "spools",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("taken_bytes", sa.BigInteger, nullable=False),
        sa.Column("at_s", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("run", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rows_stored", sa.BigInteger, nullable=False),
        sa.Column("at_s", sa.BigInteger, nullable=False),
    )
