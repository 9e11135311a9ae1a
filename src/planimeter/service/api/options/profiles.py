"""Options of profiles."""

from pydantic import Field

from planimeter.service.api.options.parsing import RequestOptions


class ProfileOptions(RequestOptions):
    """Options of making or changing a profile."""

    after: int | None = Field(
        None,
        ge=0,
        le=2**31 - 1,
        description="The version that the change was made from, 0 where there was no such profile: refused where it "
        "is another one now. Without it the change is made whatever is there.",
    )


class VersionOptions(RequestOptions):
    """Options of reading a profile."""

    version: int | None = Field(
        None,
        ge=1,
        le=2**31 - 1,
        description="An earlier version, also of a profile that was deleted; without it, what it says now.",
    )
