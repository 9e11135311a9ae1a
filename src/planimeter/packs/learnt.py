"""Which pictures with which labels a model learnt from, each by its content: what `learnt.json` of a pack says."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LearntPicture(BaseModel):
    """One picture with its labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    part: Literal["train", "validation"] = Field(
        description="Whether the weights learnt from it, or it chose checkpoint, thresholds or intervals."
    )
    sha256: Sha256 = Field(description="Of its size and pixels.")
    labels_sha256: Sha256 = Field(description="Of its instances, with their classes.")
    measurement: str | None = Field(
        None, description="The measurement that people reviewed; null where the labels came from elsewhere."
    )
    corrections: int | None = Field(None, description="How many corrections it had then.")


class Learnt(BaseModel):
    """The content of `learnt.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Sha256 = Field(description="Of all of it: the same pictures with the same labels have the same.")
    pictures: tuple[LearntPicture, ...]

    @property
    def picture_digests(self) -> frozenset[str]:
        """The SHA-256 of every picture that the model has seen, in either part."""
        return frozenset(entry.sha256 for entry in self.pictures)
