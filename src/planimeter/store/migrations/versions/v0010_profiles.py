"""Profiles in all their versions, and which one each measurement was made by, with its verdict."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns, empty, and create the tables."""
    for table in ("measurements", "trashed_measurements"):
        op.add_column(table, sa.Column("profile", sa.String(64)))
        op.add_column(table, sa.Column("profile_version", sa.Integer))
        op.add_column(table, sa.Column("verdict", sa.String(16)))
    op.create_index("measurements_by_profile", "measurements", ["profile", "id"])
    op.create_table(
        "profiles",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_table(
        "profile_versions",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(100)),
    )
