"""What people say of measurements: lot, sample, operator, note as columns, tags in a table of their own."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from planimeter.details import Details
from planimeter.store.database import Database
from planimeter.store.record import unknown
from planimeter.store.tables import MeasurementRow, TagRow


def details_columns(details: Details) -> dict[str, Any]:
    """Return the columns of a measurement."""
    return details.model_dump(exclude={"tags"})


def tag_rows(id_: str, details: Details) -> list[dict[str, str]]:
    """Return the rows of its tags."""
    return [{"measurement_id": id_, "tag": tag} for tag in details.tags]


def read_tags(connection: sa.Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the tags of measurements in the order of the alphabet; those without any are left out."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    query = sa.select(TagRow.measurement_id, TagRow.tag).where(TagRow.measurement_id.in_(ids))
    for id_, tag in connection.execute(query.order_by(TagRow.measurement_id, TagRow.tag)):
        found[id_].append(tag)
    return found


class DetailsOfMeasurements:
    """Changes what is said of measurements; from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change(self, id_: str, details: Details) -> None:
        """Say this of a measurement instead of what was said before; raises UnknownMeasurement where it is gone."""
        change = sa.update(MeasurementRow).where(MeasurementRow.id == id_).values(details_columns(details))
        with self._database.writing() as connection:
            if not connection.execute(change).rowcount:
                raise unknown(id_)
            connection.execute(sa.delete(TagRow).where(TagRow.measurement_id == id_))
            if rows := tag_rows(id_, details):
                connection.execute(sa.insert(TagRow), rows)
            connection.commit()
