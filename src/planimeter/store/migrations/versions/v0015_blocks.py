"""Blocks of measurements as packed columns, and what removes them where a measurement in them changes.

They are made afterwards, beside the service's work: what is in none is read from the measurements.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_FIGURES = (
    *("id", "model", "percent_masked", "percent_low", "percent_high", "pixels_masked", "pixels_counted"),
    *("instances", "verdict", "score_threshold", "overlay_name", "mask_name"),
)
"""With these, classes change too: whatever counts another way is drawn another way."""
_PACKED = ("ends", "percents", "minutes", "lows", "highs", "ids")


def upgrade() -> None:
    """Create the tables and the triggers."""
    op.create_table(
        "blocks",
        sa.Column("model", sa.String(64), primary_key=True),
        sa.Column("up_to_id", sa.String(26), primary_key=True),
        sa.Column("after_id", sa.String(26), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("sums", sa.Text, nullable=False),
        *(sa.Column(name, sa.LargeBinary, nullable=False) for name in _PACKED),
    )
    op.create_index("blocks_by_end", "blocks", ["model", "up_to_id", "after_id", "count"])
    op.create_table(
        "block_classes",
        sa.Column("model", sa.String(64), primary_key=True),
        sa.Column("up_to_id", sa.String(26), primary_key=True),
        sa.Column("class_name", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("sums", sa.Text, nullable=False),
        sa.Column("places", sa.LargeBinary, nullable=False),
        sa.Column("percents", sa.LargeBinary, nullable=False),
    )
    op.create_index(
        "measurements_corrected",
        "measurements",
        ["id"],
        sqlite_where=sa.text("corrections > 0"),
        postgresql_where=sa.text("corrections > 0"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def _sqlite_triggers() -> None:
    for event, rows in (
        ("INSERT", ("NEW",)),
        ("DELETE", ("OLD",)),
        (f"UPDATE OF {', '.join(_FIGURES)}", ("OLD", "NEW")),
    ):
        for row in rows:
            of_row = (
                f"model = {row}.model AND up_to_id = (SELECT min(up_to_id) FROM blocks WHERE "  # noqa: S608  our own
                f"model = {row}.model AND up_to_id >= {row}.id)"
            )
            op.execute(
                f"CREATE TRIGGER blocks_{event[:6].lower()}_{row.lower()} AFTER {event} ON measurements "  # noqa: S608
                f"WHEN EXISTS (SELECT 1 FROM blocks WHERE {of_row} AND after_id < {row}.id) BEGIN "
                f"DELETE FROM block_classes WHERE {of_row}; DELETE FROM blocks WHERE {of_row}; END"
            )


def _postgresql_triggers() -> None:
    for table in ("blocks", "block_classes"):  # packed numbers hardly get smaller
        names = _PACKED if table == "blocks" else ("places", "percents")
        changes = ", ".join(f"ALTER COLUMN {name} SET STORAGE EXTERNAL" for name in names)
        op.execute(f"ALTER TABLE {table} {changes}")
    op.execute(
        """
        CREATE FUNCTION forget_block(of_model text, of_id text) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            found record;
        BEGIN
            SELECT model, up_to_id, after_id INTO found FROM blocks
                WHERE model = of_model COLLATE "C" AND up_to_id >= of_id COLLATE "C"
                ORDER BY up_to_id LIMIT 1;
            IF found.after_id < of_id COLLATE "C" THEN
                DELETE FROM block_classes WHERE model = found.model AND up_to_id = found.up_to_id;
                DELETE FROM blocks WHERE model = found.model AND up_to_id = found.up_to_id;
            END IF;
        END $$
        """
    )
    old, new = (", ".join(f"{row}.{name}" for name in _FIGURES) for row in ("OLD", "NEW"))
    op.execute(
        f"""
        CREATE FUNCTION forget_blocks() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND ({old}) IS NOT DISTINCT FROM ({new}) THEN
                RETURN NULL;
            END IF;
            IF TG_OP <> 'INSERT' THEN
                PERFORM forget_block(OLD.model, OLD.id);
            END IF;
            IF TG_OP <> 'DELETE' THEN
                PERFORM forget_block(NEW.model, NEW.id);
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER forget_blocks AFTER INSERT OR UPDATE OR DELETE ON measurements "
        "FOR EACH ROW EXECUTE FUNCTION forget_blocks()"
    )
