"""What a header must fulfil before a pixel is decoded: the limits of size, and one picture a file."""

from PIL import ImageFile

from planimeter.errors import TooManyPixels, UndecodablePicture
from planimeter.settings import Limits


def check_size(size: tuple[int, int], limits: Limits) -> None:
    """Raise `TooManyPixels` where width and height in pixels are beyond the limits."""
    width, height = size
    if width < 1 or height < 1:
        raise UndecodablePicture(f"the picture has no pixels ({width} x {height})")
    if max(size) > limits.max_side:
        raise TooManyPixels(
            f"the picture is {width:,} x {height:,} and its longer side may have {limits.max_side:,} pixels; "
            "scale it down or cut it into parts"
        )
    if width * height > limits.max_pixels:
        raise TooManyPixels(
            f"the picture has {width:,} x {height:,} = {width * height:,} pixels and the limit is "
            f"{limits.max_pixels:,}; scale it down or cut it into parts"
        )


def check_single(image: ImageFile.ImageFile, name: str) -> None:
    """Refuse animations, because nobody could tell which of the pictures was measured."""
    frames = int(getattr(image, "n_frames", 1))
    if frames > 1:
        raise UndecodablePicture(
            f"the {name} has {frames} frames and one picture is measured at a time; split it and send them singly"
        )
