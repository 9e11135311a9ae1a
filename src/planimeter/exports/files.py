"""Exports as files: one picture's, and those of many, written while they are sent."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from planimeter.corrections import Figures
from planimeter.exports import coco, cvat
from planimeter.exports.archive import Archive
from planimeter.exports.formats import (
    COVERAGE_COLUMNS,
    FORMATS,
    ExportFormat,
    coverage_row,
    encoded,
    export,
    readme,
)
from planimeter.exports.source import Change, Source
from planimeter.exports.yolo import ClassNumbers
from planimeter.measuring.table import Cell, csv_lines


@dataclass(frozen=True)
class File:
    """A whole export, as it is sent."""

    data: bytes
    name: str
    media_type: str
    change: Change


def write_one(kind: ExportFormat, source: Source) -> File:
    """Return the export of one picture: one file, or a zip where the format has several."""
    form = FORMATS[kind]
    said = "_corrected" if source.figures == "corrected" else ""
    if kind == "yolo":
        changes: list[Change] = []
        data = b"".join(_archive(kind, [source], changes))
        return File(data, f"{source.stem}{said}_yolo.zip", "application/zip", changes[0])
    entry = export(kind, source, {})
    document = [entry.document] if kind == "label_studio" else entry.document
    return File(encoded(document), f"{source.stem}{said}{form.suffix}", form.media_type, entry.change)


def write_many(kind: ExportFormat, sources: Iterable[Source]) -> Iterator[bytes]:
    """Yield, piece by piece, the export of many pictures: one json where the format has that, else a zip."""
    if kind == "coco":
        return (piece.encode() for piece in coco.of_many(sources))
    if kind == "cvat":
        return (piece.encode() for piece in cvat.of_many(sources, FORMATS[kind].cannot_carry))
    if kind == "label_studio":
        return _listed(kind, sources)
    return _archive(kind, sources, [])


def name_of_many(kind: ExportFormat, figures: Figures = "measured") -> tuple[str, str]:
    """Return the name and the media type of an export of many pictures."""
    name = f"measurements_{'' if figures == 'measured' else 'corrected_'}{kind}"
    if FORMATS[kind].one_file:
        return f"{name}{FORMATS[kind].ending}", FORMATS[kind].media_type
    return f"{name}.zip", "application/zip"


def _listed(kind: ExportFormat, sources: Iterable[Source]) -> Iterator[bytes]:
    between = b"[\n"
    for source in sources:
        yield between + encoded(export(kind, source, {}).document)
        between = b",\n"
    yield b"[]\n" if between == b"[\n" else b"]\n"


def _archive(kind: ExportFormat, sources: Iterable[Source], changes: list[Change]) -> Iterator[bytes]:
    """Yield a zip of a file for each picture; `changes` receives what became of each."""
    form = FORMATS[kind]
    archive = Archive()
    archive.add("README.txt", readme(kind))
    numbers = ClassNumbers()
    rows: list[dict[str, Cell]] = []
    for source in sources:
        entry = export(kind, source, numbers.add(source.classes))
        name = f"{form.folder}{source.stem}{form.suffix}"
        packed = form.media_type != "application/zip"
        archive.add(name, encoded(entry.document), source.created_at, packed=packed)
        # Of a picture that is written, its figures are kept and nothing else: there may be thousands.
        rows.append(coverage_row(entry, name))
        changes.append(entry.change)
        yield archive.drained()
    archive.add("coverage.csv", "".join(csv_lines(rows, COVERAGE_COLUMNS)))
    if kind == "yolo":
        archive.add("data.yaml", numbers.data_yaml())
    yield archive.closed()
