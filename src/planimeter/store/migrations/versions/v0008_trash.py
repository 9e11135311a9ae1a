"""The trash, who measured, what is pinned, and how many bytes a measurement's files take.

What is thrown away moves to tables of its own, so that nothing that lists or sums up measurements can find it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns, empty, and create the tables."""
    for column in _new_columns():
        op.add_column("measurements", column)
    op.create_index("measurements_by_bytes", "measurements", ["stored_bytes"])
    _create_measurements()
    _create_parts()
    op.create_table(
        "trash",
        _parent(),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_by", sa.String(100)),
        sa.Column("deletion", sa.String(26), nullable=False),
    )
    op.create_index("trash_by_time", "trash", ["deleted_at", "measurement_id"])
    op.create_index("trash_by_deletion", "trash", ["deletion"])


def _new_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("measured_by", sa.String(100)),
        sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("stored_bytes", sa.BigInteger),
    ]


def _create_measurements() -> None:
    op.create_table(
        "trashed_measurements",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("batch", sa.String(64)),
        sa.Column("percent_masked", sa.Float, nullable=False),
        sa.Column("percent_low", sa.Float),
        sa.Column("percent_high", sa.Float),
        sa.Column("pixels_masked", sa.BigInteger, nullable=False),
        sa.Column("pixels_counted", sa.BigInteger, nullable=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("folded_name", sa.Text, nullable=False),
        sa.Column("score_threshold", sa.Float, nullable=False, server_default="0"),
        sa.Column("measured_threshold", sa.Float, nullable=False, server_default="0"),
        sa.Column("sha256", sa.String(64), nullable=False, server_default=""),
        sa.Column("upload_name", sa.String(255), nullable=False),
        sa.Column("overlay_name", sa.String(255), nullable=False),
        sa.Column("mask_name", sa.String(255), nullable=False),
        *_new_columns(),
    )


def _create_parts() -> None:
    op.create_table(
        "trashed_measurement_documents", _parent(), sa.Column("document", sa.Text, nullable=False)
    )
    op.create_table("trashed_kept_documents", _parent(), sa.Column("document", sa.Text, nullable=False))
    op.create_table(
        "trashed_measurement_classes",
        _parent(),
        sa.Column("class_id", sa.Integer, primary_key=True),
        sa.Column("class_name", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("percent_masked", sa.Float, nullable=False),
    )
    op.create_table(
        "trashed_measurement_candidates", _parent(), sa.Column("packed", sa.LargeBinary, nullable=False)
    )


def _parent() -> sa.Column[str]:
    parent = sa.ForeignKey("trashed_measurements.id", ondelete="CASCADE")
    return sa.Column("measurement_id", sa.String(26), parent, primary_key=True)
