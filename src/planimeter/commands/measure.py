"""`planimeter measure`: pictures and folders of pictures, without a service."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from planimeter.commands.options import options_of
from planimeter.commands.printing import console
from planimeter.drawing.encoding import encode_png
from planimeter.errors import InvalidOption, MissingPicture, PlanimeterError, StoreFailed
from planimeter.measurement import Measurement
from planimeter.measuring.numbers import write_percent
from planimeter.measuring.segmenter import Measured, Segmenter, open_segmenter
from planimeter.measuring.table import Cell, row, to_csv
from planimeter.packs.pack import find_pack
from planimeter.pictures.formats import SUFFIXES
from planimeter.settings import Inference, Limits, Settings

SETTINGS = (
    "model",
    *Inference.model_fields,
    "max_bytes",
    "max_pixels",
    "max_side",
)
OutputFormat = Literal["table", "json", "csv"]


@dataclass(frozen=True)
class Result:
    """One picture: its measurement, or why there is none."""

    path: Path
    measurement: Measurement | None = None
    error: PlanimeterError | None = None
    drawn: Path | None = None


@click.command()
@click.argument(
    "pictures", metavar="PICTURE|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--score-threshold",
    type=click.FloatRange(0, 1),
    help="Leave out instances below it; default: the model's own.",
)
@click.option(
    "--output-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the drawn pictures there.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How the results are printed.",
)
@options_of(Settings, "settings", only=SETTINGS)
def measure(
    pictures: tuple[Path, ...],
    score_threshold: float | None,
    output_folder: Path | None,
    output_format: OutputFormat,
    settings: Settings,
) -> None:
    """Measure pictures, or all pictures in folders, and print how much of each is covered.

    A picture that cannot be read is reported and the others go on; the exit status is then 1.
    """
    paths = find_pictures(pictures, output_folder)
    if output_folder:
        _create(output_folder)
    segmenter = open_segmenter(find_pack(settings.model, settings.packs_folder), settings)
    limits = Limits(settings.max_bytes, settings.max_pixels, settings.max_side)
    drawn = name_drawings(paths, output_folder)
    progress = Console(stderr=True)
    results = []
    for path in _with_progress(paths, progress):
        result = measure_file(segmenter, path, score_threshold, limits, drawn.get(path))
        results.append(result)
        if result.error:
            progress.print(
                _say(path, result.error), style="red", markup=False, highlight=False, soft_wrap=True
            )
    _print(results, output_format)
    if any(result.error for result in results):
        sys.exit(1)


def _say(path: Path, error: PlanimeterError) -> str:
    """Return an error with the file that it is about, once."""
    return str(error) if str(error).startswith(str(path)) else f"{path}: {error}"


def find_pictures(given: Iterable[Path], output_folder: Path | None = None) -> list[Path]:
    """Return the files among `given` and the pictures in the folders among them, each once.

    What lies in `output_folder` was drawn here before and is left out.
    """
    drawn = output_folder.resolve() if output_folder else None
    found: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            found |= dict.fromkeys(
                entry
                for entry in sorted(path.rglob("*"))
                if entry.suffix.lower() in SUFFIXES
                and entry.is_file()
                and drawn not in entry.resolve().parents
            )
        else:
            found[path] = None
    if not found:
        raise MissingPicture(f"there are no pictures ({', '.join(sorted(SUFFIXES))}) in the folders given")
    return list(found)


def measure_file(
    segmenter: Segmenter, path: Path, score_threshold: float | None, limits: Limits, drawn: Path | None
) -> Result:
    """Measure one file and write the drawn picture to `drawn`."""
    try:
        measured = segmenter.measure(path, score_threshold=score_threshold, limits=limits)
        if drawn:
            _write(drawn, measured)
    except InvalidOption:
        raise
    except PlanimeterError as error:
        return Result(path, error=error)
    return Result(path, measured, drawn=drawn)


def name_drawings(paths: Iterable[Path], folder: Path | None) -> dict[Path, Path]:
    """Return where each drawn picture goes; pictures of the same name in several folders get numbers."""
    if folder is None:
        return {}
    names: dict[Path, Path] = {}
    taken: set[str] = set()
    for path in paths:
        stem, number = path.stem, 1
        while f"{stem}_overlay.png".casefold() in taken:
            number += 1
            stem = f"{path.stem}_{number}"
        taken.add(f"{stem}_overlay.png".casefold())
        names[path] = folder / f"{stem}_overlay.png"
    return names


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(f"the folder {folder} cannot be created: {error.strerror}") from error


def _write(path: Path, measured: Measured) -> None:
    try:
        path.write_bytes(encode_png(measured.draw()))
    except OSError as error:
        raise StoreFailed(f"{path} cannot be written: {error.strerror}") from error


def _with_progress(paths: list[Path], console: Console) -> Iterator[Path]:
    if len(paths) == 1 or not console.is_terminal:
        yield from paths
        return
    columns = (TextColumn("Measuring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(paths)


def _print(results: list[Result], output_format: OutputFormat) -> None:
    if output_format == "json":
        click.echo(json.dumps([_entry(result) for result in results]))
    elif output_format == "csv":
        click.echo(to_csv(_row(result) for result in results), nl=False)
    else:
        _print_table([result for result in results if result.measurement])


def _entry(result: Result) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": str(result.path)}
    if result.measurement:
        entry |= result.measurement.model_dump(by_alias=True)
    if result.error:
        entry["error"] = {"code": result.error.code, "message": str(result.error)}
    if result.drawn:
        entry["overlay_path"] = str(result.drawn)
    return entry


def _row(result: Result) -> dict[str, Cell]:
    measured = row(result.measurement) if result.measurement else {}
    return {"path": str(result.path), "error": str(result.error or ""), **measured}


def _print_table(results: list[Result]) -> None:
    if not results:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("Picture", overflow="fold")
    for title in ("Masked %", "Instances", "Pixels masked", "Pixels counted", "ms"):
        table.add_column(title, justify="right", no_wrap=True)
    for result in results:
        measurement = result.measurement
        if measurement is None:
            continue
        coverage = measurement.coverage
        table.add_row(
            str(result.path),
            write_percent(coverage.percent_masked),
            str(len(measurement.instances)),
            f"{coverage.pixels_masked:,}",
            f"{coverage.pixels_counted:,}",
            f"{measurement.timing_ms.total:.0f}",
        )
    console().print(table)
    notes = [
        f"{result.path}: {note}"
        for result in results
        if result.measurement
        for note in result.measurement.notes
    ]
    for note in notes:
        click.echo(note, err=True)
