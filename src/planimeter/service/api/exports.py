"""Measurements as files: a table, an archive of pictures, what `planimeter.exports` makes.

All are written while they are sent, a few measurements in memory at a time.
"""

from collections.abc import Iterable, Iterator

from planimeter.corrections import Figures
from planimeter.details import columns_of
from planimeter.errors import FileGone, PlanimeterError, StoreFailed
from planimeter.exports.archive import Archive
from planimeter.exports.files import write_many
from planimeter.exports.formats import ExportFormat
from planimeter.exports.source import Names, Source, file_name
from planimeter.measuring.table import Cell, CsvStyle, csv_lines, row
from planimeter.service.api.options.measurements import PictureNames
from planimeter.service.context import context
from planimeter.service.drawn import mask_of, overlay_of
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
        "reviewed": record.reviewed,
        "corrections": record.corrections,
        "corrected_percent_masked": _or_empty(record.corrected_percent_masked),
        **row(record.measurement),
        "measured_threshold": record.measured_threshold,
    }


def _or_empty(value: float | None) -> Cell:
    return "" if value is None else value


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


def sources(
    records: Iterable[Record], figures: Figures = "measured", pictures: PictureNames = "uploaded"
) -> Iterator[Source]:
    """Yield what exports are made of; files are called as the pictures were, numbered where names come twice.

    With corrected `figures`, those of pictures that were not corrected are as measured, and say so.
    """
    names = Names()
    for record in records:
        filename = record.measurement.image.filename
        carried = carried_by(record, figures)
        yield Source(
            record.with_figures(carried).measurement,
            names.of(filename) if pictures == "uploaded" else record.files.stem,
            file_name(filename) or "picture",
            record.id,
            record.created_at,
            figures=carried,
            reviewed=record.reviewed,
            stored=record.files.image,
            by_stored_name=pictures == "stored",
        )


def carried_by(record: Record, wanted: Figures) -> Figures:
    """Return which figures of a record there are of those that are wanted."""
    return "measured" if record.corrected is None else wanted


def export_all(
    kind: ExportFormat, wanted: Filter, figures: Figures = "measured", pictures: PictureNames = "uploaded"
) -> Iterator[bytes]:
    """Yield, piece by piece, the matching measurements as files for another program."""
    return write_many(kind, sources(context().store.walk(wanted), figures, pictures))


# ---- Archive


def write_zip(
    store: Store,
    wanted: Filter,
    records: Iterable[Record],
    content: FileKind = "overlay",
    figures: Figures = "measured",
) -> Iterator[bytes]:
    """Yield, piece by piece, a zip of the pictures and of `measurements.csv`, their table.

    With corrected `figures`, what was corrected is drawn so, and the name of its file says it.
    Pictures are stored as they are (they are compressed already). A file that a person moved away is named in
    `missing.txt` instead: the rest still arrives.
    """
    archive = Archive()
    missing: list[str] = []
    rows: list[dict[str, Cell]] = []
    for record in records:
        rows.append(_row(record))
        corrected = content != "image" and carried_by(record, figures) == "corrected"
        name = corrected_name(getattr(record.files, content)) if corrected else getattr(record.files, content)
        try:
            data = _drawn(record, content) if corrected else store.read(record, content)
            archive.add(name, data, record.created_at, packed=False)
        except PlanimeterError as error:  # of drawing too: others may draw for too long
            if isinstance(error, StoreFailed) and not isinstance(error, FileGone):
                raise  # all that follow would be missing too
            missing.append(name)
        yield archive.drained()
    archive.add("measurements.csv", "".join(csv_lines(rows, _columns(store, wanted))))
    if missing:
        archive.add("missing.txt", "".join(f"{name}\n" for name in missing))
    yield archive.closed()


def corrected_name(name: str) -> str:
    """Return the name of a file that carries corrected figures."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}_corrected{dot}{ending}" if dot else f"{name}_corrected"


def _drawn(record: Record, content: FileKind) -> bytes:
    corrected = record.with_figures("corrected")
    return overlay_of(corrected) if content == "overlay" else mask_of(corrected)
