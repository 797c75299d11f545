"""The flights that are to leave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "schedule",
        *(sa.Column(name, sa.String, nullable=False) for name in ("airline", "flight_number", "origin", "destination")),
        sa.Column("scheduled_utc", sa.BigInteger, nullable=False),
        sa.Column("scheduled_local", sa.String, nullable=False),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "airline", "flight_number", "origin", "destination", "scheduled_utc", name="schedule_pkey"
        ),
    )
    op.create_index("schedule_received", "schedule", ["received_ms"])
