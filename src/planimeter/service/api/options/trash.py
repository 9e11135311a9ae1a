"""Options of deleting, and of the trash."""

from typing import Literal

from pydantic import Field

from planimeter.service.api.options.filters import ID_PATTERN, MOST_LISTED
from planimeter.service.api.options.parsing import Flag, RequestOptions

FOR_GOOD = "Past the trash, from which it could be brought back: the files are removed at once."


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
