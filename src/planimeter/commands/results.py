"""What `planimeter measure` prints and writes, each picture as it is finished: nothing is lost when it ends early."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from planimeter.details import NOTHING_SAID, Details
from planimeter.details import columns_of as said_in
from planimeter.errors import PlanimeterError, StoreFailed
from planimeter.measurement import UNKNOWN, Counting, Interval, Measurement, RuleResult
from planimeter.measuring.counting import counted_part
from planimeter.measuring.table import BYTE_ORDER_MARK, Cell, CsvStyle, columns_of, csv_lines, row
from planimeter.numbers import write_between, write_percent
from planimeter.reading import refuse_irregular
from planimeter.scale import write_quantity

OutputFormat = Literal["table", "json", "csv"]
_WIDEST_NAME = 120
_TITLES = ("90 % interval", "Instances", "Pixels masked", "Pixels counted", "ms")
_VERDICT_TITLE = ("Verdict  ",)
"""As wide as UNDECIDED."""
_UNIT_TITLES = ("Area masked".rjust(18), "Pixel size".rjust(18))
"""Of tables whose first picture says how large its pixels are, wide enough for what follows."""


@dataclass(frozen=True)
class Result:
    """One picture: its measurement, or why there is none."""

    path: Path
    measurement: Measurement | None = None
    error: PlanimeterError | None = None
    drawn: Path | None = None
    details: Details = NOTHING_SAID
    """What is said of the picture."""


Writer = Callable[[Result], None]


@contextmanager
def printing(
    output_format: OutputFormat, paths: Sequence[Path], classes: Sequence[str], style: CsvStyle = "plain"
) -> Iterator[Writer]:
    """Yield what prints a result at once; at the end, whatever ended it, what was printed is complete."""
    if output_format == "json":
        with _json() as write:
            yield write
    elif output_format == "csv":
        yield _csv(click.echo, classes, style)
    else:
        yield _table(paths, classes)


@contextmanager
def keeping(path: Path | None, classes: Sequence[str], style: CsvStyle = "plain") -> Iterator[Writer]:
    """Yield what appends a result to a table in a file, and has it on the disk before the next picture.

    A table that was begun goes on in the style that it has.
    """
    if path is None:
        yield lambda _: None
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            refuse_irregular(path)
        begun = path.is_file() and path.stat().st_size > 0
        if begun:
            _check_columns(path, classes)
        with path.open("a", encoding="utf-8", newline="") as file:

            def append(text: str, *, nl: bool = True) -> None:  # noqa: ARG001  as click.echo is called
                file.write(text)
                file.flush()

            yield _csv(append, classes, style_of(path) if begun else style, header=not begun)
    except OSError as error:
        raise StoreFailed(f"the results cannot be written to {path}: {error.strerror}") from error


def _check_columns(path: Path, classes: Sequence[str]) -> None:
    """Raise `StoreFailed` unless the rows that are about to follow have the columns of those in the file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        known = next(csv.reader(file, delimiter=_delimiter(path)), [])
    if known != _columns(classes):
        raise StoreFailed(
            f"{path} has the columns of another model or version of Planimeter; choose another file"
        )


def _columns(classes: Sequence[str]) -> list[str]:
    return ["path", "error", *said_in(NOTHING_SAID), *columns_of(classes)]


def read_done(path: Path | None) -> set[str]:
    """Return the pictures that a file of results has a measurement of."""
    if path is None or not path.is_file():
        return set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=_delimiter(path)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreFailed(
            f"{path} cannot be read as a table of results ({error}); choose another file"
        ) from error
    if rows and "path" not in rows[0]:
        raise StoreFailed(f"{path} is no table of results: it has no column path; choose another file")
    return {entry["path"] for entry in rows if not entry.get("error")}


def _delimiter(path: Path) -> str:
    return ";" if style_of(path) == "excel_semicolon" else ","


def style_of(path: Path) -> CsvStyle:
    """Return how a table of results was begun, told by its header."""
    with path.open("rb") as file:
        header = file.readline()
    if b";" in header:
        return "excel_semicolon"
    return "excel" if header.startswith(BYTE_ORDER_MARK.encode()) else "plain"


def _csv(
    write: Callable[..., None], classes: Sequence[str], style: CsvStyle, *, header: bool = True
) -> Writer:
    columns = _columns(classes)
    if header:
        write(next(csv_lines((), columns, style)), nl=False)

    def write_row(result: Result) -> None:
        lines = csv_lines([_row(result)], columns, style)
        write(next(lines).partition("\r\n")[2], nl=False)

    return write_row


