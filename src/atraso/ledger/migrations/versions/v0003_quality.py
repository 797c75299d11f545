"""What quality is made of: the latest predictions of each flight, and the scores day by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# So many predictions, the latest, are looked through for the table: a migration is one transaction, and must end while
# its writer still counts as alive. What is older is not judged.
FILLED_FROM = 500_000
_KEY = "scheduled_utc, airline, flight_number, origin, destination, lead, basis, model_version"
_REST = "scheduled_local, id, as_of_s, delay_probability, base_rate, exceeds_0, exceeds_15, exceeds_30, exceeds_60"


def upgrade() -> None:
    """Make the tables, and take the latest predictions of what is there."""
    names = ("airline", "flight_number", "origin", "destination")
    op.create_table(
        "latest_predictions",
        *(sa.Column(name, sa.String, nullable=False) for name in names),
        sa.Column("scheduled_utc", sa.BigInteger, nullable=False),
        sa.Column("scheduled_local", sa.String, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("lead", "basis", "model_version")),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("as_of_s", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("delay_probability", "base_rate")),
        *(sa.Column(f"exceeds_{minutes}", sa.Double, nullable=False) for minutes in (0, 15, 30, 60)),
        sa.PrimaryKeyConstraint(*_KEY.split(", "), name="latest_predictions_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quality_runs",
        sa.Column("day", sa.String(10), nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("lead", "model_version")),
        sa.Column("made_s", sa.BigInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("brier_score", "brier_skill", "auc", "ece")),
        sa.PrimaryKeyConstraint("day", "lead", "model_version", name="quality_runs_pkey"),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO latest_predictions ({_KEY}, {_REST}) SELECT {_KEY}, {_REST} FROM ("  # noqa: S608 - ours
        f"SELECT {_KEY}, {_REST}, ROW_NUMBER() OVER ("
        f"PARTITION BY {_KEY} ORDER BY CASE WHEN as_of_s < scheduled_utc * 60 THEN 0 ELSE 1 END, id DESC) AS place "
        f"FROM (SELECT * FROM predictions ORDER BY id DESC LIMIT {FILLED_FROM}) AS recent"
        ") AS ranked WHERE place = 1"
    )
