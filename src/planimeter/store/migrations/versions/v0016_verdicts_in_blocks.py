"""The verdict of each measurement in a block: a trend tells them for any stretch of time.

All blocks go, and are made anew beside the service's work.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the column."""
    for table in ("block_classes", "blocks"):
        op.execute(f"DELETE FROM {table}")  # noqa: S608  our own
    op.add_column("blocks", sa.Column("verdicts", sa.LargeBinary, nullable=False, server_default=""))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE blocks ALTER COLUMN verdicts SET STORAGE EXTERNAL")
