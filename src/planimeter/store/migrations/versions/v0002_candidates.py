"""What the network found below the threshold, and the thresholds that users saved for models."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "measurement_candidates",
        sa.Column(
            "measurement_id",
            sa.String(26),
            sa.ForeignKey("measurements.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("packed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "model_thresholds",
        sa.Column("model", sa.String(64), primary_key=True),
        sa.Column("score", sa.Float, nullable=False),
    )
