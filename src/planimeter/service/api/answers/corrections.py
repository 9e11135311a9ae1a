"""Corrections as they are answered."""

from collections.abc import Sequence

from pydantic import Field

from planimeter.corrections import Changes
from planimeter.service.api.answers.base import Answer, Moment
from planimeter.store.corrections import StoredCorrection


class CorrectionAnswer(Answer):
    """One correction."""

    number: int = Field(description="1, 2, …")
    at: Moment
    by: str | None = Field(description="The name of the key; null where nobody was asked for one.")
    reason: str
    complete: bool = Field(description="Whether all of the picture was right after it.")
    changes: Changes = Field(description="As they were sent, with all masks as run lengths.")
    percent_masked: float | None = Field(description="After it, of what counted then.")
    sha256: str = Field(description="Of all of it; the audit trail holds the same.")


class CorrectionList(Answer):
    """The corrections of one measurement."""

    corrections: list[CorrectionAnswer] = Field(description="The first one first.")


def correction_list(stored: Sequence[StoredCorrection]) -> CorrectionList:
    """Return corrections as they are answered."""
    return CorrectionList(corrections=[CorrectionAnswer(**vars(entry)) for entry in stored])
