"""`planimeter measure --export`: what was measured as files that other programs open."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from planimeter.commands.results import Result
from planimeter.errors import InvalidOption, StoreFailed
from planimeter.exports.files import write_many
from planimeter.exports.formats import (
    COVERAGE_COLUMNS,
    FORMATS,
    ExportFormat,
    coverage_row,
    encoded,
    export,
    largest,
)
from planimeter.exports.source import Change, Names, Source
from planimeter.exports.yolo import ClassNumbers
from planimeter.measuring.table import Cell, csv_lines
from planimeter.numbers import write_signed
from planimeter.packs.packing import new_file
from planimeter.reading import read_file, read_file_text

COVERAGE = "coverage.csv"
SHOWN_DECIMALS = 4
Say = Callable[[str], None]


@dataclass
class Exporter:
    """Writes each picture as it is finished, or all of them into one file at the end."""

    kind: ExportFormat
    folder: Path
    stems: dict[Path, str]
    numbers: dict[str, int]
    changes: list[Change] = field(default_factory=list)
    kept: list[Source] = field(default_factory=list)

    def write(self, result: Result) -> None:
        """Write a picture that was measured; raises `StoreFailed`."""
        if result.measurement is None:
            return
        source = Source(result.measurement, self.stems[result.path], _place(result.path, self.folder))
        entry = export(self.kind, source, self.numbers)
        self.changes.append(entry.change)
        if FORMATS[self.kind].one_file:
            self.kept.append(replace(source))  # without its unpacked masks
            return
        target = target_of(self.kind, self.folder, source.stem)
        _write(target, encoded(entry.document))
        _append(self.folder / COVERAGE, coverage_row(entry, target.relative_to(self.folder).as_posix()))

    def finish(self, say: Say) -> None:
        """Write what holds all pictures, and say what became of their coverage."""
        form = FORMATS[self.kind]
        if form.one_file and self.kept:
            _write(_whole(self.kind, self.folder), b"".join(write_many(self.kind, self.kept)))
        if not self.changes:
            return
        most = largest(self.changes)
        told = "covers what was measured, to the pixel"
        if most:
            told = f"changes the coverage by up to {write_signed(most, SHOWN_DECIMALS)} percentage points"
        say(f"exported to {self.folder} as {form.title}, {len(self.changes):,} pictures: the export {told}")
        say(form.cannot_carry)


@contextmanager
def exporting(
    kind: ExportFormat | None,
    folder: Path | None,
    paths: Sequence[Path],
    todo: Sequence[Path],
    classes: Sequence[str],
    say: Say,
) -> Iterator[Callable[[Result], None]]:
    """Yield what exports a result; at the end, whatever ended it, the export is complete.

    Raises `InvalidOption`, before anything is measured, where a file is there already that would be replaced.
    """
    if (kind is None) != (folder is None):
        raise click.UsageError("--export FORMAT and --to FOLDER go together")
    if kind is None or folder is None:
        yield lambda _: None
        return
    names = Names()
    stems = {path: names.of(path.name) for path in paths}
    _refuse_to_replace(kind, folder, [stems[path] for path in todo], len(paths) - len(todo))
    numbers = ClassNumbers()
    exporter = Exporter(kind, folder, stems, numbers.add(classes))
    if kind == "yolo":
        _keep_names(folder / "data.yaml", numbers.data_yaml())
    try:
        yield exporter.write
    finally:
        exporter.finish(say)


def target_of(kind: ExportFormat, folder: Path, stem: str) -> Path:
    """Return the file of one picture."""
    return folder / FORMATS[kind].folder / f"{stem}{FORMATS[kind].suffix}"


def _whole(kind: ExportFormat, folder: Path) -> Path:
    return folder / (FORMATS[kind].whole or f"{kind}{FORMATS[kind].ending}")


def _place(picture: Path, folder: Path) -> str:
    """Return how a file in a folder names a picture that may be elsewhere."""
    try:
        return Path(os.path.relpath(picture, folder)).as_posix()
    except ValueError:  # another drive of Windows
        return picture.absolute().as_posix()


def _refuse_to_replace(kind: ExportFormat, folder: Path, stems: Sequence[str], done: int) -> None:
    whole = FORMATS[kind].one_file
    if whole and done:
        raise InvalidOption(
            f"the export {kind} is one file for all pictures, and {done} of them were measured before; measure all "
            "again, without --results or with another file"
        )
    targets = [_whole(kind, folder)] if whole else [target_of(kind, folder, stem) for stem in stems]
    there = next((target for target in targets if target.exists()), None)
    if there:
        raise InvalidOption(f"{there} is there already, and is not replaced; choose another folder for --to")


def _keep_names(file: Path, text: str) -> None:
    """Write the names of the classes, where they are not there; others would give labels another meaning."""
    try:
        there = read_file_text(file) if file.exists() else text
    except (OSError, UnicodeDecodeError) as error:
        raise StoreFailed(f"{file} cannot be read; choose another folder for --to ({error})") from error
    if there != text:
        raise InvalidOption(f"{file} is there already with other classes; choose another folder for --to")
    _write(file, text.encode())


def _write(target: Path, data: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with new_file(target) as aside:
            aside.write_bytes(data)
    except OSError as error:
        raise StoreFailed(f"{target} cannot be written: {error.strerror}") from error


def _append(table: Path, row: dict[str, Cell]) -> None:
    header, line = _lines(row)
    try:
        begun = read_file(table)[: len(header)] if table.exists() else b""
        if begun and begun != header:
            raise StoreFailed(f"{table} is another table; choose another folder for --to")
        with table.open("ab") as file:
            file.write(line if begun else header + line)
    except OSError as error:
        raise StoreFailed(f"{table} cannot be written: {error.strerror}") from error


def _lines(row: dict[str, Cell]) -> tuple[bytes, bytes]:
    header, _, line = "".join(csv_lines([row], COVERAGE_COLUMNS)).partition("\r\n")
    return f"{header}\r\n".encode(), line.encode()
