"""Make the table of measurements narrow: the JSON apart, and columns for all that is filtered and summed up."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_AT_ONCE = 200
_KEPT = (
    "id",
    "created_at",
    "model",
    "percent_masked",
    "filename",
    "upload_name",
    "overlay_name",
    "mask_name",
)


def upgrade() -> None:
    """Build the new tables beside the old ones, copy, and put them in their place.

    The old parent goes last: dropping it first would take its children with it.
    """
    measurements, documents = _create()
    _copy(measurements, documents)
    op.execute("INSERT INTO new_classes SELECT * FROM measurement_classes")
    op.execute("INSERT INTO new_candidates SELECT * FROM measurement_candidates")
    op.drop_table("measurement_classes")
    op.drop_table("measurement_candidates")
    op.drop_table("measurements")
    for new, name in (
        ("new_measurements", "measurements"),
        ("new_documents", "measurement_documents"),
        ("new_classes", "measurement_classes"),
        ("new_candidates", "measurement_candidates"),
    ):
        op.rename_table(new, name)
    op.create_index("measurements_by_model", "measurements", ["model", "id"])
    op.create_index("measurements_by_batch", "measurements", ["batch", "id"])
    op.create_index(
        "measurement_classes_by_class",
        "measurement_classes",
        ["class_name", "measurement_id", "percent_masked", "count"],
    )


def _create() -> tuple[sa.Table, sa.Table]:
    measurements = op.create_table(
        "new_measurements",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("batch", sa.String(64)),
        sa.Column("percent_masked", sa.Float, nullable=False),
        sa.Column("pixels_masked", sa.BigInteger, nullable=False),
        sa.Column("pixels_counted", sa.BigInteger, nullable=False),
        sa.Column("instances", sa.Integer, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("folded_name", sa.Text, nullable=False),
        sa.Column("upload_name", sa.String(255), nullable=False),
        sa.Column("overlay_name", sa.String(255), nullable=False),
        sa.Column("mask_name", sa.String(255), nullable=False),
        sqlite_with_rowid=False,
    )
    documents = op.create_table("new_documents", _parent(), sa.Column("document", sa.Text, nullable=False))
    op.create_table("new_candidates", _parent(), sa.Column("packed", sa.LargeBinary, nullable=False))
    op.create_table(
        "new_classes",
        _parent(),
        sa.Column("class_id", sa.Integer, primary_key=True),
        sa.Column("class_name", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("percent_masked", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    return measurements, documents


def _parent() -> sa.Column[str]:
    parent = sa.ForeignKey("new_measurements.id", ondelete="CASCADE")
    return sa.Column("measurement_id", sa.String(26), parent, primary_key=True)


def _copy(measurements: sa.Table, documents: sa.Table) -> None:
    """Copy in portions: all documents at once may not fit in memory."""
    connection = op.get_bind()
    old = sa.table("measurements", *(sa.column(name) for name in (*_KEPT, "document")))
    # As they are stored: no need to understand the dates here.
    new = sa.table("new_measurements", *(sa.column(column.name) for column in measurements.columns))
    last = ""
    while rows := connection.execute(
        sa.select(old).where(old.c.id > last).order_by(old.c.id).limit(_AT_ONCE)
    ).all():
        last = rows[-1].id
        connection.execute(sa.insert(new), [_summary(row) for row in rows])
        connection.execute(
            sa.insert(documents), [{"measurement_id": row.id, "document": row.document} for row in rows]
        )


def _summary(row: sa.Row[tuple[str, ...]]) -> dict[str, object]:
    """Return the columns of a measurement; a damaged document counts nothing, and says so when it is read."""
    try:
        document = json.loads(row.document)
        coverage, instances = document["coverage"], len(document["instances"])
        pixels = coverage["pixels_masked"], coverage["pixels_counted"]
    except (ValueError, KeyError, TypeError):
        pixels, instances = (0, 0), 0
    return {
        **{name: getattr(row, name) for name in _KEPT},
        "batch": None,
        "pixels_masked": pixels[0],
        "pixels_counted": pixels[1],
        "instances": instances,
        "folded_name": row.filename.casefold(),
    }
