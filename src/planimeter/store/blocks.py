"""Blocks: some thousand measurements of one model that follow each other, once more as packed columns.

What is said over a million measurements needs a figure of each, and a million rows take seconds to read; a million
figures in a few hundred blocks take milliseconds. A block tells nothing new, and nothing depends on it: triggers in the
database remove it with any change of a measurement that it holds, whoever makes that change, and what is in no block is
read from the measurements themselves. See `block_building` for how blocks come about.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from planimeter.rules import VERDICTS
from planimeter.store.distribution import Percents
from planimeter.store.ids import is_id
from planimeter.store.series import milliseconds_of
from planimeter.store.tables import Table

MOST = 4096
"""Measurements in a block."""
ENDS = 32
_ID = "S26"
_MINUTE_MS = 60_000
_NEVER = 2**32 - 1
_CODES: Mapping[str | None, int] = {None: 0, **{verdict: code for code, verdict in enumerate(VERDICTS, 1)}}


class BlockRow(Table):
    """A block: all measurements of a model whose ids come after one and not after another."""

    __tablename__ = "blocks"
    __table_args__ = (
        Index("blocks_by_end", "model", "up_to_id", "after_id", "count"),
        {"info": {"derived": True}},
    )

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    up_to_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    """The last id that would be in it."""
    after_id: Mapped[str] = mapped_column(String(26))
    """Of the block before it the last one; empty for the first block."""
    count: Mapped[int] = mapped_column(Integer)
    sums: Mapped[str] = mapped_column(Text)
    """`Sums` as JSON."""
    ends: Mapped[bytes] = mapped_column(LargeBinary)
    """The ids of the first and the last `ENDS` of those with a percentage, without what is between."""
    percents: Mapped[bytes] = mapped_column(LargeBinary)
    """Rising, those that have none at the end; all other columns are in the same order."""
    minutes: Mapped[bytes] = mapped_column(LargeBinary)
    lows: Mapped[bytes] = mapped_column(LargeBinary)
    highs: Mapped[bytes] = mapped_column(LargeBinary)
    ids: Mapped[bytes] = mapped_column(LargeBinary)
    verdicts: Mapped[bytes] = mapped_column(LargeBinary, server_default="")
    """The place of each in `VERDICTS`, from 1; 0 is none."""


class BlockClassRow(Table):
    """One class in a block."""

    __tablename__ = "block_classes"
    __table_args__ = ({"info": {"derived": True}},)

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    up_to_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    class_name: Mapped[str] = mapped_column(Text, primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    """Measurements that have it."""
    sums: Mapped[str] = mapped_column(Text)
    """`Sums` over these alone."""
    places: Mapped[bytes] = mapped_column(LargeBinary)
    """Of these in the columns of the block."""
    percents: Mapped[bytes] = mapped_column(LargeBinary)
    """Of this class in each of them."""


@dataclass(frozen=True)
class Sums:
    """Many measurements in sum."""

    count: int
    with_percent: int
    first_minute: int
    """Since 1970, of the oldest; of no meaning where there are none."""
    last_minute: int
    first_minute_with_percent: int
    last_minute_with_percent: int
    instances: int
    pixels_masked: int
    pixels_counted: int
    verdicts: Mapping[str, int]
    by_class: Mapping[str, tuple[int, int, float]]
    """Measurements that have it, instances, and the sum of its percents."""

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps([*asdict(self).values()], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Sums":
        """Return what `to_json` wrote."""
        return cls(*json.loads(text))


@dataclass(frozen=True)
class ClassColumns:
    """One class in a block, as columns."""

    sums: Sums
    places: NDArray[np.uint32]
    percents: Percents


@dataclass(frozen=True)
class Columns:
    """Many measurements as columns, by rising percent; what has none, not a number, comes last."""

    ids: NDArray[np.bytes_]
    minutes: NDArray[np.uint32]
    percents: Percents
    lows: Percents
    highs: Percents
    verdicts: NDArray[np.uint8]
    sums: Sums
    classes: Mapping[str, ClassColumns]

    def to_rows(
        self, model: str, after_id: str, up_to_id: str
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the row of a block, and those of its classes."""
        key = {"model": model, "up_to_id": up_to_id}
        row = key | {
            "after_id": after_id,
            "count": self.sums.count,
            "sums": self.sums.to_json(),
            "ends": self.ids[ends_of(self.sums.with_percent)].tobytes(),
            **{
                name: getattr(self, name).tobytes()
                for name in ("percents", "minutes", "lows", "highs", "ids", "verdicts")
            },
        }
        return row, [
            {
                **key,
                "class_name": name,
                "count": one.sums.count,
                "sums": one.sums.to_json(),
                "places": one.places.astype(np.uint16).tobytes(),
                "percents": one.percents.tobytes(),
            }
            for name, one in self.classes.items()
        ]


