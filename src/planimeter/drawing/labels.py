"""The labels beside instances: what they say, and where they hide nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from planimeter.drawing.colours import Pixels
from planimeter.masks.window import Bools, WindowMask
from planimeter.numbers import write_decimals

Font = ImageFont.FreeTypeFont
Area = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""
_WRITTEN_WHOLE = 1_000_000
"""Bytes of a canvas up to which labels are written on all of it: quicker, and of a large one too much memory."""


@dataclass(frozen=True)
class Named:
    """An instance and what may be written at it, best first."""

    mask: WindowMask
    box: Area
    paint: Pixels
    texts: Sequence[str]


@dataclass(frozen=True)
class Tag:
    """A label with its place."""

    text: str
    area: Area
    paint: Pixels


@lru_cache(maxsize=16)
def font_of(size: int) -> Font:
    """Return Pillow's own font, that many pixels high."""
    # Sized letters exist only as FreeType's; Pillow raises where it was built without.
    return cast("Font", ImageFont.load_default(size))


def list_texts(labels: Sequence[int], names: Sequence[str], scores: Sequence[float]) -> list[list[str]]:
    """Return what may be written at each instance, best first; where there is but one class, not its name."""
    figures = [write_decimals(score, 2) for score in scores]
    if len(names) < 2:
        return [[figure] for figure in figures] or [[] for _ in labels]
    words = [names[label - 1] for label in labels]
    if not figures:
        return [[word] for word in words]
    return [[f"{word} {figure}", word] for word, figure in zip(words, figures, strict=True)]


def place_tags(instances: Sequence[Named], union: Bools, font: Font, *, alone: bool) -> list[Tag]:
    """Return a label for each instance that has room for one; higher scores choose first.

    Where the class is `alone`, labels are bare scores: worth less than a clear view, they are left out where
    instances are small, and wholly where most have no room.
    """
    room = 2 if alone else 0
    margin = _margin(font)
    height = round(1.2 * font.size) + margin
    tags: list[Tag] = []
    for instance in instances:
        for text in instance.texts:
            width = _width(font, text) + 2 * margin
            area = _place((width, height), instance, [tag.area for tag in tags], union)
            if area and instance.mask.area >= room * width * height:
                tags.append(Tag(text, area, instance.paint))
                break
    return [] if alone and 2 * len(tags) < len(instances) else tags


@lru_cache(maxsize=4096)
def _width(font: Font, text: str) -> int:
    """Return how wide a text is; the same few are written again and again, and laying one out takes long."""
    return round(font.getlength(text))


def _place(extent: tuple[int, int], instance: Named, taken: Sequence[Area], union: Bools) -> Area | None:
    """Return where a label fits: at the mask's top, at its bottom, or inside; None where there is no room."""
    mask, (left, top, right, bottom) = instance.mask, instance.box
    width, height = extent
    if max(right - left, bottom - top) < 0.6 * width or width > 0.6 * union.shape[1]:
        return None
    gap = max(1, height // 8)
    at_top, at_bottom = _middle(mask, top), _middle(mask, bottom - 1)
    for middle, y in ((at_top, top - gap - height), (at_bottom, bottom + gap), (at_top, top + gap)):
        x = max(0, min(middle - width // 2, union.shape[1] - width))
        area = (x, y, x + width, y + height)
        if y < 0 or y + height > union.shape[0] or any(_overlap(area, other) for other in taken):
            continue
        own = _count(mask.pixels, (x - mask.x, y - mask.y, x + width - mask.x, y + height - mask.y))
        if own <= 0.2 * mask.area and _count(union, area) - own <= 0.05 * width * height:
            return area
    return None


def _middle(mask: WindowMask, row: int) -> int:
    """Return the middle of the mask's pixels in a row of the picture."""
    return mask.x + int(np.flatnonzero(mask.pixels[row - mask.y]).mean())


def _count(pixels: Bools, area: Area) -> int:
    left, top, right, bottom = (max(0, side) for side in area)
    return int(np.count_nonzero(pixels[top:bottom, left:right]))


def _overlap(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def write_tags(canvas: Pixels, tags: Sequence[Tag], font: Font) -> None:
    """Write the labels on the canvas: a plate in the instance's colour, dark or bright letters on it."""
    if canvas.size <= _WRITTEN_WHOLE:
        _write_on(canvas, (0, 0), tags, font)
        return
    for tag in tags:
        spare = round(font.size)  # letters that reach over their plate
        left, top = (max(0, side - spare) for side in tag.area[:2])
        _write_on(canvas[top : tag.area[3] + spare, left : tag.area[2] + spare], (left, top), [tag], font)


def _write_on(part: Pixels, corner: tuple[int, int], tags: Sequence[Tag], font: Font) -> None:
    """Write labels on a part of the canvas, whose left and top is `corner`."""
    if not tags:
        return
    image = Image.fromarray(part)
    pen = ImageDraw.Draw(image)
    for tag in tags:
        left, right = (side - corner[0] for side in tag.area[::2])
        top, bottom = (side - corner[1] for side in tag.area[1::2])
        red, green, blue = (int(channel) for channel in tag.paint)
        plate = (left, top, right - 1, bottom - 1)
        pen.rounded_rectangle(plate, radius=_margin(font), fill=(red, green, blue))
        ink = (0, 0, 0) if (77 * red + 150 * green + 29 * blue) >> 8 > 110 else (255, 255, 255)
        across, down = (left + right) / 2, (top + bottom) / 2
        letters, middle = _letters(font, tag.text, across % 1, down % 1)
        pen.bitmap((int(across) - middle[0], int(down) - middle[1]), letters, fill=ink)
    part[:] = np.asarray(image)


@lru_cache(maxsize=256)
def _letters(font: Font, text: str, right: float, down: float) -> tuple[Image.Image, tuple[int, int]]:
    """Return how much of each pixel the letters cover, and where their middle lies, less `right` and `down`.

    The same few are written again and again, and FreeType takes longer than all the rest of a label.
    """
    x0, y0, x1, y1 = font.getbbox(text, anchor="mm")
    middle = math.ceil(-x0) + 1, math.ceil(-y0) + 1
    letters = Image.new("L", (middle[0] + math.ceil(x1) + 2, middle[1] + math.ceil(y1) + 2))
    ImageDraw.Draw(letters).text(
        (middle[0] + right, middle[1] + down), text, fill=255, font=font, anchor="mm"
    )
    return letters, middle


def _margin(font: Font) -> int:
    return max(2, round(font.size / 4))
