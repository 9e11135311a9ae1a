"""`planimeter measure`: pictures and folders of pictures, without a service."""

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from planimeter.bulk.task import Engine, Task
from planimeter.commands.finding import find_pictures, listed
from planimeter.commands.measure_bulk import PLACE, PlaceGiven, check_together, measure_into_tables
from planimeter.commands.measure_exports import exporting
from planimeter.commands.measure_profile import ask, check_verdict, status_of
from planimeter.commands.options import FolderHere, options_of
from planimeter.commands.results import OutputFormat, Result, keeping, printing, read_done
from planimeter.commands.stopping import stopping_by_signal
from planimeter.details import NOTHING_SAID, Details
from planimeter.drawing.encoding import encode_png
from planimeter.errors import InvalidOption, PlanimeterError, StoreFailed
from planimeter.exports.formats import ExportFormat
from planimeter.measuring.ahead import in_order
from planimeter.measuring.asked import Asked, GivenFilters
from planimeter.measuring.measured import Measured
from planimeter.measuring.opening import open_segmenter
from planimeter.measuring.segmenter import Segmenter
from planimeter.measuring.table import CsvStyle
from planimeter.measuring.tally import Tally
from planimeter.packs.pack import find_pack
from planimeter.scale import GivenScale
from planimeter.settings import Inference, Limits, Settings

SETTINGS = (
    "model",
    "database",
    *Inference.model_fields,
    "max_bytes",
    "max_pixels",
    "max_side",
)


@click.command()
@click.argument("pictures", metavar="PICTURE|FOLDER|s3://...", nargs=-1, required=True, type=PLACE)
@click.option(
    "--score-threshold",
    type=click.FloatRange(0, 1),
    help="Leave out instances below it; default: the model's own.",
)
@click.option(
    "--output-folder",
    type=FolderHere(),
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
@click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append each picture's row to this CSV file as it is finished; what is in it is not measured again.",
)
@click.option(
    "--csv-style",
    type=click.Choice(get_args(CsvStyle)),
    default="plain",
    show_default=True,
    help="For Excel, tables need a mark to be read as UTF-8; where numbers are written 0,5, semicolons too.",
)
@click.option(
    "--export",
    "export_format",
    type=click.Choice(get_args(ExportFormat)),
    help="Write what was found as files for another program too; each says what it cannot carry.",
)
@click.option(
    "--to",
    "to",
    type=PLACE,
    metavar="FOLDER|s3://...",
    help="Folder of the export. Without --export: write one row a picture, and one an instance, into Parquet tables in "
    "this folder or bucket, and go on where it was stopped; see docs/bulk.md.",
)
@click.option(
    "--engine",
    type=click.Choice(get_args(Engine)),
    default="here",
    show_default=True,
    help="With --to: measure on this machine, or on a Ray cluster (that of RAY_ADDRESS, else one started here).",
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="With --to: measure those again that failed before.",
)
@click.option(
    "--region",
    metavar="FILE|JSON",
    help='What counts, as JSON or a file of it: {"include": [[[x, y], ...], ...], "exclude": [...]}.',
)
@click.option(
    "--region-mask",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A picture of the same size whose pixels count where they are not black.",
)
@click.option(
    "--profile",
    metavar="FILE|NAME",
    help="How to measure, and rules that make a verdict: a TOML or JSON file, or the name of one that the service of "
    "--database knows; see docs/profiles.md.",
)
@click.option(
    "--fail-on-verdict",
    is_flag=True,
    help="Exit with status 3 where a picture fails the rules of the profile, else with 4 where one is undecided.",
)
@options_of(GivenFilters, "filters")
@options_of(GivenScale, "given")
@options_of(Details, "details")
@options_of(Settings, "settings", only=SETTINGS)
def measure(
    pictures: tuple[PlaceGiven, ...],
    score_threshold: float | None,
    output_folder: Path | None,
    output_format: OutputFormat,
    results: Path | None,
    csv_style: CsvStyle,
    export_format: ExportFormat | None,
    to: PlaceGiven | None,
    engine: Engine,
    retry_failed: bool,
    region: str | None,
    region_mask: Path | None,
    profile: str | None,
    fail_on_verdict: bool,
    filters: GivenFilters,
    given: GivenScale,
    details: Details,
    settings: Settings,
) -> None:
    """Measure pictures, or all pictures in folders, and print how much of each is covered.

    Each picture is printed as it is finished; Ctrl+C keeps what was done, and with --results the same command goes on
    from there. A picture that cannot be read is reported and the others go on; the exit status is then 1.
    """
    console = Console(stderr=True)
    into_tables = to is not None and export_format is None
    check_together(
        into_tables=into_tables,
        others={
            "--output-folder": output_folder is not None,
            "--results": results is not None,
            "--format": output_format != "table",
        },
        only={
            "--engine": engine != "here",
            "--retry-failed": retry_failed,
            "s3://…": not all(isinstance(given, Path) for given in (*pictures, to or Path())),
        },
    )
    on_disk = [given for given in pictures if isinstance(given, Path)]
    paths, left_out = find_pictures(on_disk, output_folder) if on_disk else ([], [])
    if left_out:
        console.print(f"left out: {listed(left_out)}", style="yellow", markup=False, soft_wrap=True)
    if output_folder:
        _create(output_folder)
    asked = ask(
        profile,
        database=settings.database,
        model=settings.model,
        score_threshold=score_threshold,
        region=None if region is None else _json_of(region),
        region_mask=region_mask,
        filters=filters,
        scale=given,
    )
    check_verdict(asked.judging, asked=fail_on_verdict)
    limits = Limits(settings.max_bytes, settings.max_pixels, settings.max_side)
    pack = find_pack(asked.model, settings.packs_folder)
    if to is not None and into_tables:
        task = Task(
            asked, Inference(**settings.model_dump(include={*Inference.model_fields})), limits, details
        )
        buckets = [given for given in pictures if isinstance(given, str)]
        tally, left = measure_into_tables(
            task, pack, paths, buckets, to, engine=engine, retry_failed=retry_failed, console=console
        )
        sys.exit(_status(tally, tally.count + left, by_verdict=fail_on_verdict))
    segmenter = open_segmenter(pack, settings)
    drawn = name_drawings(paths, output_folder)
    done = read_done(results)
    todo = [path for path in paths if str(path) not in done]
    if len(todo) < len(paths):
        console.print(f"{len(paths) - len(todo)} of {len(paths)} pictures are in {results} already")
    tally = Tally()
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    with (
        stopping_by_signal() as stopping,
        printing(output_format, paths, segmenter.classes, csv_style) as show,
        keeping(results, segmenter.classes, csv_style) as keep,
        exporting(
            export_format, None if to is None else Path(to), paths, todo, segmenter.classes, say
        ) as write_export,
    ):
        # One more than the network takes at a time: what is not the network overlaps with it.
        measured = in_order(
            todo,
            lambda path: measure_file(segmenter, path, asked, limits, drawn.get(path), details),
            1 + segmenter.streams,
            stopping,
        )
        for result in _with_progress(measured, len(todo), console):
            tally.add(result.measurement)
            write_export(result)
            keep(result)
            show(result)
            if result.error:
                said = _say(result.path, result.error)
                console.print(said, style="red", markup=False, highlight=False, soft_wrap=True)
    if len(paths) > 1:
        console.print(tally.words(len(todo) - tally.count), highlight=False)
    sys.exit(_status(tally, len(todo), by_verdict=fail_on_verdict))


