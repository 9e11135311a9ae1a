"""Percentages that are none: of a class of which nothing was found."""

import sqlite3

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_TABLES = ("measurements", "trashed_measurements")


def upgrade() -> None:
    """Let the column hold nothing; a new table would have to take all that hangs on it along."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite and sqlite3.sqlite_version_info < (3, 35):
        _change_declaration()
        return
    for table in _TABLES:
        if sqlite:
            _replace_column(table)
        else:
            op.alter_column(table, "percent_masked", nullable=True)


def _replace_column(table: str) -> None:
    """Put a new column in the place of the old one: SQLite can change none."""
    op.add_column(table, sa.Column("percent", sa.Float))
    columns = sa.table(table, sa.column("percent"), sa.column("percent_masked"))
    op.execute(sa.update(columns).values(percent=columns.c.percent_masked))
    op.drop_column(table, "percent_masked")
    op.alter_column(table, "percent", new_column_name="percent_masked")


def _change_declaration() -> None:
    """Change what the database says of the column, as SQLite's own documentation of ALTER TABLE tells (section 7).

    Before 3.35, which Red Hat Enterprise Linux 9 has, it can drop no column either.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    for table in _TABLES:
        connection.exec_driver_sql(
            "UPDATE sqlite_master SET sql = replace(sql, 'percent_masked FLOAT NOT NULL', 'percent_masked FLOAT') "
            "WHERE type = 'table' AND name = ?",
            (table,),
        )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
