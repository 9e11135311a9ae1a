"""The first tables: the store's identity, measurements, and their classes."""

import sqlalchemy as sa
from alembic import op
from ulid import ULID

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, and give the database its identity."""
    store = op.create_table("store", sa.Column("id", sa.String(26), primary_key=True))
    op.bulk_insert(store, [{"id": str(ULID())}])
    op.create_table(
        "measurements",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("percent_masked", sa.Float, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("upload_name", sa.String(255), nullable=False),
        sa.Column("overlay_name", sa.String(255), nullable=False),
        sa.Column("mask_name", sa.String(255), nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("measurements_by_model", "measurements", ["model", "id"])
    op.create_table(
        "measurement_classes",
        sa.Column(
            "measurement_id",
            sa.String(26),
            sa.ForeignKey("measurements.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("class_id", sa.Integer, primary_key=True),
        sa.Column("class_name", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("percent_masked", sa.Float, nullable=False),
    )
    op.create_index("measurement_classes_by_class", "measurement_classes", ["class_name", "measurement_id"])
