"""What counts of measurements, as their documents say it."""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from pydantic import ValidationError

from planimeter.measurement import Counting, Options, Region
from planimeter.store.filters import Filter, matching
from planimeter.store.tables import DocumentRow, KeptDocumentRow

MOST_READ = 1000
"""Documents, the newest: those of pictures with many objects are large."""
_AT_ONCE = 100
_KEY = '"options":'


def read_countings(connection: sa.Connection, wanted: Filter) -> list[Counting | None]:
    """Return what counts of the newest matching measurements; None for a whole picture with all that is found.

    Whichever region it is, it is one without a polygon; damaged documents are left out.
    """
    query, id_column = matching(wanted, needs_columns=True)
    ids = [*connection.scalars(query.order_by(id_column.desc()).limit(MOST_READ))]
    found: list[Counting | None] = []
    for start in range(0, len(ids), _AT_ONCE):
        for document in _documents(connection, ids[start : start + _AT_ONCE]):
            try:  # the options alone, which stand before the masks
                given, _ = json.JSONDecoder().raw_decode(document, document.index(_KEY) + len(_KEY))
                found.append(_without_places(Options.model_validate(given).counting))
            except (ValueError, ValidationError):
                continue
    return found


def _documents(connection: sa.Connection, ids: list[str]) -> Iterator[str]:
    document = sa.func.coalesce(KeptDocumentRow.document, DocumentRow.document)
    query = (
        sa.select(document)
        .select_from(DocumentRow)
        .outerjoin(KeptDocumentRow, KeptDocumentRow.measurement_id == DocumentRow.measurement_id)
        .where(DocumentRow.measurement_id.in_(ids))
    )
    yield from filter(None, connection.scalars(query))


def _without_places(counting: Counting | None) -> Counting | None:
    if counting is None or not (counting.region or counting.region_mask):
        return counting
    return counting.without_region.model_copy(update={"region": Region()})
