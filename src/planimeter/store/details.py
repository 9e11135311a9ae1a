"""What people say of measurements: lot, sample, operator, note as columns, tags in a table of their own."""

from typing import Any

import sqlalchemy as sa

from planimeter.details import Details
from planimeter.store.audit import append
from planimeter.store.database import Database
from planimeter.store.outbox import Outbox
from planimeter.store.record import unknown
from planimeter.store.tables import MeasurementRow, TagRow


def details_columns(details: Details) -> dict[str, Any]:
    """Return the columns of a measurement."""
    return details.model_dump(exclude={"tags"})


def tag_rows(id_: str, details: Details) -> list[dict[str, str]]:
    """Return the rows of its tags."""
    return [{"measurement_id": id_, "tag": tag} for tag in details.tags]


class DetailsOfMeasurements:
    """Changes what is said of measurements; from any thread."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def change(self, id_: str, details: Details, *, by: str | None = None) -> None:
        """Say this of a measurement instead of what was said before; raises UnknownMeasurement where it is gone."""
        change = sa.update(MeasurementRow).where(MeasurementRow.id == id_).values(details_columns(details))
        with self._database.writing() as connection:
            if not connection.execute(change).rowcount:
                raise unknown(id_)
            connection.execute(sa.delete(TagRow).where(TagRow.measurement_id == id_))
            if rows := tag_rows(id_, details):
                connection.execute(sa.insert(TagRow), rows)
            append(connection, "details_set", by, [(id_, details.model_dump(mode="json", exclude_none=True))])
            self._outbox.put(connection, "measurement.changed", id_)
            connection.commit()
