"""Options of setting the size of a pixel for a stored measurement."""

import re
from typing import ClassVar

from pydantic import Field, field_validator, model_validator

from planimeter.scale import GivenUnit
from planimeter.service.api.options.parsing import RequestOptions

_NUMBER = r"[0-9]{1,9}(\.[0-9]{1,9})?"
LINE_PATTERN = rf"^{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}$"


class ScaleOptions(RequestOptions):
    """How large a pixel is: by its side, or by a line on the picture and its length."""

    never_empty: ClassVar[frozenset[str]] = frozenset({"pixel_size", "unit", "line", "length"})

    pixel_size: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Side of a pixel in the unit; or line and length."
    )
    unit: GivenUnit = Field(description="The unit of pixel_size or of length.")
    line: str | None = Field(
        None,
        pattern=LINE_PATTERN,
        description="A scale bar in the picture, as x0,y0,x1,y1 in its pixels.",
    )
    length: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="How long that bar is, in the unit."
    )

    @field_validator("line", mode="before")
    @classmethod
    def _has_two_ends(cls, value: object) -> object:
        if isinstance(value, str) and not re.match(LINE_PATTERN, value):
            raise ValueError(
                "it should be the two ends as four numbers, x0,y0,x1,y1, in pixels of the picture"
            )
        return value

    @model_validator(mode="after")
    def _one_of_two(self) -> "ScaleOptions":
        if (self.line is None) != (self.length is None):
            there, missing = ("line", "length") if self.length is None else ("length", "line")
            raise ValueError(f"{there} is given and {missing} is missing: a scale bar has both")
        if (self.pixel_size is None) == (self.line is None):
            how = "neither is given" if self.line is None else "both are given"
            raise ValueError(f"give pixel_size, or line and length: {how}")
        return self

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where the line begins and ends, each as x, y."""
        x0, y0, x1, y1 = map(float, (self.line or "").split(","))
        return (x0, y0), (x1, y1)
