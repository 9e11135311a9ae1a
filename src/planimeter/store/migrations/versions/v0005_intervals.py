"""Columns for the interval of each percentage; measurements from before have none."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns, empty."""
    for name in ("percent_low", "percent_high"):
        op.add_column("measurements", sa.Column(name, sa.Float, nullable=True))