def ends_of(count: int) -> NDArray[np.intp]:
    """Return which of so many percentages have their ids at hand: the first and the last `ENDS`."""
    places = np.arange(count)
    return places if count <= 2 * ENDS else np.delete(places, slice(ENDS, count - ENDS))


MeasurementFigures = tuple[str, float | None, float | None, float | None, int, int, int, str | None]
"""Id, percent, where the truth is thought to lie, instances, pixels masked, pixels counted, verdict."""
ClassFigures = tuple[str, str, float, int]
"""Id of a measurement, name of a class in it, its percent, its instances."""


def columns_of(rows: Sequence[MeasurementFigures], class_rows: Sequence[ClassFigures]) -> Columns:
    """Return measurements, oldest first, as columns; raises ValueError, TypeError and KeyError where one is damaged."""
    if not all(is_id(row[0]) for row in rows):
        raise ValueError("an id is damaged")
    numbers = np.array([row[1:7] for row in rows], np.float64).reshape(-1, 6)  # None is not a number
    order = np.argsort(numbers[:, 0], kind="stable")
    ids = np.array([row[0] for row in rows], _ID)[order]
    minutes = (milliseconds_of(ids) // _MINUTE_MS).astype(np.uint32)
    percents, lows, highs, *_ = numbers[order].T.copy()
    place_of = {id_: place for place, id_ in enumerate(ids.astype(str).tolist())}
    names = sorted({name for _, name, _, _ in class_rows})
    column_of = {name: column for column, name in enumerate(names)}
    of_class = np.array(
        [(place_of[id_], column_of[name], percent, count) for id_, name, percent, count in class_rows],
        np.float64,
    ).reshape(-1, 4)
    own, instances, there = (np.zeros((len(rows), len(names))) for _ in range(3))
    where = of_class[:, 0].astype(np.intp), of_class[:, 1].astype(np.intp)
    own[where], instances[where], there[where] = of_class[:, 2], of_class[:, 3], 1.0
    said = [rows[place][7] for place in order.tolist()]
    verdicts = np.array([_CODES[verdict] for verdict in said], np.uint8)
    each = _Each(minutes, percents, numbers[order, 3:], said, names)
    all_of_them = np.ones((1, len(rows)))
    classes = {}
    for column, name in enumerate(names):
        places = np.flatnonzero(there[:, column]).astype(np.uint32)
        by_class = there[:, [column]].T @ there, there[:, [column]].T @ instances, there[:, [column]].T @ own
        classes[name] = ClassColumns(_sums(each, places, by_class), places, own[places, column])
    by_class = all_of_them @ there, all_of_them @ instances, all_of_them @ own
    total = _sums(each, np.arange(len(rows), dtype=np.uint32), by_class)
    return Columns(ids, minutes, percents, lows, highs, verdicts, total, classes)


def count_verdicts(codes: NDArray[np.uint8]) -> dict[str, int]:
    """Return how many have which verdict; those that nobody has are left out."""
    counts = np.bincount(codes, minlength=len(_CODES)).tolist()
    return {verdict: counts[_CODES[verdict]] for verdict in VERDICTS if counts[_CODES[verdict]]}


@dataclass(frozen=True)
class _Each:
    """What is summed up, of each measurement."""

    minutes: NDArray[np.uint32]
    percents: Percents
    numbers: Percents
    """Instances, pixels masked, pixels counted: whole numbers, which a float holds up to 2**53."""
    verdicts: Sequence[str | None]
    classes: Sequence[str]


def _sums(each: _Each, places: NDArray[np.uint32], by_class: Sequence[Percents]) -> Sums:
    percents = each.percents[places]
    minutes = each.minutes[places]
    with_percent = minutes[: int(np.count_nonzero(~np.isnan(percents)))]
    whole = each.numbers[places].astype(np.int64).sum(axis=0).tolist()
    verdicts: dict[str, int] = {}
    for place in places.tolist():
        verdict = each.verdicts[place]
        if verdict is not None:
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
    found = zip(each.classes, *(part.ravel().tolist() for part in by_class), strict=True)
    instances, masked, counted = whole
    return Sums(
        count=len(places),
        with_percent=len(with_percent),
        first_minute=int(minutes.min(initial=_NEVER)),
        last_minute=int(minutes.max(initial=0)),
        first_minute_with_percent=int(with_percent.min(initial=_NEVER)),
        last_minute_with_percent=int(with_percent.max(initial=0)),
        instances=instances,
        pixels_masked=masked,
        pixels_counted=counted,
        verdicts=verdicts,
        by_class={name: (int(there), int(count), total) for name, there, count, total in found if there},
    )
