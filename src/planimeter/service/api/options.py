"""What a client may ask for: each option declared once, checked here, and listed by `/openapi.json`."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date, datetime, time, timedelta, timezone
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from planimeter.drawing.drawing import Style
from planimeter.errors import ContradictoryOptions, InvalidOption
from planimeter.exports.formats import FORMATS, ExportFormat
from planimeter.measurement import MaskFormat
from planimeter.measuring.table import CsvStyle
from planimeter.store import NEWEST, Filter, Order

MOST_LISTED = 1000
MOST_AT_ONCE = 10_000
"""Measurements that one archive, one COCO file or one deletion takes."""
ID_PATTERN = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
FORMATS_DESCRIBED = "; ".join(f"{name}: {form.title}" for name, form in FORMATS.items()) + "."
STYLES_DESCRIBED = (
    "plain is UTF-8 for programs; excel has the byte order mark without which Excel garbles umlauts; excel_semicolon "
    "has semicolons and decimal commas too, which Excel wants where numbers are written 0,5."
)
FOR_GOOD = "Past the trash, from which it could be brought back: the files are removed at once."
BATCH_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"


def _written_out(value: object) -> object:
    """Refuse what pydantic would take for seconds since 1970."""
    if isinstance(value, str) and not _DAY.match(value):
        raise ValueError("it should be a time like 2026-11-26T14:30:00Z")
    return value


_DAY = re.compile(r"\d{4}-\d\d-\d\d")
Moment = Annotated[datetime, BeforeValidator(_written_out)]


def _true_or_false(value: object) -> object:
    """Refuse the other words that pydantic takes for them."""
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("it should be true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_true_or_false)]

OptionsKind = TypeVar("OptionsKind", bound="RequestOptions")


class RequestOptions(BaseModel):
    """Options of one route; names it does not know are refused, so that a typing error cannot go unseen."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=())


class AnswerOptions(RequestOptions):
    """How an answer is written."""

    mask_format: MaskFormat = Field(
        "rle", description="How the answer gives the mask of each instance; the record keeps the exact RLE."
    )


class UploadOptions(AnswerOptions):
    """Options of measuring a picture."""

    model: str | None = Field(None, description="Name of the model; without it, the default of the service.")
    score_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Instances below this score are left out; without it, the default that was saved for the "
        "model, else the model's own.",
    )
    filename: str | None = Field(
        None,
        max_length=255,
        description="Name of a picture sent as raw bytes; a multipart field carries its own.",
    )
    from_: str | None = Field(
        None,
        min_length=1,
        alias="from",
        description="Id of a measurement whose stored picture is measured again; then no picture is sent.",
    )
    batch: str | None = Field(
        None,
        pattern=BATCH_PATTERN,
        description="A name for pictures that belong together: up to 64 letters, digits, dots, - and _.",
    )


class ThresholdOptions(RequestOptions):
    """Options of reading a measurement as another threshold would have made it."""

    score_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Answers as if the picture had been measured with this threshold; the network does not run "
        "again and the record stays as it is.",
    )


class InstancesOptions(ThresholdOptions):
    """Options of listing the instances of one measurement."""

    format: Literal["json", "csv"] = Field("json", description="JSON, or a table for spreadsheets.")
    csv_style: CsvStyle = Field("plain", description=STYLES_DESCRIBED)


class ExportOptions(ThresholdOptions):
    """Options of one measurement as a file for another program."""

    format: ExportFormat = Field(description=FORMATS_DESCRIBED)


class ReadOptions(AnswerOptions, ThresholdOptions):
    """Options of reading one measurement."""


class KeptOptions(RequestOptions):
    """Options of keeping a score threshold for one measurement."""

    score_threshold: float = Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="At which the measurement counts from now on.",
    )


class DefaultsOptions(RequestOptions):
    """Options of saving a model's defaults."""

    score_threshold: float = Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Taken by every measurement with this model that names none; the picture's page saves it too.",
    )


