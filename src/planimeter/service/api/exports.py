"""Measurements as files: a table, an archive of pictures, what `planimeter.exports` makes.

All are written while they are sent, a few measurements in memory at a time.
"""

from collections.abc import Iterable, Iterator

from planimeter.details import columns_of
from planimeter.errors import FileGone
from planimeter.exports.archive import Archive
from planimeter.exports.files import write_many
from planimeter.exports.formats import ExportFormat
from planimeter.exports.source import Names, Source, file_name
from planimeter.measuring.table import Cell, CsvStyle, csv_lines, row
from planimeter.service.context import context
from planimeter.store import FileKind, Filter, Record, Store

# ---- CSV


def write_csv(
    store: Store, wanted: Filter, records: Iterable[Record], style: CsvStyle = "plain"
) -> Iterator[str]:
    """Yield the lines of a table of `records`, those of `wanted`."""
    return csv_lines(map(_row, records), _columns(store, wanted), style)


def _row(record: Record) -> dict[str, Cell]:
    return {
        "id": record.id,
        "created_at": record.created_at.isoformat(),
        "batch": record.batch or "",
        **columns_of(record.details),
        "measured_by": record.measured_by or "",
        **row(record.measurement),
        "measured_threshold": record.measured_threshold,
    }


def _columns(store: Store, wanted: Filter) -> list[str]:
    """Return the columns: a table that is sent while it is read needs to know the classes beforehand.

    Each model's classes are those of its newest measurement; those that only older versions knew follow.
    """
    columns: dict[str, None] = {}
    for name in store.models() if wanted.model is None else [wanted.model]:
        newest = store.list(_of_model(wanted, name), limit=1)
        columns |= dict.fromkeys(_row(newest[0]) if newest else ())
    names = [entry.name for entry in store.statistics(wanted).by_class]
    found = [f"{figure}[{name}]" for figure in ("percent_masked", "area_masked_mm2") for name in names]
    return [*(columns or dict.fromkeys(_FIXED)), *(name for name in found if name not in columns)]


def _of_model(wanted: Filter, name: str) -> Filter:
    return Filter(**{**vars(wanted), "model": name})


_FIXED = ("id", "created_at", "batch", "filename", "percent_masked")
"""The header of an empty table."""


# ---- For other programs


def sources(records: Iterable[Record]) -> Iterator[Source]:
    """Yield what exports are made of; files are called as the pictures were, numbered where names come twice."""
    names = Names()
    for record in records:
        filename = record.measurement.image.filename
        yield Source(
            record.measurement,
            names.of(filename),
            file_name(filename) or "picture",
            record.id,
            record.created_at,
        )


def export_all(kind: ExportFormat, wanted: Filter) -> Iterator[bytes]:
    """Yield, piece by piece, the matching measurements as files for another program."""
    return write_many(kind, sources(context().store.walk(wanted)))


# ---- Archive


def write_zip(
    store: Store, wanted: Filter, records: Iterable[Record], content: FileKind = "overlay"
) -> Iterator[bytes]:
    """Yield, piece by piece, a zip of the pictures and of `measurements.csv`, their table.

    Pictures are stored as they are (they are compressed already). A file that a person moved away is named in
    `missing.txt` instead: the rest still arrives.
    """
    archive = Archive()
    missing: list[str] = []
    rows: list[dict[str, Cell]] = []
    for record in records:
        rows.append(_row(record))
        name = getattr(record.files, content)
        try:
            archive.add(name, store.read(record, content), record.created_at, packed=False)
        except FileGone:
            missing.append(name)
        yield archive.drained()
    archive.add("measurements.csv", "".join(csv_lines(rows, _columns(store, wanted))))
    if missing:
        archive.add("missing.txt", "".join(f"{name}\n" for name in missing))
    yield archive.closed()
