"""Options of measuring a picture."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from werkzeug.datastructures import MultiDict

from planimeter.details import Details
from planimeter.measurement import MaskFormat
from planimeter.measuring.asked import GivenCounting
from planimeter.scale import GivenScale
from planimeter.service.api.options.parsing import RequestOptions, parse

REGION_MASK: Any = Field(
    None,
    min_length=1,
    description="A picture of the same size whose pixels count where they are not black: a second file in a form, "
    "else its base64.",
    json_schema_extra={"format": "byte"},
)
WHOLE: Any = Field(
    default=False,
    description="What counted of a stored picture before is not kept: all of it counts, but for what is asked here.",
)
BATCH_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"


class AnswerOptions(RequestOptions):
    """How an answer is written."""

    mask_format: MaskFormat = Field(
        "rle", description="How the answer gives the mask of each instance; the record keeps the exact RLE."
    )


class PictureOptions(RequestOptions, GivenScale, GivenCounting, Details):
    """How a picture is measured, and what is said of it."""

    never_empty: ClassVar[frozenset[str]] = frozenset(
        {"profile", "score_threshold", "region_mask", *GivenCounting.model_fields, *GivenScale.model_fields}
    )

    profile: str | None = Field(
        None,
        description="Name of the profile to measure by: what it says is taken, and contradicting it is refused. Its "
        "rules make the verdict.",
    )
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
    batch: str | None = Field(
        None,
        pattern=BATCH_PATTERN,
        description="A name for pictures that belong together: up to 64 letters, digits, dots, - and _.",
    )
    region_mask: str | None = REGION_MASK


class UploadOptions(AnswerOptions, PictureOptions):
    """Options of measuring a picture."""

    never_empty: ClassVar[frozenset[str]] = PictureOptions.never_empty | {"model", "from", "whole"}

    model: str | None = Field(None, description="Name of the model; without it, the default of the service.")
    from_: str | None = Field(
        None,
        min_length=1,
        alias="from",
        description="Id of a measurement whose stored picture is measured again; then no picture is sent.",
    )
    whole: bool = WHOLE


def parse_options(values: Mapping[str, str]) -> UploadOptions:
    """Return the options of measuring that `values` give; otherwise like `parse`."""
    return parse(UploadOptions, MultiDict(values))
