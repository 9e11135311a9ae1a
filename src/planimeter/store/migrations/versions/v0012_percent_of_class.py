"""Percentages that are none: of a class of which nothing was found."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0009"


def upgrade() -> None:
    """Let the column hold nothing.

    A new one takes its place: SQLite can change none, and a new table would have to take all that hangs on it along.
    """
    for table in ("measurements", "trashed_measurements"):
        op.add_column(table, sa.Column("percent", sa.Float))
        columns = sa.table(table, sa.column("percent"), sa.column("percent_masked"))
        op.execute(sa.update(columns).values(percent=columns.c.percent_masked))
        op.drop_column(table, "percent_masked")
        op.alter_column(table, "percent", new_column_name="percent_masked")