def _row(result: Result) -> dict[str, Cell]:
    measured = row(result.measurement) if result.measurement else {}
    said = said_in(result.details)
    return {"path": str(result.path), "error": str(result.error or ""), **said, **measured}


@contextmanager
def _json() -> Iterator[Writer]:
    written = 0

    def write(result: Result) -> None:
        nonlocal written
        click.echo((",\n" if written else "[") + json.dumps(_entry(result)), nl=False)
        written += 1

    try:
        yield write
    finally:
        click.echo("]" if written else "[]")


def _entry(result: Result) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": str(result.path), **result.details.model_dump(mode="json")}
    if result.measurement:
        entry |= result.measurement.model_dump(by_alias=True)
    if result.error:
        entry["error"] = {"code": result.error.code, "message": str(result.error)}
    if result.drawn:
        entry["overlay_path"] = str(result.drawn)
    return entry


def _table(paths: Sequence[Path], classes: Sequence[str]) -> Writer:
    by_class = [f"{name} %" for name in classes] if len(classes) > 1 else []
    titles: tuple[str, ...] = (*by_class, *_TITLES)
    width = min(_WIDEST_NAME, max([len(str(path)) for path in paths], default=0))
    begun = False
    said: set[str] = set()

    def write(result: Result) -> None:
        nonlocal begun, titles
        if result.measurement is None:
            return
        in_units, verdict = _in_units(result.measurement), result.measurement.verdict
        if not begun:
            titles = (masked_title(result.measurement.options.counting), *titles)
            titles = (*(_VERDICT_TITLE if verdict else ()), *titles, *(_UNIT_TITLES if in_units else ()))
            click.secho(_line("Picture", titles, titles, width), bold=True)
            begun = True
        coverage = result.measurement.coverage
        figures = (
            *([verdict.upper()] if verdict else ()),
            write_percent(coverage.percent_masked),
            *(write_percent(entry.percent_masked) for entry in coverage.by_class if by_class),
            _between(coverage.interval),
            str(len(result.measurement.instances)),
            f"{coverage.pixels_masked:,}",
            f"{coverage.pixels_counted:,}",
            f"{result.measurement.timing_ms.total:.0f}",
        )
        if titles[-1] == _UNIT_TITLES[-1]:
            figures += in_units or ("", "")
        elif in_units:
            click.echo(f"{result.path}: {in_units[0]} masked, {in_units[1]}", err=True)
        click.echo(_line(str(result.path), figures, titles, width))
        _say_words(result.path, result.measurement, said)

    return write


def masked_title(counting: Counting | None) -> str:
    """Return the head of a column of percentages, which says what they are of where that is not the picture."""
    part = counted_part(counting)
    return "Masked %" if part == "picture" else f"% of {part}".rjust(len("Masked %"))


def _say_words(path: Path, measurement: Measurement, said: set[str]) -> None:
    """Say which rules are not kept, and all notes; what is true of the model is `said` once."""
    for rule in measurement.rules:
        if rule.verdict != "pass":
            click.echo(f"{path}: {write_result(rule)}", err=True)
    for note in measurement.notes:
        if note.code != UNKNOWN:
            click.echo(f"{path}: {note.message}", err=True)
        elif note.message not in said:
            said.add(note.message)
            click.echo(note.message, err=True)


def write_result(rule: RuleResult) -> str:
    """Return what became of a rule: fail, percent masked ≤ 5 %, it is 6.2."""
    value = "" if rule.value is None else f", it is {rule.value:,.6g}"
    reason = f": {rule.reason}" if rule.reason and rule.verdict == "undecided" else ""
    return f"{rule.verdict}, {rule.words}{value}{reason}"


def _in_units(measurement: Measurement) -> tuple[str, str] | None:
    """Return the area masked and how large a pixel is, and who says so; None where that is not known."""
    scale, area = measurement.image.scale, measurement.coverage.area_masked
    if scale is None or area is None:
        return None
    size = scale.words.removesuffix(" a pixel")
    return f"{write_quantity(area)} {scale.symbol}²", f"{size} ({scale.source})"


def _between(interval: Interval | None) -> str:
    """Return the interval for the true percentage; nothing where it is withheld, and a note says why."""
    return "" if interval is None else " to ".join(write_between(interval.low, interval.high))


def _line(name: str, figures: Sequence[str], titles: Sequence[str], width: int) -> str:
    cells = (figure.rjust(len(title)) for figure, title in zip(figures, titles, strict=True))
    return "  ".join((name.ljust(width), *cells))
