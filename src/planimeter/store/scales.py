"""The size of a pixel that a person sets for a stored measurement: it stands in its documents."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import sqlalchemy as sa

from planimeter.measurement import Measurement
from planimeter.store.record import unknown
from planimeter.store.tables import DocumentRow, KeptDocumentRow

Change = Callable[[Measurement], Measurement]


class Writable(Protocol):
    """A database that one at a time writes to."""

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Yield a connection to write by."""


class Scales:
    """What was measured in pixels, in units: changes documents, and no figure that is filtered or summed up."""

    def __init__(self, database: Writable) -> None:
        self._database = database

    def change(self, id_: str, change: Change) -> None:
        """Change the documents of a measurement in one transaction; raises UnknownMeasurement where it is gone."""
        with self._database.writing() as connection:
            found = 0
            for table in (DocumentRow, KeptDocumentRow):
                its_own = table.measurement_id == id_
                for document in connection.scalars(sa.select(table.document).where(its_own)).all():
                    changed = change(Measurement.model_validate_json(document)).model_dump_json(by_alias=True)
                    connection.execute(sa.update(table).where(its_own).values(document=changed))
                    found += 1
            if not found:
                raise unknown(id_)
            connection.commit()
