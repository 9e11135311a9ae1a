"""The shapes of a correction as masks of its picture."""

from planimeter.corrections import LONGEST_MASK, Shape
from planimeter.errors import ContradictoryOptions, InvalidOption
from planimeter.masks.region import check_polygon, polygons_window, rows_of
from planimeter.masks.rle import rle_encode, rle_window
from planimeter.masks.window import WindowMask
from planimeter.measurement import Rle

MOST_PARTS = 200
"""Of one polygon."""
MOST_PIXELS = 1_000_000_000
"""In the windows of all masks of a picture: each takes a byte of memory while they are counted. And in those of one
correction, each of which takes some time: a few letters can mean all of a picture."""


class ShapeMasks:
    """Draws the shapes of one correction of a picture of this size."""

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        self._pixels = 0

    def of(self, shape: Shape, where: str) -> Rle:
        """Return the mask of a shape; `where` is what an error calls it.

        Raises `ContradictoryOptions` for one of another size, without pixels, given twice or not at all, and where all
        shapes together go over too many pixels.
        """
        if (shape.mask is None) == (shape.polygon is None):
            raise ContradictoryOptions(f"{where} has a mask or a polygon: one of them, and not both")
        mask = self._window(shape.mask, where) if shape.mask is not None else self._drawn(shape, where)
        if not mask.area:
            raise ContradictoryOptions(
                f"{where} covers no pixel; what is not there is rejected, and what is there has pixels"
            )
        return rle_encode(mask, *self._size)

    def _window(self, mask: Rle, where: str) -> WindowMask:
        height, width = self._size
        if mask.size != self._size:
            rows, columns = mask.size
            raise ContradictoryOptions(
                f"the mask of {where} is of {columns:,} x {rows:,} pixels and the picture of {width:,} x {height:,}; "
                "both must be of one size (a size is [height, width])"
            )
        if len(mask.counts) > LONGEST_MASK:
            raise ContradictoryOptions(
                f"the mask of {where} has {len(mask.counts):,} characters and may have {LONGEST_MASK:,}"
            )
        try:
            found = rle_window(mask)
        except InvalidOption as error:
            raise ContradictoryOptions(f"the mask of {where} cannot be read: {error}") from None
        self.go_over(found.pixels.size, where)
        return found

    def _drawn(self, shape: Shape, where: str) -> WindowMask:
        height, width = self._size
        parts = shape.polygon or []
        if not 0 < len(parts) <= MOST_PARTS:
            raise ContradictoryOptions(
                f"the polygon of {where} has {len(parts):,} parts; it has one to {MOST_PARTS}, or is given as a mask"
            )
        for number, corners in enumerate(parts, start=1):
            try:
                check_polygon(corners, f"part {number} of the polygon of {where}", height, width)
            except InvalidOption as error:
                raise ContradictoryOptions(str(error)) from None
            self.go_over(len(rows_of(corners, height)) * width, where)
        return polygons_window(parts, height, width)

    def go_over(self, pixels: int, where: str) -> None:
        """Count pixels of a shape; raises `ContradictoryOptions` where all shapes together go over too many."""
        self._pixels += pixels
        if self._pixels > MOST_PIXELS:
            raise ContradictoryOptions(
                f"up to {where}, the masks of the correction go over more than {MOST_PIXELS:,} pixels; send several "
                "corrections"
            )
