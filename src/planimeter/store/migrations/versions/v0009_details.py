"""What people say of measurements (lot, sample, operator, note, tags), and which model it was, to the byte."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_AT_ONCE = 200
_NAMES = ("lot", "sample", "operator", "note")


def upgrade() -> None:
    """Add the columns, empty, and create the tables of tags."""
    for table in ("measurements", "trashed_measurements"):
        for name in _NAMES:
            op.add_column(table, sa.Column(name, sa.Text))
        op.add_column(table, sa.Column("model_sha256", sa.String(64), nullable=False, server_default=""))
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
    _fill("measurements", "measurement_documents")
    _fill("trashed_measurements", "trashed_measurement_documents")


def _fill(table: str, documents: str) -> None:
    """Fill in portions: all documents at once may not fit in memory."""
    connection = op.get_bind()
    source = sa.table(documents, sa.column("measurement_id"), sa.column("document"))
    target = sa.table(table, sa.column("id"), sa.column("model_sha256"))
    update = sa.update(target).where(target.c.id == sa.bindparam("of"))
    last = ""
    while rows := connection.execute(
        sa.select(source)
        .where(source.c.measurement_id > last)
        .order_by(source.c.measurement_id)
        .limit(_AT_ONCE)
    ).all():
        last = rows[-1].measurement_id
        connection.execute(
            update.values(model_sha256=sa.bindparam("hash")),
            [{"of": row.measurement_id, "hash": _hash_in(row.document)} for row in rows],
        )


def _hash_in(document: str) -> str:
    """Return the hash of the model in a document; a damaged one says nothing, and tells so when it is read."""
    try:
        return str(json.loads(document)["model"]["sha256"])
    except (ValueError, KeyError, TypeError):
        return ""
