"""Corrections as they are answered."""

from collections.abc import Sequence

from pydantic import Field

from planimeter.corrections import Changes, Object, Origin
from planimeter.measurement import Rle
from planimeter.service.api.answers.base import Answer, Link, Moment
from planimeter.store.corrections import StoredCorrection


class CorrectionAnswer(Answer):
    """One correction."""

    number: int = Field(description="1, 2, …")
    at: Moment
    by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    reason: str
    complete: bool = Field(description="Whether all of the picture was right after it.")
    changes: Changes = Field(
        description="As they were sent, with all masks as run lengths, each of a whole instance; null without "
        "masks=all."
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
    mask: Rle | None = Field(
        description="All of it, whatever of the picture counts; null without masks=rejected or masks=all."
    )


class CorrectionList(Answer):
    """A page of the corrections of one measurement."""

    corrections: list[CorrectionAnswer] = Field(description="The first one first.")
    count: int = Field(description="How many there are on all pages.")
    next_url: Link | None = Field(description="The next page; null on the last.")
    rejected: list[RejectedInstance] = Field(
        description="What is rejected now, on every page; restore brings it back."
    )


def correction_answer(stored: StoredCorrection, *, masks: bool) -> CorrectionAnswer:
    """Return a correction as it is answered."""
    changes = stored.changes if masks else stored.changes.without_masks
    return CorrectionAnswer(**{**vars(stored), "changes": changes})


def rejected_answers(objects: Sequence[Object], *, masks: bool) -> list[RejectedInstance]:
    """Return those of the objects that are rejected, as they are answered."""
    return [
        RejectedInstance(**{**entry.model_dump(exclude={"rejected"}), **({} if masks else {"mask": None})})
        for entry in objects
        if entry.rejected
    ]
