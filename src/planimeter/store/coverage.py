"""Which blocks answer a question, and which measurements are to be read beside them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from planimeter.store.blocks import (
    BlockClassRow,
    BlockRow,
    ClassFigures,
    Columns,
    MeasurementFigures,
    columns_of,
)
from planimeter.store.filters import EVERYTHING, Filter, distinct, id_conditions, matching
from planimeter.store.ids import first_id_at
from planimeter.store.rows import classes_of
from planimeter.store.tables import ClassRow, MeasurementRow

MOST_GAPS = 100
MOST_READ = 50_000
"""Measurements that are read beside blocks; more of them are read another way."""


@dataclass(frozen=True)
class Block:
    """Where a block is, and how many in it match."""

    model: str
    after: str
    up_to: str
    count: int


@dataclass(frozen=True)
class Gap:
    """A stretch of ids of one model that is in no block."""

    model: str
    after: str
    up_to: str | None
    """None where it goes on for ever."""


@dataclass(frozen=True)
class Coverage:
    """What matches: all that is in these blocks, and what matches in these gaps."""

    blocks: Sequence[Block]
    gaps: Sequence[Gap]


def coverage(connection: sa.Connection, wanted: Filter) -> Coverage | None:
    """Return what blocks tell of what matches; None where they tell nothing of it."""
    if replace(wanted, model=None, class_name=None, since=None, until=None) != EVERYTHING:
        return None
    blocks = read_blocks(connection, wanted.model, wanted.class_name)
    if not blocks:
        return None
    found = [*_inside(blocks, wanted)]
    models = [wanted.model] if wanted.model is not None else distinct(connection, MeasurementRow.model)
    gaps = [gap for model in models for gap in _reached(gaps_between(model, found), wanted)]
    return Coverage(found, gaps) if found and len(gaps) <= MOST_GAPS else None


def read_blocks(
    connection: sa.Connection, model: str | None = None, class_name: str | None = None
) -> list[Block]:
    """Return all blocks, or those of a model, in the order of ids; with how many in each have a class."""
    row, of_class = BlockRow, BlockClassRow
    count: Any = row.count
    query = sa.select(row.model, row.after_id, row.up_to_id)
    if class_name is not None:
        count = sa.func.coalesce(of_class.count, 0)
        same = (
            of_class.model == row.model,
            of_class.up_to_id == row.up_to_id,
            of_class.class_name == class_name,
        )
        query = query.outerjoin(of_class, sa.and_(*same))
    if model is not None:
        query = query.where(row.model == model)
    query = query.add_columns(count).order_by(row.model, row.up_to_id)
    rows: Iterable[Any] = connection.execute(query)
    return [Block(*found) for found in rows]


def _inside(blocks: Iterable[Block], wanted: Filter) -> Iterator[Block]:
    """Yield the blocks of which the whole is in the time that is asked for."""
    low = "" if wanted.since is None else first_id_at(wanted.since)
    high = None if wanted.until is None else first_id_at(wanted.until)
    return (block for block in blocks if block.after >= low and (high is None or block.up_to < high))


def gaps_between(model: str, blocks: Iterable[Block]) -> Iterator[Gap]:
    """Yield what blocks in the order of ids leave out of a model, the end too, where others may come."""
    ends = [("", ""), *((block.after, block.up_to) for block in blocks if block.model == model)]
    for (_, end), (after, _) in pairwise(ends):
        if after != end:
            yield Gap(model, end, after)
    yield Gap(model, ends[-1][1], None)


def _reached(gaps: Iterable[Gap], wanted: Filter) -> Iterator[Gap]:
    """Yield the gaps that reach into the time that is asked for."""
    low = "" if wanted.since is None else first_id_at(wanted.since)
    high = None if wanted.until is None else first_id_at(wanted.until)
    for gap in gaps:
        if (gap.up_to is None or gap.up_to >= low) and (high is None or gap.after < high):
            yield gap


def count_in(connection: sa.Connection, wanted: Filter, covered: Coverage) -> int:
    """Return how many match."""
    counts = []
    for gap in covered.gaps:
        query, id_column = matching(replace(wanted, model=gap.model))
        counted = query.where(*_between(id_column, gap)).subquery()
        counts.append(sa.select(sa.func.count()).select_from(counted))
    beside: list[int] = [*connection.scalars(sa.union_all(*counts))] if counts else []
    return sum(block.count for block in covered.blocks) + sum(beside)


def read_gaps(connection: sa.Connection, wanted: Filter, gaps: Sequence[Gap]) -> Columns | None:
    """Return what is in gaps, whatever its class; None where it is too much, or one of them is damaged."""
    if not gaps:
        return columns_of([], [])
    own = sa.type_coerce(MeasurementRow.id, sa.String())
    conditions = [sa.and_(*in_gap(gap), *id_conditions(wanted, own)) for gap in gaps]
    rows: list[Any] = []
    for condition in conditions:
        rows += read_figures(connection, [condition], MOST_READ + 1 - len(rows))
        if len(rows) > MOST_READ:
            return None
    rows.sort(key=lambda found: str(found[0]))
    try:
        return columns_of(rows, read_classes(connection, conditions))
    except (ValueError, TypeError, KeyError):  # all is read one by one then, and what is damaged left out
        return None


def read_figures(
    connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]], limit: int
) -> list[MeasurementFigures]:
    """Return what is summed up of measurements, oldest first; as the driver gives it, which is much quicker."""
    row = MeasurementRow
    query = sa.select(
        row.id,
        row.percent_masked,
        sa.func.coalesce(row.percent_low, row.percent_masked),
        sa.func.coalesce(row.percent_high, row.percent_masked),
        row.instances,
        row.pixels_masked,
        row.pixels_counted,
        row.verdict,
    )
    return _plain_rows(connection.execute(query.where(*conditions).order_by(row.id).limit(limit)))


def read_classes(
    connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]]
) -> list[ClassFigures]:
    """Return the classes of measurements that fulfil one of the conditions."""
    found: list[ClassFigures] = []
    for condition in conditions:
        query = sa.select(
            ClassRow.measurement_id, ClassRow.class_name, ClassRow.percent_masked, ClassRow.count
        )
        query = query.select_from(MeasurementRow).join(ClassRow, classes_of(MeasurementRow.id))
        found += _plain_rows(connection.execute(query.where(condition)))
    return found


def _plain_rows(result: sa.CursorResult[Any]) -> list[Any]:
    return [*result.cursor.fetchall()] if result.cursor is not None else []


def in_gap(gap: Gap) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for what is in a gap."""
    return [MeasurementRow.model == gap.model, *_between(sa.type_coerce(MeasurementRow.id, sa.String()), gap)]


def _between(id_column: sa.ColumnElement[str], gap: Gap) -> list[sa.ColumnElement[bool]]:
    found = [id_column > gap.after]
    return found if gap.up_to is None else [*found, id_column <= gap.up_to]
