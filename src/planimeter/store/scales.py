"""The size of a pixel that a person sets for a stored measurement: it stands in its documents."""

from collections.abc import Callable

import sqlalchemy as sa
from pydantic import ValidationError

from planimeter.measurement import Measurement
from planimeter.store.database import Database
from planimeter.store.outbox import Outbox
from planimeter.store.record import damaged, unknown
from planimeter.store.tables import DocumentRow, KeptDocumentRow, MeasurementRow

Change = Callable[[Measurement], Measurement]


class Scales:
    """What was measured in pixels, in units: changes documents and the verdict, and no figure that is summed up."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def change(self, id_: str, change: Change) -> None:
        """Change the documents of a measurement in one transaction.

        Raises UnknownMeasurement where it is gone, and StoreFailed for a damaged record; nothing has changed then.
        """
        with self._database.writing(locked=True) as connection:  # what is read here is written below
            changed: Measurement | None = None
            for table in (DocumentRow, KeptDocumentRow):
                its_own = table.measurement_id == id_
                for document in connection.scalars(sa.select(table.document).where(its_own)).all():
                    changed = change(_read(id_, document))
                    text = changed.model_dump_json(by_alias=True)
                    connection.execute(sa.update(table).where(its_own).values(document=text))
            if changed is None:
                raise unknown(id_)
            # The last one is what counts: rules on lengths and areas follow the scale.
            judged = sa.update(MeasurementRow).where(MeasurementRow.id == id_)
            connection.execute(judged.values(verdict=changed.verdict))
            self._outbox.put(connection, "measurement.changed", id_)
            connection.commit()


def _read(id_: str, document: str) -> Measurement:
    try:
        return Measurement.model_validate_json(document)
    except ValidationError as error:
        raise damaged(id_) from error
