"""The size of a pixel of the pictures that a model learns from, by which it later knows other magnifications."""

from collections.abc import Sequence

import numpy as np

from planimeter.labels import LabelledPicture
from planimeter.packs.manifest import Manifest, Preprocessing
from planimeter.pictures.preprocessing import network_size

MOST_DIFFERENT = 1.25
"""How many times the largest pixel of the training pictures may be as large as the smallest."""


def known_pixel_size(pictures: Sequence[LabelledPicture], preprocessing: Preprocessing) -> float | None:
    """Return the side in micrometres of a pixel of the pictures, at the scale that the network knows.

    None where it is not known of each picture, or where at the network's scale the pixels differ too much: the model
    learns objects of many sizes then, and scaling to one of them would be no better.
    """
    sides: list[float] = []  # of a pixel of the network's input
    for picture in pictures:
        if picture.scale is None:
            return None
        height, width = picture.pixels.shape[:2]
        scale = network_size(height, width, preprocessing)[0] / height
        sides.append(1e6 * picture.scale.pixel_metres / scale)
    if not sides or max(sides) > MOST_DIFFERENT * min(sides):
        return None
    return float(f"{float(np.median(sides)) * preprocessing.usual_scale:.6g}")


def describe_pixel_size(manifest: Manifest, pictures: Sequence[LabelledPicture]) -> str:
    """Return what the pack will know of the size of pixels, and why not; nothing where no picture says any."""
    size = manifest.training_data.pixel_size_um
    if size is not None:
        return (
            f"a pixel measures {size:g} µm: pictures with pixels of another known size will be scaled to that"
        )
    known = sum(picture.scale is not None for picture in pictures)
    if not known:
        return ""
    why = (
        f"only {known} of {len(pictures)} pictures say it"
        if known < len(pictures)
        else f"at the network's scale they differ by more than {MOST_DIFFERENT:g} times"
    )
    return f"the size of a pixel is not recorded: {why}; --pixel-size and --unit give one for all"
