"""Options of corrections."""

from typing import Literal

from pydantic import Field

from planimeter.service.api.options.filters import MOST_LISTED
from planimeter.service.api.options.parsing import RequestOptions


class CorrectionListOptions(RequestOptions):
    """Options of listing the corrections of a measurement."""

    limit: int = Field(
        50, ge=1, le=MOST_LISTED, description="How many; fewer come where their masks are long."
    )
    after: int = Field(
        0, ge=0, le=2**31 - 1, description="Only those with a higher number: the cursor of the next page."
    )
    masks: Literal["none", "rejected", "all"] = Field(
        "none",
        description="Whose masks are answered: none, those of what is rejected now, or those of changes too.",
    )
