"""The size of a pixel that a person sets for a stored measurement: it stands in its documents."""

from collections.abc import Callable

import sqlalchemy as sa
from pydantic import ValidationError

from planimeter.corrections import Corrected
from planimeter.measurement import Measurement
from planimeter.store.audit import append
from planimeter.store.corrections import put_figures
from planimeter.store.database import Database
from planimeter.store.outbox import Outbox
from planimeter.store.record import damaged, unknown
from planimeter.store.tables import CorrectedRow, DocumentRow, KeptDocumentRow, MeasurementRow

Change = Callable[[Measurement], Measurement]
Correct = Callable[[Corrected, Measurement], Corrected]
"""Makes of corrected figures those of a measurement whose scale changed."""


class Scales:
    """What was measured in pixels, in units: changes documents and the verdict, and no figure that is summed up."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def change(self, id_: str, change: Change, correct: Correct, *, by: str | None = None) -> None:
        """Change the documents of a measurement in one transaction, and its corrected figures with them by `correct`.

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
            corrected = _read_corrected(connection, id_)
            if corrected is not None:
                put_figures(connection, id_, correct(corrected, changed))
            scale = changed.image.scale
            told = {"scale": None if scale is None else scale.model_dump(mode="json", exclude_none=True)}
            append(connection, "scale_set", by, [(id_, told)])
            self._outbox.put(connection, "measurement.changed", id_)
            connection.commit()


def _read(id_: str, document: str) -> Measurement:
    try:
        return Measurement.model_validate_json(document)
    except ValidationError as error:
        raise damaged(id_) from error


def _read_corrected(connection: sa.Connection, id_: str) -> Corrected | None:
    document = connection.scalar(sa.select(CorrectedRow.document).where(CorrectedRow.measurement_id == id_))
    try:
        return None if document is None else Corrected.model_validate_json(document)
    except ValidationError as error:
        raise damaged(id_) from error
