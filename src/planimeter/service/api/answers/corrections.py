"""Corrections as they are answered."""

from collections.abc import Sequence

from pydantic import Field

from planimeter.corrections import Changes, Object, Origin
from planimeter.measurement import Rle
from planimeter.service.api.answers.base import Answer, Moment
from planimeter.store.corrections import StoredCorrection


class CorrectionAnswer(Answer):
    """One correction."""

    number: int = Field(description="1, 2, …")
    at: Moment
    by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    reason: str
    complete: bool = Field(description="Whether all of the picture was right after it.")
    changes: Changes = Field(
        description="As they were sent, with all masks as run lengths, each of a whole instance."
    )
    percent_masked: float | None = Field(description="After it, of what counted then.")
    sha256: str = Field(description="Of all of it; the audit trail holds the same.")


class RejectedInstance(Answer):
    """An object that was rejected."""

    id: int
    class_name: str = Field(alias="class")
    class_id: int
    score: float
    origin: Origin
    mask: Rle = Field(description="All of it, whatever of the picture counts.")


class CorrectionList(Answer):
    """The corrections of one measurement."""

    corrections: list[CorrectionAnswer] = Field(description="The first one first.")
    rejected: list[RejectedInstance] = Field(description="What is rejected now; restore brings it back.")


def correction_list(stored: Sequence[StoredCorrection], objects: Sequence[Object]) -> CorrectionList:
    """Return corrections as they are answered, with those of the objects that are rejected."""
    return CorrectionList(
        corrections=[CorrectionAnswer(**vars(entry)) for entry in stored],
        rejected=[
            RejectedInstance(**entry.model_dump(exclude={"rejected"})) for entry in objects if entry.rejected
        ],
    )
