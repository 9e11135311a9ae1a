"""What of a picture counts, as people and programs give it: JSON, a file, an array."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from planimeter.errors import InvalidOption, PlanimeterError
from planimeter.masks.rle import rle_encode_whole
from planimeter.measurement import IGNORED, Counting, Ignored, Region, Rle
from planimeter.pictures.decode import Picture
from planimeter.pictures.rgb import ALPHA_DROPPED
from planimeter.pictures.sources import Source, read_source
from planimeter.settings import Limits

RegionSource: TypeAlias = Region | Mapping[str, Any] | str
"""Polygons: a `Region`, a mapping like it, or its JSON."""
REGION_FORM = '{"include": [[[x, y], …], …], "exclude": […]}, in pixels of the picture'


def make_counting(  # noqa: PLR0917  by the names of the options
    region: RegionSource | None = None,
    region_mask: Source | None = None,
    ignore: Sequence[Ignored] = (),
    classes: Sequence[str] | None = None,
    least_area: int = 0,
    of: str | None = None,
) -> Counting | None:
    """Return what counts; None where all does. Raises `InvalidOption` for what has no meaning."""
    given = (
        region is not None,
        region_mask is not None,
        ignore,
        classes is not None,
        least_area,
        of is not None,
    )
    if not any(given):
        return None
    unknown = [kind for kind in ignore if kind not in IGNORED]
    if unknown:
        raise InvalidOption(f"ignore names {unknown[0]!r}; it can name {', '.join(IGNORED)}")
    if least_area < 0:
        raise InvalidOption(f"least_area is {least_area}; it is a number of pixels, 0 or more")
    mask = None if region_mask is None else read_region_mask(region_mask)
    return Counting(
        region=None if region is None else read_region(region),
        region_mask=None if mask is None else encode_mask(mask.pixels),
        region_mask_grey=None if mask is None else mask.grey,
        ignore=tuple(kind for kind in IGNORED if kind in ignore),
        classes=None if classes is None else tuple(dict.fromkeys(classes)),
        least_area=least_area,
        of=of,
    )


def read_region(source: RegionSource) -> Region:
    """Return the polygons that are given; raises `InvalidOption` for what are none."""
    if isinstance(source, Region):
        return source
    try:
        return (
            Region.model_validate_json(source) if isinstance(source, str) else Region.model_validate(source)
        )
    except (ValidationError, RecursionError) as error:
        where = ""
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            where = f" ({place + ': ' if place else ''}{first['msg'].replace('Input', 'it', 1)})"
        raise InvalidOption(f"region is no region{where}; give {REGION_FORM}") from None


@dataclass(frozen=True)
class RegionMask:
    """A mask that was given."""

    pixels: NDArray[np.bool_]
    """[H, W]: those that count."""
    grey: int | None = None
    """How many were neither black nor white, where its file was made with losses and some were."""


def read_region_mask(source: Source, limits: Limits | None = None) -> RegionMask:
    """Return the pixels of a picture that are not black, or those of an array [H, W] that are not zero.

    Raises `InvalidOption` for a picture with pixels that are not opaque: whether these count, it does not say.
    """
    if isinstance(source, np.ndarray) and source.ndim == 2:
        return RegionMask(np.not_equal(source, 0))
    try:
        picture = read_source(source, filename="region_mask", limits=limits or Limits())
    except PlanimeterError as error:
        raise type(error)(f"region_mask: {error}") from error
    if any(note.code == ALPHA_DROPPED for note in picture.notes):
        raise InvalidOption(
            "region_mask has pixels that are not opaque, and what is not black counts, whatever its alpha: save it "
            "without alpha, black where nothing counts"
        )
    mask = mask_of_picture(picture)
    if not picture.lossy:
        return RegionMask(mask)
    white = np.all(picture.pixels == 255, axis=2)
    return RegionMask(mask, int(np.count_nonzero(mask & ~white)) or None)  # without any, nothing was lost


def mask_of_picture(picture: Picture) -> NDArray[np.bool_]:
    """Return [H, W]: the pixels that are not black."""
    mask: NDArray[np.bool_] = np.any(picture.pixels, axis=2)
    return mask


def encode_mask(mask: NDArray[np.bool_]) -> Rle:
    """Return a mask [H, W] as it is kept."""
    return rle_encode_whole(mask)
