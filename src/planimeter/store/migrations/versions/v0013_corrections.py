"""What people correct of measurements, and the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns, empty, and create the tables."""
    for table in ("measurements", "trashed_measurements"):
        op.add_column(table, sa.Column("corrections", sa.Integer, nullable=False, server_default="0"))
        op.add_column(table, sa.Column("reviewed", sa.Boolean, nullable=False, server_default=sa.false()))
        op.add_column(table, sa.Column("corrected_percent_masked", sa.Float))
    op.create_index("measurements_by_reviewed", "measurements", ["reviewed", "id"])
    for prefix in ("", "trashed_"):
        op.create_table(
            f"{prefix}corrections",
            _parent(prefix),
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("document", sa.Text, nullable=False),
        )
        op.create_table(
            f"{prefix}corrected_documents",
            _parent(prefix),
            sa.Column("document", sa.Text, nullable=False),
            sa.Column("objects", sa.Text, nullable=False),
        )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(100)),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("measurement_id", sa.String(26)),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("audit_by_measurement", "audit", ["measurement_id", "sequence"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.execute(sa.insert(head).values(id=1, sequence=0, hash="0" * 64))


def _parent(prefix: str) -> sa.Column[str]:
    parent = sa.ForeignKey(f"{prefix}measurements.id", ondelete="CASCADE")
    return sa.Column("measurement_id", sa.String(26), parent, primary_key=True)
