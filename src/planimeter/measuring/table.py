"""Measurements as rows of a table, for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from planimeter.measurement import Coverage, Measurement, RuleResult
from planimeter.measuring.counting import counted_part
from planimeter.scale import METRES, Scale, clean

Cell = str | int | float
CsvStyle = Literal["plain", "excel", "excel_semicolon"]
"""How tables are written: for programs (UTF-8, RFC 4180), with the mark by which Excel tells UTF-8, or so and with the
semicolons and decimal commas that it wants where numbers are written 0,5."""
EXCEL_STYLES: dict[CsvStyle, str] = {
    "excel": "CSV for Excel",
    "excel_semicolon": "CSV for Excel with decimal commas",
}
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def row(measurement: Measurement) -> dict[str, Cell]:
    """Return one measurement as columns; `percent_masked[class]` and `area_masked_mm2[class]` for each class.

    `percent_of` says what they are percentages of: picture, region, part that counts, or a class.
    Areas are in fixed units, so that rows can be compared, and empty where it is not known how large a pixel is.
    Percents are empty where nothing was found of the class that they would be of.
    """
    coverage, scale, used = measurement.coverage, measurement.image.scale, measurement.profile
    by_class: dict[str, Cell] = {
        f"percent_masked[{entry.class_name}]": _or_empty(entry.percent_masked) for entry in coverage.by_class
    }
    areas = {
        f"area_masked_mm2[{entry.class_name}]": scale.area_in(entry.pixels_masked, "mm") if scale else ""
        for entry in coverage.by_class
    }
    return {
        "filename": measurement.image.filename,
        "width": measurement.image.width,
        "height": measurement.image.height,
        "percent_of": counted_part(measurement.options.counting),
        "percent_masked": _or_empty(coverage.percent_masked),
        "percent_low": "" if coverage.interval is None else coverage.interval.low,
        "percent_high": "" if coverage.interval is None else coverage.interval.high,
        "pixels_masked": coverage.pixels_masked,
        "pixels_counted": coverage.pixels_counted,
        "pixels_overlapping": coverage.pixels_overlapping,
        "instances": len(measurement.instances),
        **_in_units(coverage, scale),
        "model": measurement.model.name,
        "model_version": measurement.model.version,
        "precision": measurement.model.precision,
        "score_threshold": measurement.options.score_threshold,
        "sha256": measurement.image.sha256,
        "profile": "" if used is None else used.name,
        "profile_version": "" if used is None or used.version is None else used.version,
        "verdict": measurement.verdict or "",
        "rules": " | ".join(map(_rule, measurement.rules)),
        "notes": " | ".join(note.message for note in measurement.notes),
        **by_class,
        **areas,
    }


def _rule(rule: RuleResult) -> str:
    """Return a rule with what became of it: percent masked ≤ 5 %: 4.2, pass."""
    value = "none" if rule.value is None else f"{rule.value:.6g}"
    return f"{rule.words}: {value}, {rule.verdict}"


def _in_units(coverage: Coverage, scale: Scale | None) -> dict[str, Cell]:
    if scale is None:
        return dict.fromkeys(_UNITS, "")
    return {
        "pixel_width_um": clean(scale.pixel_width * METRES[scale.unit] / METRES["um"]),
        "pixel_height_um": clean(scale.pixel_height * METRES[scale.unit] / METRES["um"]),
        "pixel_size_source": scale.source,
        "area_masked_um2": scale.area_in(coverage.pixels_masked, "um"),
        "area_masked_mm2": scale.area_in(coverage.pixels_masked, "mm"),
        "instances_per_mm2": _or_empty(coverage.instances_per_mm2),
    }


def _or_empty(value: float | None) -> Cell:
    return "" if value is None else value


def columns_of(classes: Sequence[str]) -> list[str]:
    """Return the columns of `row` for a model with these classes."""
    figures = ("percent_masked", "area_masked_mm2")
    return [*_FIXED, *(f"{figure}[{name}]" for figure in figures for name in classes)]


_UNITS = (
    "pixel_width_um",
    "pixel_height_um",
    "pixel_size_source",
    "area_masked_um2",
    "area_masked_mm2",
    "instances_per_mm2",
)
_FIXED = (
    "filename",
    "width",
    "height",
    "percent_of",
    "percent_masked",
    "percent_low",
    "percent_high",
    "pixels_masked",
    "pixels_counted",
    "pixels_overlapping",
    "instances",
    *_UNITS,
    "model",
    "model_version",
    "precision",
    "score_threshold",
    "sha256",
    "profile",
    "profile_version",
    "verdict",
    "rules",
    "notes",
)


def to_csv(rows: Iterable[Mapping[str, Cell]], style: CsvStyle = "plain") -> str:
    """Return `rows` as CSV with a header; columns in the order in which they first appear."""
    listed = list(rows)
    columns = list(dict.fromkeys(name for entry in listed for name in entry))
    return "".join(csv_lines(listed, columns, style))


def csv_lines(
    rows: Iterable[Mapping[str, Cell]], columns: Sequence[str], style: CsvStyle = "plain"
) -> Iterator[str]:
    """Yield a header and then each of `rows` as a line of CSV; what is in no column is left out."""
    text = io.StringIO()
    if style != "plain":
        text.write(BYTE_ORDER_MARK)
    local = style == "excel_semicolon"
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", delimiter=";" if local else ",")
    writer.writeheader()
    for entry in rows:
        writer.writerow({name: _local(value) if local else _inert(value) for name, value in entry.items()})
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _local(value: Cell) -> Cell:
    """Return a number with a decimal comma, and anything else inert."""
    return str(value).replace(".", ",") if isinstance(value, float) else _inert(value)


def _inert(value: Cell) -> Cell:
    """Return a text that no spreadsheet takes for a formula: the names of files come from strangers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
