"""Options of letting another part of a stored picture count."""

from typing import ClassVar

from pydantic import model_validator

from planimeter.measuring.asked import GivenCounting
from planimeter.service.api.options.parsing import RequestOptions
from planimeter.service.api.options.uploads import REGION_MASK, WHOLE


class RegionOptions(RequestOptions, GivenCounting):
    """What counts."""

    never_empty: ClassVar[frozenset[str]] = frozenset({"region_mask", "whole", *GivenCounting.model_fields})

    region_mask: str | None = REGION_MASK
    whole: bool = WHOLE

    @model_validator(mode="after")
    def _says_something(self) -> "RegionOptions":
        if not self.model_fields_set:
            raise ValueError(
                "nothing says what counts; give region, region_mask, ignore, classes, least_area or of, or whole for "
                "all of the picture"
            )
        return self
