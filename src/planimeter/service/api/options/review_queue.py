"""Options of the queue of what is to be reviewed."""

from typing import Literal

from pydantic import Field

from planimeter.service.api.options.parsing import RequestOptions
from planimeter.store import Filter

MOST_QUEUED = 200
"""A review of more would make every link of its pages too long."""


class QueueOptions(RequestOptions):
    """Which measurements are to be reviewed, and in which order."""

    model: str | None = Field(None, max_length=64, description="Only those of this model.")
    lot: str | None = Field(None, max_length=100, description="Only those of this lot.")
    batch: str | None = Field(None, max_length=64, description="Only those of this batch.")
    by: Literal["doubt", "chance"] = Field(
        "doubt",
        description="doubt has those that are worth a look, the most urgent first; chance has all, in an order whose "
        "first ones are a fair sample: for the mean of a lot, and for the error of a model.",
    )
    limit: int = Field(50, ge=1, le=MOST_QUEUED, description="How many.")

    @property
    def filter(self) -> Filter:
        """The conditions, as the store takes them."""
        return Filter(model=self.model, lot=self.lot, batch=self.batch)