class FilterOptions(RequestOptions):
    """Which measurements match: all that fulfil every condition given."""

    ids: tuple[str, ...] | None = Field(
        None,
        max_length=MOST_LISTED,
        description=f"Only these: ids with commas between them, at most {MOST_LISTED:,}; may be repeated.",
    )
    batch: str | None = Field(None, description="Only those sent under this name.")
    model: str | None = Field(None, description="Only those of this model.")
    class_name: str | None = Field(None, alias="class", description="Only those that found this class.")
    filename: str | None = Field(
        None,
        max_length=255,
        description="Only those whose file name contains this; capitals make no difference.",
    )
    since: Moment | None = Field(None, description="Only from this time on (ISO 8601; UTC without a zone).")
    until: Moment | None = Field(None, description="Only before this time (ISO 8601; UTC without a zone).")
    min_percent: float | None = Field(
        None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="Only those with at least so many percent masked.",
    )
    max_percent: float | None = Field(
        None, ge=0, le=100, allow_inf_nan=False, description="Only those with at most so many percent masked."
    )

    @model_validator(mode="after")
    def _can_match(self) -> "FilterOptions":
        least, most = self.min_percent, self.max_percent
        if least is not None and most is not None and least > most:
            raise ValueError(f"min_percent is {least:g} and max_percent {most:g}: nothing lies between them")
        return self

    @property
    def filter(self) -> Filter:
        """The conditions, as the store takes them."""
        given = {field.name: getattr(self, field.name) for field in fields(Filter) if field.name != "without"}
        return Filter(**given)


class OrderOptions(FilterOptions):
    """Which measurements, in which order."""

    order: Order = Field(
        NEWEST, description="What to sort by; with a minus it falls. What is equal there goes by time."
    )


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
    offset: int = Field(0, ge=0, description="Without so many at the beginning of the order.")


class HistoryOptions(OrderOptions):
    """What the history page shows: days as a person chooses them, beside moments as the API takes them."""

    from_day: date | None = Field(None, alias="from", description="The first day.")
    to_day: date | None = Field(None, alias="to", description="The last day, included.")
    offset: str = Field(
        "+00:00", pattern=r"^[+-]\d\d:\d\d$", description="Where those days are: the distance to UTC."
    )
    view: Literal["gallery", "table"] = "gallery"
    before: str | None = None
    deleted: int | None = Field(None, description="How many were deleted just now.")
    undo: str | None = Field(None, pattern=ID_PATTERN, description="What brings them back.")
    restored: int | None = Field(None, description="How many were brought back just now.")

    @property
    def filter(self) -> Filter:
        """The conditions, as the store takes them."""
        zone = datetime.strptime(self.offset, "%z").tzinfo
        since, until = self.since, self.until
        if self.from_day is not None:
            since = _later(since, datetime.combine(self.from_day, time(), zone))
        if self.to_day is not None:
            until = _earlier(until, datetime.combine(self.to_day + timedelta(days=1), time(), zone))
        return replace(super().filter, since=since, until=until)


class StatisticsOptions(FilterOptions):
    """Options of the statistics."""

    limit_percent: float | None = Field(
        None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="A picture passes with at most so many percent masked; the others are counted as above.",
    )


class ReportOptions(StatisticsOptions):
    """What the report shows."""

    title: str | None = Field(None, max_length=120, description="Its heading.")
    sheets: bool = Field(default=False, description="Whether each picture follows with its numbers.")
    repeats: bool = Field(
        default=False, description="Whether earlier measurements of the same picture count beside the newest."
    )
    score_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Reports what counts at this threshold instead of each measurement's own.",
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


class ArchiveOptions(FilterOptions):
    """Options of the archive of pictures."""

    content: Literal["overlay", "mask", "image"] = Field(
        "overlay", description="The drawn pictures, the masks, or the pictures as uploaded."
    )


class ManyExportOptions(FilterOptions):
    """Options of many measurements as a file for another program."""

    format: ExportFormat = Field(description=FORMATS_DESCRIBED)


class TableOptions(OrderOptions):
    """Options of the table of measurements."""

    csv_style: CsvStyle = Field("plain", description=STYLES_DESCRIBED)


class TrendOptions(FilterOptions):
    """Options of the trend."""

    buckets: int = Field(60, ge=2, le=200, description="The most stretches of time to sum up in.")


class ComparisonOptions(RequestOptions):
    """Options of comparing two measurements of the same picture."""

    first: str = Field(min_length=1, description="Id of one measurement.")
    second: str = Field(min_length=1, description="Id of another of the same picture.")


class DifferenceOptions(ComparisonOptions):
    """Options of the picture of a comparison."""

    format: Literal["png", "jpeg"] = Field("png", description="PNG is exact, JPEG small.")


class OverlayOptions(ThresholdOptions):
    """Options of the drawn picture."""

    style: Style = Field(
        "fill", description="Masks filled, only outlined, or in colour on the grey picture (splash)."
    )
    format: Literal["png", "jpeg"] = Field("png", description="PNG is exact, JPEG small.")


class MaskOptions(ThresholdOptions):
    """Options of the mask picture."""

    kind: Literal["binary", "class", "instance"] = Field(
        "binary",
        description="0 and 255; or the class id of each pixel (8 bit); or its instance id (16 bit). Where "
        "masks overlap, the higher score wins.",
    )


