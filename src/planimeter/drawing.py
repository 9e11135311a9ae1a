"""The drawn picture: masks over pixels, as a person wants to see them."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from planimeter.errors import InvalidOption
from planimeter.masks import Bools, WindowMask, rle_window
from planimeter.measurement import Measurement, Rle

Style = Literal["fill", "outline", "splash"]
Pixels = NDArray[np.uint8]
Area = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""

FILL_OPACITY = 0.4
SPLASH_BRIGHTNESS = 0.45
MOST_LABELS = 40
"""With more instances than this, labels would hide what they name."""

_LUMA = np.array([77, 150, 29], np.uint16)  # ITU-R BT.601 in 1/256
# How far an instance's colour may leave its class's: (turn of the hue, change of the lightness). Instances
# that touch get different ones. Several classes are told apart by their hue, so there only lightness changes.
_SHADES_ALONE = (
    (0.0, 0.0),
    (0.11, 0.04),
    (-0.11, 0.04),
    (0.2, 0.0),
    (-0.2, 0.06),
    (0.05, 0.14),
    (-0.06, -0.1),
    (0.3, 0.04),
)
_SHADES_AMONG = ((0.0, 0.0), (0.0, 0.12), (0.0, -0.1), (0.02, 0.2))


def draw(
    pixels: Pixels,
    masks: Sequence[WindowMask],
    labels: Sequence[int],
    colors: Sequence[str],
    *,
    names: Sequence[str] = (),
    scores: Sequence[float] = (),
    style: Style = "fill",
    show_labels: bool = True,
    show_boxes: bool = False,
) -> Pixels:
    """Return a copy of `pixels` [H, W, 3] with the masks drawn; masks come by falling score.

    `labels` are class ids from 1, `colors` ("#rrggbb") and `names` are those of the classes. "fill" lays the
    class's colour over each instance and draws its outline, "outline" draws only that, "splash" leaves the
    instances as they are and turns the rest dark and grey. Line widths and letters grow with the picture.
    """
    if style not in get_args(Style):
        raise InvalidOption(f"style {style!r} is not one of {', '.join(get_args(Style))}")
    paints = _paints(masks, labels, colors, pixels.shape[:2])
    line = _line_width(pixels)
    canvas = _dimmed(pixels) if style == "splash" else pixels.copy()
    if style == "splash":
        for mask in masks:
            np.copyto(canvas[mask.window], pixels[mask.window], where=mask.pixels[..., np.newaxis])
    if style == "fill":
        _fill(canvas, masks, paints)
    for mask, paint in zip(reversed(masks), reversed(paints), strict=True):
        width = line if style != "splash" else max(1, line // 2)
        canvas[mask.window][_outline(mask, width, pixels.shape[:2])] = paint
    boxes = [_bounds(mask) for mask in masks]
    if show_boxes:
        for box, paint in zip(reversed(boxes), reversed(paints), strict=True):
            _frame(canvas, box, paint, max(1, line // 2))
    if show_labels and names and 0 < len(masks) <= MOST_LABELS:
        texts = [names[label - 1] for label in labels]
        if scores:
            texts = [f"{text} {score:.2f}" for text, score in zip(texts, scores, strict=True)]
        canvas = _write(canvas, texts, boxes, paints)
    return canvas


def draw_measurement(
    pixels: Pixels,
    measurement: Measurement,
    colors: Sequence[str],
    style: Style = "fill",
    *,
    masks: Sequence[WindowMask] | None = None,
    show_labels: bool = True,
    show_boxes: bool = False,
) -> Pixels:
    """Return the picture of a measurement drawn; the masks are its own RLE ones where none are given."""
    instances = measurement.instances
    if masks is None:
        masks = [_window(instance.mask) for instance in instances]
    return draw(
        pixels,
        masks,
        [instance.class_id for instance in instances],
        colors,
        names=[entry.class_name for entry in measurement.coverage.by_class],
        scores=[instance.score for instance in instances],
        style=style,
        show_labels=show_labels,
        show_boxes=show_boxes,
    )


def _window(mask: object) -> WindowMask:
    if not isinstance(mask, Rle):
        raise InvalidOption(
            "a measurement can be drawn again only from RLE masks; measure with mask_format rle"
        )
    return rle_window(mask)


def encode_png(pixels: Pixels) -> bytes:
    """Return [H, W, 3] pixels as PNG."""
    # Level 3 takes a third of the time of the default and adds about a tenth to the size.
    return _save(Image.fromarray(pixels), "PNG", compress_level=3)


def encode_jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """Return [H, W, 3] pixels as JPEG, with colours at full resolution so that outlines stay crisp."""
    return _save(Image.fromarray(pixels), "JPEG", quality=quality, subsampling=0)


def encode_mask_png(mask: NDArray[Any]) -> bytes:
    """Return a mask [H, W] as grey PNG: bool as 0 and 255, uint8 and uint16 with their own values."""
    if mask.dtype == np.bool_:
        mask = mask.astype(np.uint8) * np.uint8(255)
    if mask.ndim != 2 or mask.dtype not in (np.uint8, np.uint16):
        raise InvalidOption(f"a mask is bool, uint8 or uint16 [H, W], not {mask.dtype} {mask.shape}")
    return _save(Image.fromarray(mask), "PNG", compress_level=6)


def thumbnail(pixels: Pixels, side: int = 320) -> bytes:
    """Return the picture as JPEG with a longer side of at most `side`; smaller pictures keep their size."""
    image = Image.fromarray(pixels)
    # A cheap whole-number reduction first: the fine filter then sees a picture of a few times the size.
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _save(image, "JPEG", quality=85, subsampling=0)


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _line_width(pixels: Pixels) -> int:
    """Return 1 up to about 600 pixels a side, 6 on 12 megapixels."""
    height, width = pixels.shape[:2]
    return max(1, round(math.sqrt(height * width) / 560))


def _paints(
    masks: Sequence[WindowMask], labels: Sequence[int], colors: Sequence[str], shape: tuple[int, ...]
) -> list[Pixels]:
    """Return a colour [3] for each instance: its class's, shaded so that neighbours differ."""
    shades = _SHADES_ALONE if len(colors) == 1 else _SHADES_AMONG
    palette = [[_shade(color, *shade) for shade in shades] for color in colors]
    taken = np.zeros(shape[:2], np.uint8)  # 1 + shade of the instance that lies there
    paints = []
    for mask, label in zip(masks, labels, strict=True):
        reach = 3
        rows, columns = mask.window
        around = taken[
            max(rows.start - reach, 0) : rows.stop + reach,
            max(columns.start - reach, 0) : columns.stop + reach,
        ]
        used = np.bincount(around.ravel(), minlength=len(shades) + 1)[1:]
        shade = int(np.argmin(used))
        taken[mask.window][mask.pixels] = shade + 1
        paints.append(palette[label - 1][shade])
    return paints


