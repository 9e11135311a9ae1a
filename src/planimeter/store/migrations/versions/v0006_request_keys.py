"""The keys under which measurements were asked for, so that a request that is sent again measures nothing twice."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "request_keys",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column(
            "measurement_id",
            sa.String(26),
            sa.ForeignKey("measurements.id", ondelete="CASCADE"),
            nullable=False,
        ),
    )
    op.create_index("request_keys_by_measurement", "request_keys", ["measurement_id"])
