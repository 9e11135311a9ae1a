"""What counts of measurements, as their documents say it."""

import json
from collections import Counter

import sqlalchemy as sa
from pydantic import ValidationError

from planimeter.measurement import Counting, Options, Region
from planimeter.store.filters import Filter, matching
from planimeter.store.tables import DocumentRow, KeptDocumentRow

_FROM, _TO = '"options":', '"coverage":'
"""Between these, before the masks, stands what was asked of a measurement."""


def read_countings(connection: sa.Connection, wanted: Filter) -> list[tuple[Counting | None, int]]:
    """Return what counts of the matching measurements, and of how many; None for all that is found in a whole picture.

    Whichever region it is, it is one without a polygon; damaged documents are left out. The documents are read where
    they are: most of a lot ask for the same, so that few texts leave the database.
    """
    ids, _ = matching(wanted, needs_columns=True)
    document = sa.func.coalesce(KeptDocumentRow.document, DocumentRow.document)
    place = sa.func.instr if connection.dialect.name == "sqlite" else sa.func.strpos
    begin, end = place(document, _FROM) + len(_FROM), place(document, _TO)
    said = sa.func.substr(document, begin, sa.case((end > begin, end - begin), else_=0)).label("said")
    each = (
        sa.select(said)
        .select_from(DocumentRow)
        .outerjoin(KeptDocumentRow, KeptDocumentRow.measurement_id == DocumentRow.measurement_id)
        .where(DocumentRow.measurement_id.in_(ids))
        .subquery()
    )
    counts: Counter[str] = Counter()
    countings: dict[str, Counting | None] = {}
    for text, count in connection.execute(sa.select(each.c.said, sa.func.count()).group_by(each.c.said)):
        try:
            given, _ = json.JSONDecoder().raw_decode(text.lstrip())
            counting = _without_places(Options.model_validate(given).counting)
        except (ValueError, ValidationError):
            continue
        key = "" if counting is None else counting.model_dump_json()
        countings[key] = counting
        counts[key] += count
    return [(counting, counts[key]) for key, counting in countings.items()]


def _without_places(counting: Counting | None) -> Counting | None:
    if counting is None or not (counting.region or counting.region_mask):
        return counting
    return counting.without_region.model_copy(update={"region": Region()})