def _shade(color: str, turn: float, lift: float) -> Pixels:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)))
    lightness = min(max(lightness + lift, 0.3), 0.85)
    shaded = colorsys.hls_to_rgb((hue + turn) % 1.0, lightness, saturation)
    return np.array([round(255 * channel) for channel in shaded], np.uint8)


def _dimmed(pixels: Pixels) -> Pixels:
    """Return the picture in dark grey: also a picture that is grey itself then shows what is masked."""
    grey = (pixels.astype(np.uint16) @ _LUMA) >> 8
    grey = (grey * round(256 * SPLASH_BRIGHTNESS) >> 8).astype(np.uint8)
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def _fill(canvas: Pixels, masks: Sequence[WindowMask], paints: Sequence[Pixels]) -> None:
    """Lay each instance's colour over the canvas; where masks overlap the first alone counts."""
    share = round(256 * FILL_OPACITY)
    painted = np.zeros(canvas.shape[:2], bool)
    for mask, paint in zip(masks, paints, strict=True):
        here = mask.pixels & ~painted[mask.window]
        painted[mask.window] |= mask.pixels
        below = canvas[mask.window][here].astype(np.uint16)
        canvas[mask.window][here] = (below * (256 - share) + paint.astype(np.uint16) * share) >> 8


def _outline(mask: WindowMask, width: int, shape: tuple[int, ...]) -> Bools:
    """Return the rim of the mask, inside it, `width` pixels wide; thinner on small instances.

    The picture's own border is no rim: the instance may go on beyond it.
    """
    rows, columns = mask.pixels.shape
    width = max(1, min(width, min(rows, columns) // 10))
    inner = np.pad(mask.pixels, 1)
    inner[0] |= mask.y == 0
    inner[-1] |= mask.y + rows == shape[0]
    inner[:, 0] |= mask.x == 0
    inner[:, -1] |= mask.x + columns == shape[1]
    for step in range(width):
        core = inner[1:-1, 1:-1].copy()
        if step % 2 == 0:  # a cross and a square in turn make an octagon: round enough
            core &= inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
        else:
            tall = inner[:-2] & inner[1:-1] & inner[2:]
            core &= tall[:, :-2] & tall[:, 2:]
        inner[1:-1, 1:-1] = core
    return mask.pixels & ~inner[1:-1, 1:-1]


def _bounds(mask: WindowMask) -> Area:
    """Return the smallest area that holds the mask's pixels."""
    rows, columns = np.flatnonzero(mask.pixels.any(1)), np.flatnonzero(mask.pixels.any(0))
    if len(rows) == 0:
        return mask.x, mask.y, mask.x, mask.y
    return (
        mask.x + int(columns[0]),
        mask.y + int(rows[0]),
        mask.x + int(columns[-1]) + 1,
        mask.y + int(rows[-1]) + 1,
    )


def _frame(canvas: Pixels, box: Area, paint: Pixels, line: int) -> None:
    left, top, right, bottom = box
    canvas[top : top + line, left:right] = paint
    canvas[max(bottom - line, top) : bottom, left:right] = paint
    canvas[top:bottom, left : left + line] = paint
    canvas[top:bottom, max(right - line, left) : right] = paint


@dataclass(frozen=True)
class _Tag:
    """A label with its place."""

    text: str
    area: Area
    paint: Pixels


def _write(canvas: Pixels, texts: Sequence[str], boxes: Sequence[Area], paints: Sequence[Pixels]) -> Pixels:
    """Return the canvas with a label at each instance that has room for one; higher scores choose first."""
    height, width = canvas.shape[:2]
    size = round(min(max(math.sqrt(height * width) / 42, 11), 72))
    font = ImageFont.load_default(size)
    margin = max(2, size // 4)
    tags: list[_Tag] = []
    for text, box, paint in zip(texts, boxes, paints, strict=True):
        extent = (round(font.getlength(text)) + 2 * margin, round(1.2 * size) + margin)
        area = _place(extent, box, [tag.area for tag in tags], (width, height))
        if area:
            tags.append(_Tag(text, area, paint))
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    for tag in tags:
        left, top, right, bottom = tag.area
        pen.rounded_rectangle((left, top, right - 1, bottom - 1), radius=margin, fill=_tuple(tag.paint))
        ink = (0, 0, 0) if int(tag.paint.astype(np.uint16) @ _LUMA) >> 8 > 120 else (255, 255, 255)
        pen.text(((left + right) / 2, (top + bottom) / 2), tag.text, fill=ink, font=font, anchor="mm")
    return np.array(image)


def _place(
    extent: tuple[int, int], box: Area, taken: Sequence[Area], picture: tuple[int, int]
) -> Area | None:
    """Return where a label fits: above its box, below it, or inside; None where there is no room."""
    label_width, label_height = extent
    left, top, right, bottom = box
    if right - left < 0.5 * label_width or label_width > picture[0]:
        return None
    x = max(0, min(left, picture[0] - label_width))
    for y in (top - label_height, bottom, top):
        area = (x, y, x + label_width, y + label_height)
        if y >= 0 and y + label_height <= picture[1] and not any(_overlap(area, other) for other in taken):
            return area
    return None


def _overlap(one: Area, other: Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _tuple(paint: Pixels) -> tuple[int, int, int]:
    red, green, blue = (int(channel) for channel in paint)
    return red, green, blue
