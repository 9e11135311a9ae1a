"""What training is told, and what it tells while it runs."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Arithmetic = Literal["auto", "f32", "bf16", "f16"]


class Recipe(BaseModel):
    """How to train. Either `minutes` or `epochs` bounds it; an epoch sees each different picture once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(
        60, ge=1, description="Times each different picture is seen; copies of one count as one."
    )
    minutes: float | None = Field(None, gt=0, description="Train this long instead of a number of epochs.")
    patience: int | None = Field(
        None, ge=1, description="Stop after this many validations without a better one; never unless given."
    )
    freeze: bool = Field(
        default=True,
        description="Keep the backbone's first layers, up to stride 4, unless it starts from scratch.",
    )
    freeze_backbone: bool = Field(
        default=False,
        description="Keep the whole backbone: pyramid and heads alone learn, quicker; for going on from a model whose "
        "backbone knows such pictures already.",
    )
    crop: int = Field(256, ge=64, multiple_of=32, description="Side of a training crop, in network pixels.")
    least_zoom: float = Field(
        0.6, gt=0, le=1, description="How much smaller objects may be learnt than they are."
    )
    most_zoom: float = Field(1.6, ge=1, description="How much larger objects may be learnt than they are.")
    lighting: float = Field(
        0.3, ge=0, lt=1, description="How far brightness, contrast and gamma vary, as lamps and exposures do."
    )
    paste: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How often a crop that shows no object gets one of another picture pasted onto it, each class as "
        "often as any other: for rare classes, and many pictures free of them.",
    )
    mosaic: float = Field(
        0.0,
        ge=0,
        le=1,
        description="How often a crop is put together of four pictures, side by side: where larger surfaces will be "
        "measured than one training picture shows.",
    )
    batch: int = Field(8, ge=1, description="Crops in one step.")
    learning_rate: float = Field(
        6e-4, gt=0, description="Peak rate of AdamW; warm-up, then a cosine to zero."
    )
    weight_decay: float = Field(1e-3, ge=0, description="Decoupled weight decay of AdamW.")
    warmup: int = Field(150, ge=0, description="Steps until the peak rate.")
    average: float = Field(
        0.998, ge=0, lt=1, description="Decay of the running average of the weights, after a warm-up."
    )
    arithmetic: Arithmetic = Field(
        "auto",
        description="Of the forward pass: auto is bf16 where the machine computes it faster, else f32.",
    )
    validation_fraction: float = Field(
        0.1, gt=0, lt=1, description="Share of the pictures kept for validation."
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=20,
        description="Instead of a validation part: train this many models first, each without its share of the "
        "pictures, to choose the thresholds and tell the error on pictures that none of them saw; then one on all.",
    )
    keep_together: str | None = Field(
        None,
        description=r"Pictures whose file names agree in what this regular expression finds, such as 'part(\d+)', stay "
        "on one side of the split.",
    )
    validate_every: float = Field(6.0, gt=0, description="Minutes between two validations.")
    save_every: float = Field(3.0, gt=0, description="Minutes between two checkpoints.")
    seed: int = Field(0, ge=0, description="Seed of the split, the weights and the crops.")
    processes: int | None = Field(
        None,
        ge=1,
        le=64,
        description="On a CPU: processes that learn side by side, each from its share of a step's crops. Unless given, "
        "one for each core, as long as each has two crops or more.",
    )
    workers: int = Field(2, ge=0, description="Processes that prepare crops.")

    @field_validator("keep_together")
    @classmethod
    def _is_regular_expression(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"it is not a regular expression: {error}") from error
        return pattern


class Status(BaseModel):
    """Where training stands; what the progress bar shows."""

    model_config = ConfigDict(frozen=True)

    step: int
    epoch: float
    fraction: float
    losses: dict[str, float]
    rate: float
    pictures_per_second: float
    elapsed: float
    """Seconds, without those of validation."""
