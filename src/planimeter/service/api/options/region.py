"""Options of letting only a region of a stored picture count."""

from pydantic import Field, field_validator

from planimeter.measuring.asked import REGION_DESCRIBED, REGION_FORMAT, checked_region
from planimeter.service.api.options.parsing import RequestOptions


class RegionOptions(RequestOptions):
    """What counts."""

    region: str = Field(description=REGION_DESCRIBED, json_schema_extra=REGION_FORMAT)

    @field_validator("region")
    @classmethod
    def _is_region(cls, value: str) -> str:
        return checked_region(value)
