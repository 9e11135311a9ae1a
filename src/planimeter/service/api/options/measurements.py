"""Options of one measurement: how it is read, drawn, exported and kept."""

from typing import Literal

from pydantic import Field, model_validator

from planimeter.corrections import Figures
from planimeter.drawing.drawing import Style
from planimeter.exports.formats import FORMATS, ExportFormat
from planimeter.measuring.table import CsvStyle
from planimeter.service.api.options.parsing import RequestOptions
from planimeter.service.api.options.uploads import AnswerOptions

FORMATS_DESCRIBED = "; ".join(f"{name}: {form.title}" for name, form in FORMATS.items()) + "."
STYLES_DESCRIBED = (
    "plain is UTF-8 for programs; excel has the byte order mark without which Excel garbles umlauts; excel_semicolon "
    "has semicolons and decimal commas too, which Excel wants where numbers are written 0,5."
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


class GivenFigures(RequestOptions):
    """Which figures an answer carries; it says so itself, too."""

    figures: Figures = Field(
        "measured",
        description="As measured, or as corrected; where nothing was corrected, as measured then too. The answer says "
        "which it carries.",
    )


class FiguresOptions(ThresholdOptions, GivenFigures):
    """Options of what carries the figures of one measurement."""

    @model_validator(mode="after")
    def _has_one_meaning(self) -> "FiguresOptions":
        if self.figures == "corrected" and self.score_threshold is not None:
            raise ValueError(
                "score_threshold chooses from what was measured, and figures asks for what was corrected; give one of "
                "them"
            )
        return self


class InstancesOptions(FiguresOptions):
    """Options of listing the instances of one measurement."""

    format: Literal["json", "csv"] = Field("json", description="JSON, or a table for spreadsheets.")
    csv_style: CsvStyle = Field("plain", description=STYLES_DESCRIBED)


PictureNames = Literal["uploaded", "stored"]


class NamedPictures(RequestOptions):
    """How pictures are called."""

    pictures: PictureNames = Field(
        "uploaded",
        description="How the file calls pictures: as they were uploaded, or as they are stored and as the archive of "
        "pictures calls them, with the id of the measurement: so corrections find their way back.",
    )


class ExportOptions(FiguresOptions, NamedPictures):
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


class OverlayOptions(FiguresOptions):
    """Options of the drawn picture."""

    style: Style = Field(
        "fill", description="Masks filled, only outlined, or in colour on the grey picture (splash)."
    )
    format: Literal["png", "jpeg"] = Field("png", description="PNG is exact, JPEG small.")


class MaskOptions(FiguresOptions):
    """Options of the mask picture."""

    kind: Literal["binary", "class", "instance"] = Field(
        "binary",
        description="0 and 255; or the class id of each pixel (8 bit); or its instance id (16 bit). Where "
        "masks overlap, the higher score wins.",
    )


class ComparisonOptions(RequestOptions):
    """Options of comparing two measurements of the same picture."""

    first: str = Field(min_length=1, description="Id of one measurement.")
    second: str = Field(min_length=1, description="Id of another of the same picture.")


class DifferenceOptions(ComparisonOptions):
    """Options of the picture of a comparison."""

    format: Literal["png", "jpeg"] = Field("png", description="PNG is exact, JPEG small.")
