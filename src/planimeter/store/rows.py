"""What the database holds of measurements, read by the connection that asks: also in the midst of a change."""

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from planimeter.store.record import Row
from planimeter.store.tables import (
    ClassRow,
    CorrectedRow,
    DocumentRow,
    KeptDocumentRow,
    MeasurementRow,
    TagRow,
)


def read_rows(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Row]:
    """Return the rows of those among `ids` that are there; raises ValueError and TypeError for damaged ones."""
    document = sa.func.coalesce(KeptDocumentRow.document, DocumentRow.document)
    query = (
        sa.select(MeasurementRow, document, CorrectedRow.document)
        .join(DocumentRow, DocumentRow.measurement_id == MeasurementRow.id)
        .outerjoin(KeptDocumentRow, KeptDocumentRow.measurement_id == MeasurementRow.id)
        .outerjoin(CorrectedRow, CorrectedRow.measurement_id == MeasurementRow.id)
        .where(MeasurementRow.id.in_(ids))
    )
    with Session(connection) as session:
        tags = read_tags(connection, ids)
        return {
            columns.id: Row(columns, document, tags.get(columns.id, ()), corrected)
            for columns, document, corrected in session.execute(query)
        }


def read_tags(connection: sa.Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the tags of measurements in the order of the alphabet; those without any are left out."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    query = sa.select(TagRow.measurement_id, TagRow.tag).where(TagRow.measurement_id.in_(ids))
    for id_, tag in connection.execute(query.order_by(TagRow.measurement_id, TagRow.tag)):
        found[id_].append(tag)
    return found


def classes_of(id_column: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
    """Return the condition that joins classes to measurements that were found before.

    Not by the bare column: SQLite would begin with the classes, of which there are many more.
    """
    return ClassRow.measurement_id == sa.type_coerce(id_column, sa.String()).concat("")
