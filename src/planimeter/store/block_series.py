"""What matches, read from blocks, and from the measurements that are in none: the same figures, and sooner."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from planimeter.corrections import Figures
from planimeter.store import postgresql
from planimeter.store.blocks import ENDS, BlockClassRow, BlockRow, Columns, Sums, count_verdicts
from planimeter.store.buckets import bucket_starts
from planimeter.store.coverage import Block, coverage, read_gaps
from planimeter.store.distribution import Percents
from planimeter.store.filters import Filter, matching

_MINUTE_MS = 60_000
_FEW = 120
"""Blocks up to which each is named in a query."""
_Key = tuple[str, str]
"""The model of a block, and its end."""
_Classes = Mapping[str, tuple[NDArray[Any], Percents]]
"""Where each class is in the columns, and its percents there."""


@dataclass(frozen=True)
class _Part:
    """What matches in a block, or beside blocks; percents rise."""

    key: _Key | None
    """None for what is in no block."""
    places: NDArray[Any] | None
    """Of what matches in the columns of the block; None where that is all of it."""
    percents: Percents
    """Of those that have one."""
    sums: Sums
    held: int = 0
    """How many of the block have one, whether they match or not."""


@dataclass(frozen=True)
class Stretch:
    """What matches in a stretch of time."""

    runs: list[Percents] = field(default_factory=list)
    totals: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """The sum of the percents of each class."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """How many of those with a percentage have which verdict."""


@dataclass(frozen=True)
class BlockSeries:
    """Many measurements, to be asked for more than is read at first; all on one connection that sees no change."""

    connection: sa.Connection
    parts: Sequence[_Part]
    beside: Columns
    """What is in no block."""

    @property
    def count(self) -> int:
        """How many have a percentage."""
        return sum(part.sums.with_percent for part in self.parts)

    @property
    def sums(self) -> Sequence[Sums]:
        """What parts of it are in sum."""
        return [part.sums for part in self.parts]

    @property
    def runs(self) -> Sequence[Percents]:
        """All percentages, in pieces that rise."""
        return [part.percents for part in self.parts]

    def ends(self) -> tuple[int, int]:
        """Return the minutes of the first and the last that has a percentage, in milliseconds since 1970."""
        those = [part.sums for part in self.parts if part.sums.with_percent]
        first = min(sums.first_minute_with_percent for sums in those)
        return _MINUTE_MS * first, _MINUTE_MS * max(sums.last_minute_with_percent for sums in those)

    def stretches(self, width: int) -> dict[int, Stretch]:
        """Return what lies in each stretch of so many milliseconds, by its beginning, where there is anything."""
        found: defaultdict[int, Stretch] = defaultdict(Stretch)
        cut: dict[_Key, _Part] = {}
        parts = [part for part in self.parts if part.sums.count]
        firsts, lasts = (
            _starts(np.array(minutes, np.int64), width).tolist()
            for minutes in zip(
                *((part.sums.first_minute, part.sums.last_minute) for part in parts), strict=True
            )
        )
        inside: list[tuple[int, _Part]] = []
        for part, first, last in zip(parts, firsts, lasts, strict=True):
            if first == last:
                inside.append((first, part))
                found[first].runs.append(part.percents)
                for name, (_, _, total) in part.sums.by_class.items():
                    found[first].totals[name] += total
            elif part.key is None:
                classes = {name: (one.places, one.percents) for name, one in self.beside.classes.items()}
                _cut(part, self.beside.minutes, self.beside.verdicts, classes, width=width, found=found)
            else:
                cut[part.key] = part
        verdicts = self._verdicts([*cut.values(), *(part for _, part in inside if not _tells_verdicts(part))])
        for start, part in inside:
            told = part.sums.verdicts
            if not _tells_verdicts(part):
                told = count_verdicts(_of(part, verdicts[part.key]))
            found[start].verdicts.update(told)
        classes_of = self._classes(cut)
        for key, minutes in self._columns(cut, BlockRow.minutes):
            own = np.frombuffer(minutes, np.uint32)
            _cut(cut[key], own, verdicts.get(key), classes_of[key], width=width, found=found)
        return found

    def _verdicts(self, parts: Iterable[_Part]) -> dict[_Key | None, NDArray[np.uint8]]:
        """Return the codes of the verdicts in the columns of some blocks, where there are any."""
        keys = [part.key for part in parts if part.key and part.sums.verdicts]
        found: dict[_Key | None, NDArray[np.uint8]] = {None: self.beside.verdicts}
        found.update(
            (key, np.frombuffer(packed, np.uint8)) for key, packed in self._columns(keys, BlockRow.verdicts)
        )
        return found

    def between(self, low: float | None, high: float | None) -> int:
        """Return how many are neither below the first nor above the second."""
        found = 0
        for run in self.runs:
            end = len(run) if high is None else np.searchsorted(run, high, "right")
            found += max(0, int(end - (0 if low is None else np.searchsorted(run, low))))
        return found

    def outside(self, low: float, high: float, most: int) -> tuple[int, list[str]]:
        """Return how many are below the first or above the second, and the ids of those that are farthest.

        The farthest comes first, of those equally far the oldest.
        """
        ends = [(run.searchsorted(low), run.searchsorted(high, "right")) for run in self.runs]
        far = [
            np.concatenate([low - run[:below], run[above:] - high])
            for run, (below, above) in zip(self.runs, ends, strict=True)
        ]
        every = np.concatenate([*far, np.zeros(0)])
        least = np.partition(every, -most)[-most] if len(every) > most else 0.0
        places_of: dict[_Key | None, NDArray[Any]] = {}
        nearer: dict[_Key | None, list[float]] = {}
        for part, beyond, (below, above) in zip(self.parts, far, ends, strict=True):
            those = np.flatnonzero(beyond >= least)
            if len(those):
                places: NDArray[Any] = np.where(those < below, those, those + above - below)
                places_of[part.key] = places if part.places is None else part.places[places]
                nearer[part.key] = (-beyond[those]).tolist()
        found: list[tuple[float, str]] = []
        for key, ids in self._ids(places_of):
            found += zip(nearer[key], ids.astype(str).tolist(), strict=True)
        return len(every), [id_ for _, id_ in sorted(found)[:most]]

    def judged(self, limit: float) -> tuple[int, int]:
        """Return how many are certainly at or below a limit, and how many certainly above."""
        passed = failed = 0
        keys = [part.key for part in self.parts if part.key]
        highs = dict(self._columns(keys, BlockRow.highs))
        lows = dict(self._columns(keys, BlockRow.lows))
        for part in self.parts:
            bounds = (self.beside.lows, self.beside.highs)
            if part.key:
                bounds = np.frombuffer(lows[part.key]), np.frombuffer(highs[part.key])
            low, high = (bound if part.places is None else bound[part.places] for bound in bounds)
            below = high <= limit
            passed += int(np.count_nonzero(below))
            failed += int(np.count_nonzero((low > limit) & ~below))
        return passed, failed

    def _ids(
        self, places_of: Mapping[_Key | None, NDArray[Any]]
    ) -> Iterator[tuple[_Key | None, NDArray[np.bytes_]]]:
        """Yield the ids at some places of some blocks; all of a block are read only for those in its midst."""
        if None in places_of:
            yield None, self.beside.ids[places_of[None]]
        wanted = {key: places for key, places in places_of.items() if key is not None}
        held = {part.key: part.held for part in self.parts}
        inner: list[_Key] = []
        kind = self.beside.ids.dtype
        for key, packed in self._columns([*wanted], BlockRow.ends):
            places, count = wanted[key], held[key]
            if count > 2 * ENDS and ((places >= ENDS) & (places < count - ENDS)).any():
                inner.append(key)
                continue
            left_out = np.where(places < ENDS, 0, max(0, count - 2 * ENDS))
            yield key, np.frombuffer(packed, kind)[places - left_out]
        for key, packed in self._columns(inner, BlockRow.ids):
            yield key, np.frombuffer(packed, kind)[wanted[key]]

    def _classes(
        self, keys: Mapping[_Key, Any]
    ) -> defaultdict[_Key, dict[str, tuple[NDArray[Any], Percents]]]:
        row, found = BlockClassRow, defaultdict[_Key, dict[str, tuple[NDArray[Any], Percents]]](dict)
        query = sa.select(row.model, row.up_to_id, row.class_name, row.places, row.percents)
        for model, up_to, name, places, percents in _of_keys(self.connection, query, row, keys):
            found[model, up_to][name] = np.frombuffer(places, np.uint16), np.frombuffer(percents)
        return found

    def _columns(self, keys: Collection[_Key], column: Any) -> Iterator[tuple[_Key, bytes]]:
        query = sa.select(BlockRow.model, BlockRow.up_to_id, column)
        for model, up_to, packed in _of_keys(self.connection, query, BlockRow, keys):
            yield (model, up_to), packed


def block_series(connection: sa.Connection, wanted: Filter) -> BlockSeries | None:
    """Return what matches; None where blocks do not tell it. The connection has to hold still."""
    covered = coverage(connection, wanted)
    beside = None if covered is None else read_gaps(connection, wanted, covered.gaps)
    if covered is None or beside is None:
        return None
    parts = [*_parts(connection, wanted, covered.blocks), *_beside(wanted, beside)]
    return BlockSeries(connection, parts, beside)


def blocks_of_figures(connection: sa.Connection, wanted: Filter, figures: Figures) -> BlockSeries | None:
    """Return the same where it is also what was corrected: blocks hold all as it was measured."""
    if figures == "corrected":
        query, _ = matching(replace(wanted, corrected=True), needs_columns=True)
        if connection.scalar(sa.select(query.exists())):
            return None
    return block_series(connection, wanted)


def _parts(connection: sa.Connection, wanted: Filter, blocks: Sequence[Block]) -> Iterator[_Part]:
    row, of_class = BlockRow, BlockClassRow
    columns: list[Any] = [row.model, row.up_to_id, row.percents, row.sums]
    if wanted.class_name is not None:
        columns[3:] = [of_class.sums, of_class.places]
    query: Any = sa.select(*columns)
    if wanted.class_name is not None:
        same = of_class.model == row.model, of_class.up_to_id == row.up_to_id
        query = query.join(of_class, sa.and_(*same, of_class.class_name == wanted.class_name))
    keys = [(block.model, block.up_to) for block in blocks]
    for model, up_to, packed, text, *more in _of_keys(connection, query, row, keys):
        sums, percents = Sums.from_json(text), np.frombuffer(packed)
        held = int(np.searchsorted(percents, np.nan))
        places = np.frombuffer(more[0], np.uint16) if more else None
        if places is not None:
            percents = percents[places]
        yield _Part((model, up_to), places, percents[: sums.with_percent], sums, held)


def _beside(wanted: Filter, beside: Columns) -> Iterator[_Part]:
    """Yield what is in no block, where anything is."""
    if wanted.class_name is None:
        yield _Part(None, None, beside.percents[: beside.sums.with_percent], beside.sums)
    elif (one := beside.classes.get(wanted.class_name)) is not None:
        percents = beside.percents[one.places]
        yield _Part(None, one.places, percents[: one.sums.with_percent], one.sums)


def _of_keys(connection: sa.Connection, query: Any, row: Any, keys: Collection[_Key]) -> Iterator[Any]:
    """Yield the rows of some blocks; the first two columns of the query are their keys."""
    if not keys:
        return
    wanted, ends = set(keys), [end for _, end in keys]
    few = row.up_to_id.in_(sorted(ends)) if len(ends) <= _FEW else row.up_to_id.between(min(ends), max(ends))
    models = sorted({model for model, _ in wanted})
    query = query.where(row.model.in_(models), few)
    plain = connection.dialect.name == "sqlite"
    for found in connection.execute(query) if plain else postgresql.rows_in_binary(connection, query):
        if (found[0], found[1]) in wanted:
            yield found


def _tells_verdicts(part: _Part) -> bool:
    """Say whether the verdicts in its sums are those of what has a percentage."""
    return not part.sums.verdicts or part.sums.with_percent == part.sums.count


def _of(part: _Part, column: NDArray[Any]) -> NDArray[Any]:
    """Return what is in a column of the block for those that match and have a percentage, by rising percent."""
    own = column if part.places is None else column[part.places]
    return own[: len(part.percents)]


def _cut(
    part: _Part,
    minutes: NDArray[np.uint32],
    verdicts: NDArray[np.uint8] | None,
    classes: _Classes,
    *,
    width: int,
    found: Mapping[int, Stretch],
) -> None:
    """Add what matches in a block to the stretches in which it lies; `found` makes those that are missing."""
    starts = _starts(minutes, width)
    first = int(starts.min())
    index = (starts - first) // width
    own = _of(part, index)
    order = np.argsort(own.astype(np.int32), kind="stable")
    ends = np.cumsum(np.bincount(own))[:-1]
    for number, values in enumerate(np.split(part.percents[order], ends)):
        if len(values):
            found[first + number * width].runs.append(values)
    if verdicts is not None:
        for number, codes in enumerate(np.split(_of(part, verdicts)[order], ends)):
            if len(codes):
                found[first + number * width].verdicts.update(count_verdicts(codes))
    matches = np.zeros(len(minutes), bool)
    matches[slice(None) if part.places is None else part.places] = True
    for name, (those, percents) in classes.items():
        chosen = slice(None) if part.places is None else matches[those]
        totals = np.bincount(index[those[chosen]], percents[chosen])
        for number in np.flatnonzero(totals).tolist():
            found[first + number * width].totals[name] += float(totals[number])


def _starts(minutes: NDArray[Any], width: int) -> NDArray[np.int64]:
    return bucket_starts(minutes.astype(np.int64) * _MINUTE_MS, width)
