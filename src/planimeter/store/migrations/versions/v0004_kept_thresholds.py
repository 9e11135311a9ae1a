"""Score thresholds that users keep for single measurements, and columns for what the history lists and sorts."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_AT_ONCE = 200


def upgrade() -> None:
    """Add the columns, fill them from the documents, and create the table of what was kept."""
    for column in (
        sa.Column("score_threshold", sa.Float, nullable=False, server_default="0"),
        sa.Column("measured_threshold", sa.Float, nullable=False, server_default="0"),
        sa.Column("sha256", sa.String(64), nullable=False, server_default=""),
    ):
        op.add_column("measurements", column)
    op.create_table(
        "kept_documents",
        sa.Column(
            "measurement_id",
            sa.String(26),
            sa.ForeignKey("measurements.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("document", sa.Text, nullable=False),
    )
    _fill()


def _fill() -> None:
    """Fill in portions: all documents at once may not fit in memory."""
    connection = op.get_bind()
    documents = sa.table("measurement_documents", sa.column("measurement_id"), sa.column("document"))
    names = ("id", "score_threshold", "measured_threshold", "sha256")
    measurements = sa.table("measurements", *map(sa.column, names))
    update = sa.update(measurements).where(measurements.c.id == sa.bindparam("of"))
    last = ""
    while rows := connection.execute(
        sa.select(documents)
        .where(documents.c.measurement_id > last)
        .order_by(documents.c.measurement_id)
        .limit(_AT_ONCE)
    ).all():
        last = rows[-1].measurement_id
        connection.execute(
            update.values(
                score_threshold=sa.bindparam("score"),
                measured_threshold=sa.bindparam("score"),
                sha256=sa.bindparam("hash"),
            ),
            [{"of": row.measurement_id, **_told(row.document)} for row in rows],
        )


def _told(document: str) -> dict[str, float | str]:
    """Return what a document says; a damaged one says nothing, and tells so when it is read."""
    try:
        read = json.loads(document)
        return {"score": float(read["options"]["score_threshold"]), "hash": str(read["image"]["sha256"])}
    except (ValueError, KeyError, TypeError):
        return {"score": 0.0, "hash": ""}