class DeletingOptions(RequestOptions):
    """Options of deleting one measurement."""

    for_good: Flag = Field(default=False, description=FOR_GOOD)


class TrashOptions(RequestOptions):
    """Options of listing the trash."""

    limit: int = Field(100, ge=1, le=MOST_LISTED, description="How many.")
    offset: int = Field(0, ge=0, le=2**31, description="Without so many of those that were deleted last.")
    format: Literal["json", "csv"] = Field("json", description="JSON, or a table for spreadsheets.")


class DeletionOptions(RequestOptions):
    """Options of bringing back what was deleted together."""

    deletion: str = Field(pattern=ID_PATTERN, description="As the answer to deleting and the trash tell it.")


class EmptyingOptions(RequestOptions):
    """Options of emptying the trash."""

    count: int = Field(
        ge=1, description="How many measurements are in it: where it is not so, nothing is deleted (409)."
    )


class NoOptions(RequestOptions):
    """For routes without options."""


def _later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(_aware(one), other)


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(_aware(one), other)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def query_of(wanted: Filter) -> dict[str, str]:
    """Return the options that give a filter: what a link or a form needs to mean the same measurements."""
    given = FilterOptions.model_construct(**vars(wanted)).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    return {name: ",".join(value) if name in _LISTS else str(value) for name, value in given.items()}


def parse_options(values: Mapping[str, str]) -> UploadOptions:
    """Return the options of measuring that `values` give; otherwise like `parse`."""
    return parse(UploadOptions, MultiDict(values))


def parse(
    kind: type[OptionsKind], *sources: "MultiDict[str, str]", from_program: bool = False
) -> OptionsKind:
    """Return the options that `sources` (query, form) give.

    An empty text means "not given", as forms send it; `from_program` refuses it in the query, the first of `sources`,
    where a number, a time or one of several words belongs. Raises `InvalidOption` for an unknown name, a wrong value,
    or two values for one name.
    """
    values: dict[str, str | list[str]] = {}
    for number, source in enumerate(sources):
        for name, value in source.items(multi=True):
            if name in _LISTS:
                values[name] = [*values.get(name, ()), *filter(None, value.split(","))]
                continue
            if values.get(name, value) != value:
                raise (ContradictoryOptions if number else InvalidOption)(
                    f"{name} is given twice, as {values[name]!r} and {value!r}; give it once"
                )
            if value != "" or (from_program and not number and not _takes_text(kind, name)):
                values[name] = value
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        together = from_program and not any(problem["loc"] for problem in error.errors())
        raise (ContradictoryOptions if together else InvalidOption)(_explain(kind, error)) from None


def _takes_text(kind: type[RequestOptions], name: str) -> bool:
    found = (field for key, field in kind.model_fields.items() if (field.alias or key) == name)
    return any(field.annotation in {str, str | None} and not _has_form(field) for field in found)


def _has_form(field: FieldInfo) -> bool:
    return any(getattr(rule, "pattern", None) or getattr(rule, "min_length", None) for rule in field.metadata)


_LONGEST_SHOWN = 200
_LIBRARY_WORDS = re.compile(r", unable to .*|, got .*")
"""What pydantic adds to a message about its own inner life."""
_LISTS = frozenset({"ids"})
"""Options that may be repeated; each may also hold several values with commas between them."""


def option_names(kind: type[RequestOptions]) -> list[str]:
    """Return the names as a client writes them."""
    return [field.alias or name for name, field in kind.model_fields.items()]


def _explain(kind: type[RequestOptions], error: ValidationError) -> str:
    problems = error.errors()
    unknown = [repr(str(problem["loc"][0])) for problem in problems if problem["type"] == "extra_forbidden"]
    if unknown:
        known = ", ".join(option_names(kind)) or "none"
        return (
            f"unknown {'options' if len(unknown) > 1 else 'option'} {', '.join(unknown)}; known here: {known}"
        )
    return "; ".join(_sentence(problem) for problem in problems)


def _sentence(problem: ErrorDetails) -> str:
    name = ".".join(str(step) for step in problem["loc"][:1])
    if problem["type"] == "missing":
        return f"{name} is missing; give it in the query or as a form field"
    message = problem["msg"].removeprefix("Value error, ").replace("Input", "it", 1)
    message = _LIBRARY_WORDS.sub("", message)
    if not name:
        return message
    given = repr(problem["input"])
    return f"{name} is {given if len(given) <= _LONGEST_SHOWN else given[:_LONGEST_SHOWN] + '…'}: {message}"
