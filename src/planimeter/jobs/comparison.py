"""A new model beside the one in use, on pictures that neither learnt from."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from planimeter.errors import DataError
from planimeter.evaluation import compare, summarise
from planimeter.evaluation.agreement import CoverageError, errors_at, summarise_errors
from planimeter.labels import LabelledPictures
from planimeter.labels.likeness import pixels_digest
from planimeter.measuring.opening import open_segmenter
from planimeter.packs.pack import Pack
from planimeter.settings import Inference

LEAST_PICTURES = 10
"""From so many on a difference can be more than chance."""


class Compared(BaseModel):
    """One of the two models."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    sha256: str
    score_threshold: float
    coverage: CoverageError
    f1: float
    mask_ap50: float


class Comparison(BaseModel):
    """Both, on the same pictures."""

    model_config = ConfigDict(frozen=True)

    pictures: int = Field(description="That neither of the two learnt from.")
    reason: str | None = Field(None, description="Why they were not compared; null where they were.")
    new: Compared | None = None
    in_use: Compared | None = Field(None, description="Null where no model was in use.")
    difference: float | None = Field(
        None, description="Mean absolute error of the new one minus that of the one in use, in points."
    )
    difference_interval: tuple[float, float] | None = Field(
        None, description="95 % of the differences that pictures drawn anew would give."
    )
    better: Literal["new", "in_use", "undecided"] | None = Field(
        None, description="Which percentage is nearer to the truth, where that is more than chance."
    )


def compare_models(new: Pack, in_use: Pack | None, held: LabelledPictures) -> Comparison:
    """Compare two models on the pictures of `held` that neither learnt from."""
    known = [pack.learnt.picture_digests for pack in (new, in_use) if pack and pack.learnt]
    unseen = [
        entry for entry in held.pictures if not any(pixels_digest(entry) in digests for digests in known)
    ]
    data = LabelledPictures(held.classes, tuple(unseen), held.format)
    if not unseen:
        return Comparison(pictures=0, reason="there is no picture that neither of the two learnt from")
    first, errors = _measure(new, data)
    if in_use is None:
        return Comparison(pictures=len(unseen), new=first, reason="no model of that name was in use")
    try:
        second, before = _measure(in_use, data)
    except DataError as error:  # it knows other classes
        return Comparison(pictures=len(unseen), new=first, reason=str(error))
    differences = summarise_errors(np.abs(errors) - np.abs(before))
    return Comparison(
        pictures=len(unseen),
        new=first,
        in_use=second,
        difference=differences.bias,
        difference_interval=differences.bias_interval,
        better=_better(len(unseen), differences.bias_interval),
    )


def _measure(pack: Pack, held: LabelledPictures) -> tuple[Compared, np.ndarray]:
    """Return the figures of a model, and its errors in points, [pictures]."""
    segmenter = open_segmenter(pack, Inference(infer_with_cpu=True))
    data = held.with_classes(segmenter.classes)
    compared = compare(segmenter, data)
    threshold = segmenter.default_threshold
    figures = summarise(compared, segmenter.classes, threshold)
    made = Compared(
        name=pack.name,
        version=pack.manifest.version,
        sha256=pack.manifest.onnx.sha256,
        score_threshold=threshold,
        coverage=figures.coverage,
        f1=figures.f1,
        mask_ap50=figures.mask_ap50,
    )
    return made, errors_at(compared, [threshold], len(segmenter.classes))[:, 0, 0]


def _better(pictures: int, interval: Sequence[float] | None) -> Literal["new", "in_use", "undecided"]:
    if pictures < LEAST_PICTURES or interval is None:
        return "undecided"
    low, high = interval
    return "new" if high < 0 else "in_use" if low > 0 else "undecided"
