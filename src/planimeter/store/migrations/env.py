"""Run by Alembic: migrate over the connection that the store hands in.

To write a migration: copy the newest file of `versions/`, and compare with `tables.py`; a test compares
the migrated database with the tables.
"""

from alembic import context

from planimeter.store.tables import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
with context.begin_transaction():
    context.run_migrations()
