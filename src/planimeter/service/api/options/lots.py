"""Options of lots."""

from pydantic import Field

from planimeter.details import Name
from planimeter.service.api.options.filters import MOST_LISTED
from planimeter.service.api.options.measurements import GivenFigures
from planimeter.service.api.options.parsing import RequestOptions

LEAST_REACH = 0.001


class LotListOptions(RequestOptions):
    """Options of listing lots."""

    name: Name = Field(None, description="Only those whose name contains this.")
    limit: int = Field(100, ge=1, le=MOST_LISTED, description="How many.")
    offset: int = Field(0, ge=0, le=2**31, description="Without so many of those that were measured last.")


class LotOptions(GivenFigures):
    """Options of summing up a lot."""

    limit_percent: float | None = Field(
        None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="A picture passes with at most so many percent masked.",
    )
    within: float | None = Field(
        None,
        ge=LEAST_REACH,
        le=100,
        allow_inf_nan=False,
        description="Percentage points to either side of the mean that the 95 % confidence interval is to reach at "
        "most: how many more pictures that needs is told. Without it, a tenth of the mean.",
    )
