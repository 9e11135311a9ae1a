"""Options of many measurements at once: as a list, a table or a file, summed up, deleted."""

from typing import Literal

from pydantic import Field

from planimeter.exports.formats import ExportFormat
from planimeter.measuring.table import CsvStyle
from planimeter.service.api.options.filters import ID_PATTERN, MOST_LISTED, FilterOptions, OrderOptions
from planimeter.service.api.options.measurements import (
    FORMATS_DESCRIBED,
    STYLES_DESCRIBED,
    GivenFigures,
    NamedPictures,
)
from planimeter.service.api.options.parsing import Flag
from planimeter.service.api.options.trash import FOR_GOOD

MOST_AT_ONCE = 10_000
"""Measurements that one archive, one COCO file or one deletion takes."""


class ListOptions(OrderOptions):
    """Options of listing measurements."""

    limit: int | None = Field(
        None, ge=1, le=MOST_LISTED, description="How many; without it 50 as JSON and all of them as CSV."
    )
    before: str | None = Field(
        None,
        pattern=ID_PATTERN,
        description="Only those that come after this id in the order, older ones unless another is asked for: the "
        "cursor of the next page.",
    )


class LinesOptions(OrderOptions):
    """Options of listing measurements in short."""

    limit: int = Field(100, ge=1, le=MOST_LISTED, description="How many.")
    offset: int = Field(0, ge=0, le=2**31, description="Without so many at the beginning of the order.")


class StatisticsOptions(FilterOptions, GivenFigures):
    """Options of the statistics."""

    limit_percent: float | None = Field(
        None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="A picture passes with at most so many percent masked; the others are counted as above.",
    )


class DeleteOptions(FilterOptions):
    """Options of deleting many measurements."""

    count: int = Field(
        ge=1,
        le=MOST_AT_ONCE,
        description="How many they are: where it is not so, nothing is deleted (409). At most "
        f"{MOST_AT_ONCE:,} at once.",
    )
    for_good: Flag = Field(default=False, description=FOR_GOOD)


class CocoOptions(FilterOptions, GivenFigures):
    """Options of one COCO data set."""


class ArchiveOptions(FilterOptions, GivenFigures):
    """Options of the archive of pictures."""

    content: Literal["overlay", "mask", "image"] = Field(
        "overlay", description="The drawn pictures, the masks, or the pictures as uploaded."
    )


class ManyExportOptions(FilterOptions, GivenFigures, NamedPictures):
    """Options of many measurements as a file for another program."""

    format: ExportFormat = Field(description=FORMATS_DESCRIBED)


class TableOptions(OrderOptions):
    """Options of the table of measurements."""

    csv_style: CsvStyle = Field("plain", description=STYLES_DESCRIBED)


class TrendOptions(FilterOptions, GivenFigures):
    """Options of the trend."""

    buckets: int = Field(60, ge=2, le=200, description="The most stretches of time to sum up in.")
