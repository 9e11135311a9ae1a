"""Blocks made of measurements that are in none yet, one at a time; and compared with what they were made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from planimeter.store.blocks import (
    MOST,
    BlockClassRow,
    BlockRow,
    Columns,
    MeasurementFigures,
    columns_of,
)
from planimeter.store.buckets import WIDTHS, bucket_starts
from planimeter.store.coverage import (
    Block,
    Gap,
    gaps_between,
    in_gap,
    read_blocks,
    read_classes,
    read_figures,
)
from planimeter.store.database import Database
from planimeter.store.engine import engine_of
from planimeter.store.filters import distinct
from planimeter.store.ids import is_id
from planimeter.store.series import milliseconds_of
from planimeter.store.tables import MeasurementRow

LEAST = 512
"""So many at the end are worth a block."""
LEFT_OUT = 64
"""Of the newest: others with earlier ids may be on their way still."""
_MOST_DAMAGED = 20
_Rows = Sequence[MeasurementFigures]


@dataclass(frozen=True)
class _Made:
    """A new block, and the one in whose place it comes."""

    model: str
    after: str
    up_to: str
    columns: Columns
    instead_of: Block | None = None


class Blocks:
    """The blocks of a store; from any thread, and beside other processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def step(self) -> bool:
        """Make one block that is missing; return whether one was. Raises StoreFailed."""
        with self._database.reading() as connection:
            models = [model for model in _models(connection) if _is_missing(connection, model)]
        if not models:
            return False
        # Alone: what another writer is about to change must not be read as it was before.
        with self._database.writing(locked=True) as connection:
            made = next(filter(None, (_make(connection, model) for model in models)), None)
            if made is not None:
                _put(connection, made)
                connection.commit()
        return made is not None

    def clear(self) -> None:
        """Remove all of them; `step` makes them anew."""
        with self._database.writing(locked=True) as connection:
            for row in (BlockClassRow, BlockRow):
                connection.execute(sa.delete(row))
            connection.commit()


def wrong_blocks(connection: sa.Connection) -> Iterator[str]:
    """Yield a sentence on each block that does not say what its measurements say."""
    classes = sa.select(BlockClassRow)
    for block in read_blocks(connection):
        own = sa.select(BlockRow).where(BlockRow.model == block.model, BlockRow.up_to_id == block.up_to)
        found = connection.execute(own).mappings().one()
        of_it = classes.where(BlockClassRow.model == block.model, BlockClassRow.up_to_id == block.up_to)
        found_classes = {row["class_name"]: dict(row) for row in connection.execute(of_it).mappings()}
        gap = Gap(block.model, block.after, block.up_to)
        columns = _columns(connection, gap, _read(connection, gap, MOST + 1))
        if columns is not None:
            row, class_rows = columns.to_rows(block.model, block.after, block.up_to)
            if dict(found) == row and found_classes == {each["class_name"]: each for each in class_rows}:
                continue
        yield f"the sums of {block.count:,} measurements by {block.model} up to {block.up_to} are not theirs"


def _models(connection: sa.Connection) -> list[str]:
    return distinct(connection, MeasurementRow.model)


def _is_missing(connection: sa.Connection, model: str) -> bool:
    """Say whether a block of a model may be missing."""
    *inner, end = gaps_between(model, read_blocks(connection, model))
    if inner:
        return True
    there = sa.select(MeasurementRow.id).where(*in_gap(end)).limit(LEAST + LEFT_OUT).subquery()
    return connection.scalar(sa.select(sa.func.count()).select_from(there)) == LEAST + LEFT_OUT


def _make(connection: sa.Connection, model: str) -> _Made | None:
    """Return the first block that is missing; where it is small, with what is in the one beside it."""
    blocks = read_blocks(connection, model)
    for gap in gaps_between(model, blocks):
        rows = _read(connection, gap, 2 * MOST + LEFT_OUT)
        if gap.up_to is None:
            rows = rows[:-LEFT_OUT]
            if len(rows) < LEAST:
                continue
            gap = Gap(model, gap.after, str(rows[-1][0]))  # noqa: PLW2901
        beside = [block for block in blocks if gap.after == block.up_to or gap.up_to == block.after]
        for block in beside:
            if block.count + len(rows) <= MOST:
                joined = Gap(model, min(gap.after, block.after), max(str(gap.up_to), block.up_to))
                columns = _columns(connection, joined, _read(connection, joined, MOST + 1))
                if columns is not None:
                    return _Made(model, joined.after, str(joined.up_to), columns, block)
        if (made := _alone(connection, gap, rows)) is not None:
            return made
    return None


def _alone(connection: sa.Connection, gap: Gap, rows: _Rows) -> _Made | None:
    """Return a block of the first of `rows`; what is damaged stays outside, as does what comes before it."""
    after = gap.after
    for _ in range(_MOST_DAMAGED):
        count = len(rows) if len(rows) <= MOST else _round_end(rows[: min(MOST, len(rows) // 2)])
        while count:
            up_to = str(gap.up_to) if count == len(rows) else str(rows[count - 1][0])
            columns = _columns(connection, Gap(gap.model, after, up_to), rows[:count])
            if columns is not None:
                return _Made(gap.model, after, up_to, columns)
            count //= 2
        if not rows:
            break
        after, rows = str(rows[0][0]), rows[1:]
    return None


def _round_end(rows: _Rows) -> int:
    """Return where to end a block among `rows`: with the longest stretch of time that ends in their second half."""
    if not all(is_id(str(row[0])) for row in rows):
        return len(rows)
    moments = milliseconds_of(np.array([str(row[0]) for row in rows], np.bytes_))
    half = len(rows) // 2
    for seconds in reversed(WIDTHS):
        changes = np.flatnonzero(np.diff(bucket_starts(moments, 1000 * seconds))) + 1
        if len(changes) and changes[-1] >= half:
            return int(changes[-1])
    return len(rows)


def _columns(connection: sa.Connection, gap: Gap, rows: _Rows) -> Columns | None:
    """Return what is in a gap; None where any of it is damaged."""
    try:
        return columns_of(rows, read_classes(connection, [sa.and_(*in_gap(gap))]))
    except (ValueError, TypeError, KeyError):
        return None


def _read(connection: sa.Connection, gap: Gap, limit: int) -> _Rows:
    return read_figures(connection, in_gap(gap), limit)


def _put(connection: sa.Connection, made: _Made) -> None:
    if made.instead_of is not None:
        for table in (BlockClassRow, BlockRow):
            old = table.model == made.instead_of.model, table.up_to_id == made.instead_of.up_to
            connection.execute(sa.delete(table).where(*old))
    row, class_rows = made.columns.to_rows(made.model, made.after, made.up_to)
    connection.execute(sa.insert(BlockRow), row)
    if class_rows:
        connection.execute(sa.insert(BlockClassRow), class_rows)


def rebuild(database: str) -> int:
    """Make all blocks of a database anew, and return how many there are; raises StoreFailed."""
    engine_of(database, create=False).dispose()
    opened = Database(database)
    try:
        blocks = Blocks(opened)
        blocks.clear()
        made = 0
        while blocks.step():
            made += 1
        return made
    finally:
        opened.close()
