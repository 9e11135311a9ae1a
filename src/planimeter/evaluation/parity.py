"""Whether the exported model answers what the trained one does, in the figure that people use: percent masked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from planimeter.masks.counted import Counted
from planimeter.measuring.coverage import measure_coverage
from planimeter.measuring.detections import make_candidates
from planimeter.measuring.segmenter import Segmenter

EMPTY_NAME = "an empty picture (one even colour)"


class PictureParity(BaseModel):
    """One picture, measured by both."""

    model_config = ConfigDict(frozen=True)

    name: str
    trained_percent: float
    exported_percent: float
    trained_instances: int
    exported_instances: int

    @property
    def difference(self) -> float:
        """Exported minus trained, in percentage points."""
        return self.exported_percent - self.trained_percent


class Parity(BaseModel):
    """Both models on the same pictures, the last of which has nothing in it."""

    model_config = ConfigDict(frozen=True)

    trained: str
    exported: str
    score_threshold: float
    pictures: tuple[PictureParity, ...]

    @property
    def largest(self) -> float:
        """The largest difference in percent masked, in points."""
        return max(abs(entry.difference) for entry in self.pictures)

    @property
    def mean(self) -> float:
        """The mean absolute difference in percent masked, in points."""
        return sum(abs(entry.difference) for entry in self.pictures) / len(self.pictures)


def measure_parity(
    trained: Segmenter,
    exported: Segmenter,
    pictures: Sequence[tuple[str, NDArray[np.uint8]]],
) -> Parity:
    """Measure pictures, uint8 [H, W, 3], and an empty one with both models, at the exported one's thresholds."""
    height, width = pictures[0][1].shape[:2] if pictures else (256, 256)
    # The colour that the network's input has its zero at.
    mean = np.asarray(exported.pack.manifest.preprocessing.mean).round().astype(np.uint8)
    empty = np.broadcast_to(mean, (height, width, 3)).copy()
    thresholds = exported.pack.manifest.thresholds
    rows = []
    for name, pixels in (*pictures, (EMPTY_NAME, empty)):
        counted = Counted(*pixels.shape[:2])
        one, other = (
            make_candidates(model.detect(pixels), counted, thresholds.mask).above(thresholds.score)
            for model in (trained, exported)
        )
        rows.append(
            PictureParity(
                name=name,
                trained_percent=measure_coverage(one, exported.classes, counted).percent_masked,
                exported_percent=measure_coverage(other, exported.classes, counted).percent_masked,
                trained_instances=len(one),
                exported_instances=len(other),
            )
        )
    return Parity(
        trained=_describe(trained),
        exported=_describe(exported),
        score_threshold=thresholds.score,
        pictures=tuple(rows),
    )


def _describe(segmenter: Segmenter) -> str:
    info = segmenter.info
    return f"{info.runtime}, {info.precision}, {info.device}"
