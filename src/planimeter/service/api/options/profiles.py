"""Options of profiles."""

from pydantic import Field

from planimeter.service.api.options.parsing import RequestOptions


class VersionOptions(RequestOptions):
    """Options of reading a profile."""

    version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="An earlier version, also of a profile that was deleted; without it, what it says now.",
    )
