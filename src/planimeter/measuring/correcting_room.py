"""How much memory correcting takes at most: known before, so that it can be reserved.

The bytes are those that were measured, with a tenth more; a test measures them again.
"""

from collections.abc import Sequence

from planimeter.corrections import Changes, Object
from planimeter.masks.rle import window_pixels
from planimeter.measurement import Counting

_A_CHARACTER = 135
"""Of the longest run lengths, while a mask is made of them and they of a mask: one mask at a time."""
_A_KEPT_CHARACTER = 8
"""Of the run lengths of all objects: read, changed, counted, written and hashed."""
_AN_OBJECT = 8_000
_A_PIXEL = 6
"""Of the picture: what is masked, what is masked twice, what counts, a polygon that is drawn."""


def applying_room(objects: Sequence[Object], changes: Changes, pixels: int) -> int:
    """Return the bytes that `apply` takes at most, on a picture of so many pixels."""
    given = [shape.mask for shape in (*changes.add, *changes.replace) if shape.mask is not None]
    kept = [entry.mask for entry in objects] if changes.names else []
    return _A_CHARACTER * max((len(mask.counts) for mask in (*given, *kept)), default=0) + _A_PIXEL * pixels


def counting_room(objects: Sequence[Object], counting: Counting | None, pixels: int) -> int:
    """Return the bytes that counting objects takes at most, on a picture of so many pixels.

    Each pixel of the windows of all masks takes one, and one more for each time that they are cut to what counts.
    """
    counted = [entry.mask for entry in objects if not entry.rejected]
    characters = sum(len(entry.mask.counts) for entry in objects)
    longest = max((len(mask.counts) for mask in counted), default=0)
    cuts = 0 if counting is None or counting.all_counts else 2 if counting.of else 1
    windows = sum(map(window_pixels, counted))
    return (
        (1 + cuts) * windows
        + _A_PIXEL * pixels
        + _A_CHARACTER * longest
        + _A_KEPT_CHARACTER * characters
        + _AN_OBJECT * len(objects)
    )
