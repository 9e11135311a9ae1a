"""A measurement that still holds its picture."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import PrivateAttr

from planimeter.drawing.drawing import Style, draw_measurement
from planimeter.masks.union import union_mask
from planimeter.masks.window import WindowMask
from planimeter.measurement import (
    Measurement,
)
from planimeter.measuring.candidates import Candidates


class Measured(Measurement):
    """A measurement that still holds its picture, so that it can be drawn."""

    _pixels: NDArray[np.uint8] = PrivateAttr()
    _colors: tuple[str, ...] = PrivateAttr()
    _candidates: Candidates = PrivateAttr()

    def with_picture(
        self, pixels: NDArray[np.uint8], colors: tuple[str, ...], candidates: Candidates
    ) -> "Measured":
        """Keep what drawing and other thresholds need; returns itself."""
        self._pixels, self._colors, self._candidates = pixels, colors, candidates
        return self

    def candidates(self) -> Candidates:
        """Return all that the network found, also below the threshold: what `at_threshold` chooses from."""
        return self._candidates

    def overlay(self, style: Style = "fill") -> Image.Image:
        """Return the picture with its masks drawn: "fill", "outline" or "splash" (the rest grey)."""
        return Image.fromarray(self.draw(style))

    def draw(self, style: Style = "fill", *, copy: bool = True) -> NDArray[np.uint8]:
        """Return the drawn picture, uint8 [H, W, 3] RGB.

        Without a `copy` it is drawn on the picture that was measured, which is lost: a large one is not there twice.
        """
        return draw_measurement(self._pixels, self, self._colors, style, masks=self._masks(), copy=copy)

    def mask(self) -> NDArray[np.bool_]:
        """Return the union of all masks, bool [H, W]."""
        height, width = self._pixels.shape[:2]
        return union_mask(self._masks(), height, width)

    def without_picture(self) -> Measurement:
        """Return the measurement alone, which can be kept by the thousand."""
        return Measurement(**{name: getattr(self, name) for name in Measurement.model_fields})

    def _masks(self) -> list[WindowMask]:
        return [entry.mask for entry in self._candidates.above(self.options.score_threshold)]
