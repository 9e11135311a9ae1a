"""What can be asked of the service: written by `make client` from the document of the API, not by hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict


class AnswerOptions(TypedDict, total=False):
    """How an answer is written."""

    mask_format: Literal["rle", "polygon", "none"] | None
    """How the answer gives the mask of each instance; the record keeps the exact RLE."""


class AuditOptions(TypedDict, total=False):
    """Which entries of the audit trail."""

    after: int | None
    """Only entries after this sequence: the cursor."""
    measurement: str | None
    """Only those of this measurement."""
    limit: int | None
    """How many; without it all of them."""


class CorrectionListOptions(TypedDict, total=False):
    """Options of listing the corrections of a measurement."""

    limit: int | None
    """How many; fewer come where their masks are long."""
    after: int | None
    """Only those with a higher number: the cursor of the next page."""
    masks: Literal["none", "rejected", "all"] | None
    """Whose masks are answered: none, those of what is rejected now, or those of changes too."""


class DatasetOptions(TypedDict, total=False):
    """Options of a data set."""

    model: str | None
    """Only pictures that this model measured."""
    format: Literal["coco", "zip"] | None
    """The COCO json alone, with a coco_url for each picture, or a zip of it and the pictures."""


class DeletingOptions(TypedDict, total=False):
    """Options of deleting one measurement."""

    for_good: bool | None
    """Past the trash, from which it could be brought back: the files are removed at once."""


class FilterOptions(TypedDict, total=False):
    """Which measurements match: all that fulfil every condition given."""

    ids: Sequence[str] | str
    """Only these: ids with commas between them, at most 1,000; may be repeated."""
    batch: str | None
    """Only those sent under this name."""
    lot: str | None
    """Only those of this lot."""
    sample: str | None
    """Only those of this sample."""
    operator: str | None
    """Only those of this operator."""
    tag: Sequence[str] | str
    """Only those with this tag; several, with commas between them or repeated: with all of them."""
    profile: str | None
    """Only those measured by the profile of this name, in any of its versions."""
    verdict: Literal["pass", "fail", "undecided"] | None
    """Only those whose rules say this."""
    reviewed: bool | None
    """Only those that a person said are right, or only the others."""
    model: str | None
    """Only those of this model."""
    class_: str | None
    """Only those that found this class."""
    filename: str | None
    """Only those whose file name contains this; capitals make no difference."""
    since: datetime | str
    """Only from this time on (ISO 8601; UTC without a zone)."""
    until: datetime | str
    """Only before this time (ISO 8601; UTC without a zone)."""
    min_percent: float | None
    """Only those with at least so many percent masked."""
    max_percent: float | None
    """Only those with at most so many percent masked."""


class GivenFigures(TypedDict, total=False):
    """Which figures an answer carries; it says so itself, too."""

    figures: Literal["measured", "corrected"] | None
    """As measured, or as corrected; where nothing was corrected, as measured then too. The answer says
    which it carries."""


class LotListOptions(TypedDict, total=False):
    """Options of listing lots."""

    name: str | None
    """Only those whose name contains this."""


class NamedPictures(TypedDict, total=False):
    """How pictures are called."""

    pictures: Literal["uploaded", "stored"] | None
    """How the file calls pictures: as they were uploaded, or as they are stored and as the archive of
    pictures calls them, with the id of the measurement: so corrections find their way back."""


class ProfileOptions(TypedDict, total=False):
    """Options of making or changing a profile."""

    after: int | None
    """The version that the change was made from, 0 where there was no such profile: refused where it is
    another one now. Without it the change is made whatever is there."""


class QueueOptions(TypedDict, total=False):
    """Which measurements are to be reviewed, and in which order."""

    model: str | None
    """Only those of this model."""
    lot: str | None
    """Only those of this lot."""
    batch: str | None
    """Only those of this batch."""
    by: Literal["doubt", "chance"] | None
    """Doubt has those that are worth a look, the most urgent first; chance has all, in an order whose first
    ones are a fair sample: for the mean of a lot, and for the error of a model."""
    limit: int | None
    """How many."""


class ScaleOptions(TypedDict, total=False):
    """How large a pixel is: by its side, or by a line on the picture and its length."""

    pixel_size: float | None
    """Side of a pixel in the unit; or line and length."""
    line: str | None
    """A scale bar in the picture, as x0,y0,x1,y1 in its pixels."""
    length: float | None
    """How long that bar is, in the unit."""


class ThresholdOptions(TypedDict, total=False):
    """Options of reading a measurement as another threshold would have made it."""

    score_threshold: float | None
    """Answers as if the picture had been measured with this threshold; the network does not run again and
    the record stays as it is."""


class VersionOptions(TypedDict, total=False):
    """Options of reading a profile."""

    version: int | None
    """An earlier version, also of a profile that was deleted; without it, what it says now."""


class DeleteOptions(FilterOptions, total=False):
    """Options of deleting many measurements."""

    for_good: bool | None
    """Past the trash, from which it could be brought back: the files are removed at once."""


class DetailsOptions(TypedDict, total=False):
    """All that is said of a measurement: what is left out is said no more."""

    lot: str | None
    """The lot that the picture belongs to; at most 100 characters."""
    sample: str | None
    """The sample that it shows a field of; at most 100 characters."""
    operator: str | None
    """Who prepared or took it; at most 100 characters."""
    note: str | None
    """Anything else; at most 2,000 characters."""
    tags: Sequence[str] | str
    """Words to find it by, with commas between them: at most 20, of 50 characters each; may be repeated."""


class DifferenceOptions(TypedDict, total=False):
    """Options of the picture of a comparison."""

    format: Literal["png", "jpeg"] | None
    """PNG is exact, JPEG small."""


class LotOptions(GivenFigures, total=False):
    """Options of summing up a lot."""

    limit_percent: float | None
    """A picture passes with at most so many percent masked."""
    within: float | None
    """Percentage points to either side of the mean that the 95 % confidence interval is to reach at most:
    how many more pictures that needs is told. Without it, a tenth of the mean."""


class OrderOptions(FilterOptions, total=False):
    """Which measurements, in which order."""

    order: (
        Literal[
            "-created_at",
            "created_at",
            "-percent_masked",
            "percent_masked",
            "-instances",
            "instances",
            "filename",
            "-filename",
            "model",
            "-model",
        ]
        | None
    )
    """What to sort by; with a minus it falls. What is equal there goes by time."""


class ArchiveOptions(FilterOptions, GivenFigures, total=False):
    """Options of the archive of pictures."""

    content: Literal["overlay", "mask", "image"] | None
    """The drawn pictures, the masks, or the pictures as uploaded."""


class CocoOptions(FilterOptions, GivenFigures, total=False):
    """Options of one COCO data set."""


class FiguresOptions(ThresholdOptions, GivenFigures, total=False):
    """Options of what carries the figures of one measurement."""


class LinesOptions(OrderOptions, total=False):
    """Options of listing measurements in short."""

    limit: int | None
    """How many."""
    offset: int | None
    """Without so many at the beginning of the order."""


class ListOptions(OrderOptions, total=False):
    """Options of listing measurements."""


class ReadOptions(AnswerOptions, ThresholdOptions, total=False):
    """Options of reading one measurement."""


class RegionOptions(TypedDict, total=False):
    """What counts."""

    ignore: str | None
    """Pixels that do not count, with commas between: transparent (less than half opaque), black_border (8
    or darker from an edge inwards), saturated (white in every channel)."""
    classes: str | None
    """Names of the classes whose instances count, with commas between; without it, all."""
    least_area: int | None
    """Instances with fewer pixels that count are left out."""
    of: str | None
    """Name of the class that all percentages are of: only pixels of its instances count, and others are cut
    to them; without it, all pixels count."""
    region: Mapping[str, Any] | str
    """What of the picture counts: {'include': [[[x, y], …], …], 'exclude': […]}, polygons in its pixels. A
    pixel is in a polygon where its centre lies inside or on its edge; polygons lie in the picture and do
    not cross themselves."""
    region_mask: bytes
    """A picture of the same size whose pixels count where they are not black: a second file in a form, else
    its base64."""
    whole: bool | None
    """What counted of a stored picture before is not kept: all of it counts, but for what is asked here."""


class StatisticsOptions(FilterOptions, GivenFigures, total=False):
    """Options of the statistics."""

    limit_percent: float | None
    """A picture passes with at most so many percent masked; the others are counted as above."""


class TableOptions(OrderOptions, total=False):
    """Options of the table of measurements."""

    csv_style: Literal["plain", "excel", "excel_semicolon"] | None
    """Plain is UTF-8 for programs; excel has the byte order mark without which Excel garbles umlauts;
    excel_semicolon has semicolons and decimal commas too, which Excel wants where numbers are written 0,5."""


class TrendOptions(FilterOptions, GivenFigures, total=False):
    """Options of the trend."""

    buckets: int | None
    """The most stretches of time to sum up in."""


class InstancesOptions(FiguresOptions, total=False):
    """Options of listing the instances of one measurement."""


class ManyExportOptions(FilterOptions, GivenFigures, NamedPictures, total=False):
    """Options of many measurements as a file for another program."""


class MaskOptions(FiguresOptions, total=False):
    """Options of the mask picture."""

    kind: Literal["binary", "class", "instance"] | None
    """0 and 255; or the class id of each pixel (8 bit); or its instance id (16 bit). Where masks overlap,
    the higher score wins."""


class OverlayOptions(FiguresOptions, total=False):
    """Options of the drawn picture."""

    style: Literal["fill", "outline", "splash"] | None
    """Masks filled, only outlined, or in colour on the grey picture (splash)."""
    format: Literal["png", "jpeg"] | None
    """PNG is exact, JPEG small."""


class ExportOptions(FiguresOptions, NamedPictures, total=False):
    """Options of one measurement as a file for another program."""


class PictureOptions(TypedDict, total=False):
    """How a picture is measured, and what is said of it."""

    lot: str | None
    """The lot that the picture belongs to; at most 100 characters."""
    sample: str | None
    """The sample that it shows a field of; at most 100 characters."""
    operator: str | None
    """Who prepared or took it; at most 100 characters."""
    note: str | None
    """Anything else; at most 2,000 characters."""
    tags: Sequence[str] | str
    """Words to find it by, with commas between them: at most 20, of 50 characters each; may be repeated."""
    ignore: str | None
    """Pixels that do not count, with commas between: transparent (less than half opaque), black_border (8
    or darker from an edge inwards), saturated (white in every channel)."""
    classes: str | None
    """Names of the classes whose instances count, with commas between; without it, all."""
    least_area: int | None
    """Instances with fewer pixels that count are left out."""
    of: str | None
    """Name of the class that all percentages are of: only pixels of its instances count, and others are cut
    to them; without it, all pixels count."""
    region: Mapping[str, Any] | str
    """What of the picture counts: {'include': [[[x, y], …], …], 'exclude': […]}, polygons in its pixels. A
    pixel is in a polygon where its centre lies inside or on its edge; polygons lie in the picture and do
    not cross themselves."""
    pixel_size: float | None
    """Side of a pixel in the unit; without it, what the file says of it, where it says so."""
    unit: Literal["nm", "um", "µm", "mm", "cm", "m", "in"] | None
    """The unit of pixel_size. Lengths are answered in it, areas in its square."""
    profile: str | None
    """Name of the profile to measure by: what it says is taken, and contradicting it is refused. Its rules
    make the verdict."""
    score_threshold: float | None
    """Instances below this score are left out; without it, the default that was saved for the model, else
    the model's own."""
    batch: str | None
    """A name for pictures that belong together: up to 64 letters, digits, dots, - and _."""
    region_mask: bytes
    """A picture of the same size whose pixels count where they are not black: a second file in a form, else
    its base64."""


class UploadOptions(AnswerOptions, PictureOptions, total=False):
    """Options of measuring a picture."""

    model: str | None
    """Name of the model; without it, the default of the service."""
    whole: bool | None
    """What counted of a stored picture before is not kept: all of it counts, but for what is asked here."""
