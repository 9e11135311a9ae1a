"""What a client may ask for: each option declared once, checked here, and listed by `/openapi.json`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.datastructures import MultiDict

from planimeter.drawing import Style
from planimeter.errors import InvalidOption
from planimeter.measurement import MaskFormat

MOST_LISTED = 1000

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


class ReadOptions(AnswerOptions, ThresholdOptions):
    """Options of reading one measurement."""


class DefaultsOptions(RequestOptions):
    """Options of saving a model's defaults."""

    score_threshold: float = Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Taken by every measurement with this model that names none; the picture's page saves it too.",
    )


class ListOptions(RequestOptions):
    """Options of listing measurements."""

    limit: int | None = Field(
        None, ge=1, le=MOST_LISTED, description="How many; without it 50 as JSON and all of them as CSV."
    )
    before: str | None = Field(None, description="Only older ones than this id: the cursor of the next page.")
    model: str | None = Field(None, description="Only those of this model.")
    class_name: str | None = Field(None, alias="class", description="Only those that found this class.")
    since: datetime | None = Field(None, description="Only from this time on (ISO 8601; UTC without a zone).")
    until: datetime | None = Field(None, description="Only before this time (ISO 8601; UTC without a zone).")


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


class NoOptions(RequestOptions):
    """For routes without options."""


def parse_options(values: Mapping[str, str]) -> UploadOptions:
    """Return the options of measuring that `values` give; otherwise like `parse`."""
    return parse(UploadOptions, MultiDict(values))


def parse(kind: type[OptionsKind], *sources: "MultiDict[str, str]") -> OptionsKind:
    """Return the options that `sources` (query, form) give; an empty text means "not given".

    Raises `InvalidOption` for an unknown name, a wrong value, or two values for one name.
    """
    values: dict[str, str] = {}
    for source in sources:
        for name, value in source.items(multi=True):
            if values.get(name, value) != value:
                raise InvalidOption(f"{name} is given twice, as {values[name]!r} and {value!r}; give it once")
            if value != "":
                values[name] = value
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise InvalidOption(_explain(kind, error)) from None


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
    missing = [str(problem["loc"][0]) for problem in problems if problem["type"] == "missing"]
    if missing:
        return f"{', '.join(missing)} is missing; give it in the query or as a form field"
    return "; ".join(
        f"{problem['loc'][0]} is {problem['input']!r}: {problem['msg'].replace('Input', 'it', 1)}"
        for problem in problems
    )
