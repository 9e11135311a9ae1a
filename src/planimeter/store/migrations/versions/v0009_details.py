"""What people say of measurements: lot, sample, operator, note and tags."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_NAMES = ("lot", "sample", "operator", "note")


def upgrade() -> None:
    """Add the columns, empty, and create the tables of tags."""
    for table in ("measurements", "trashed_measurements"):
        for name in _NAMES:
            op.add_column(table, sa.Column(name, sa.Text))
    for name in ("lot", "sample", "operator"):
        op.create_index(f"measurements_by_{name}", "measurements", [name, "id"])
    for name, parent in (
        ("measurement_tags", "measurements.id"),
        ("trashed_measurement_tags", "trashed_measurements.id"),
    ):
        op.create_table(
            name,
            sa.Column(
                "measurement_id", sa.String(26), sa.ForeignKey(parent, ondelete="CASCADE"), primary_key=True
            ),
            sa.Column("tag", sa.Text, primary_key=True),
        )
    op.create_index("measurement_tags_by_tag", "measurement_tags", ["tag", "measurement_id"])