def _status(tally: Tally, wanted: int, *, by_verdict: bool) -> int:
    """Return the exit status: that of an early end, of a picture that failed, or of the verdicts."""
    if tally.count < wanted:
        return 130
    if tally.failed:
        return 1
    return status_of(tally) if by_verdict else 0


def _json_of(region: str) -> str:
    """Return the JSON of a region: the text itself, or what the file of this name holds."""
    if region.lstrip().startswith("{"):
        return region
    try:
        return Path(region).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise InvalidOption(
            f"--region {region[:100]!r} is neither JSON nor a file that can be read: {error}"
        ) from error


def _say(path: Path, error: PlanimeterError) -> str:
    """Return an error with the file that it is about, once."""
    return str(error) if str(error).startswith(str(path)) else f"{path}: {error}"


def measure_file(
    segmenter: Segmenter,
    path: Path,
    asked: Asked,
    limits: Limits,
    drawn: Path | None,
    details: Details = NOTHING_SAID,
) -> Result:
    """Measure one file and write the drawn picture to `drawn`."""
    try:
        measured = segmenter.measure(
            path,
            score_threshold=asked.score_threshold,
            limits=limits,
            pixel_size=asked.scale.pixel_size,
            unit=asked.scale.unit,
            counting=asked.counting,
            judging=asked.judging,
        )
        if drawn:
            _write(drawn, measured)
    except InvalidOption:
        raise
    except PlanimeterError as error:
        return Result(path, error=error)
    return Result(path, measured.without_picture(), drawn=drawn, details=details)


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


def _with_progress(results: Iterator[Result], count: int, console: Console) -> Iterator[Result]:
    """Pass the results on, under a bar where the rows themselves do not show how far it is."""
    if count <= 1 or not console.is_terminal or sys.stdout.isatty():
        yield from results
        return
    columns = (TextColumn("Measuring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(results, total=count)
