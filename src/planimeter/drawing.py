"""The drawn picture: masks over pixels, as a person wants to see them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from planimeter.errors import InvalidOption
from planimeter.masks import Bools, WindowMask, rle_window, union_mask
from planimeter.measurement import Measurement, Rle

Style = Literal["fill", "outline", "splash"]
Pixels = NDArray[np.uint8]
Font = ImageFont.FreeTypeFont
Area = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""

FILL_OPACITY = 0.45
HALO_OPACITY = 0.35
SPLASH_BRIGHTNESS = 0.45
MOST_LABELS = 40
"""With more instances than this, labels would hide what they name."""
MOST_BARE_SCORES = 20
"""The same where there is one class, so that a label is a score alone and says less."""

_LUMA = np.array([77, 150, 29], np.uint16)  # ITU-R BT.601 in 1/256
# How far an instance's colour may leave its class's, in OKLCH: (turn of the hue in degrees, change of the
# lightness). Instances that touch get different ones. Several classes are told apart by hue: there it stays.
_SHADES_ALONE = ((0, 0.0), (-22, 0.0), (20, 0.09), (-11, 0.08), (10, -0.03), (-34, 0.06), (32, 0.15))
_SHADES_AMONG = ((0, 0.0), (0, 0.09), (0, -0.08), (0, 0.16))

# OKLab: B. Ottosson, "A perceptual color space for image processing", 2020,
# https://bottosson.github.io/posts/oklab/
_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


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
    instances as they are and turns the rest dark and grey. Outlines lie inside the masks, around them runs a
    faint dark seam. Line widths and letters grow with the picture.
    """
    if style not in get_args(Style):
        raise InvalidOption(f"style {style!r} is not one of {', '.join(get_args(Style))}")
    height, width = pixels.shape[:2]
    union = union_mask(masks, height, width)
    paints = _paints(masks, labels, colors, union.shape)
    line = _line_width(union.shape, masks)
    if style == "splash":
        canvas = _dimmed(pixels)
        np.copyto(canvas, pixels, where=union[..., np.newaxis])
    else:
        canvas = pixels.copy()
    if style == "fill":
        _fill(canvas, masks, paints)
    _draw_halos(canvas, masks, union, max(1, line // 2))
    for mask, paint in zip(reversed(masks), reversed(paints), strict=True):
        canvas[mask.window][_outline(mask, line, union.shape)] = paint
    boxes = [_bounds(mask) for mask in masks]
    if show_boxes:
        for box, paint in zip(reversed(boxes), reversed(paints), strict=True):
            _frame(canvas, box, paint, max(1, line // 2))
    if show_labels and len(masks) <= (MOST_LABELS if len(names) > 1 else MOST_BARE_SCORES):
        # Sized letters exist only as FreeType's; Pillow raises where it was built without.
        font = cast("Font", ImageFont.load_default(round(min(max(math.sqrt(height * width) / 45, 11), 72))))
        texts = _texts(labels, names, scores)
        named = [_Named(*each) for each in zip(masks, boxes, paints, texts, strict=True)]
        canvas = _write(canvas, _tags(named, union, font, alone=len(names) < 2), font)
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
    # Level 3 takes less than half the time of the default (6), for files of much the same size.
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


def _line_width(shape: tuple[int, ...], masks: Sequence[WindowMask]) -> int:
    """Return 1 up to about 800 pixels a side and 6 on 12 megapixels, but less where instances are small."""
    sides = sorted(min(mask.pixels.shape) for mask in masks)
    typical = sides[len(sides) // 2] if sides else 0
    return max(1, min(round(math.sqrt(shape[0] * shape[1]) / 560), typical // 12))


def shades(colors: Sequence[str]) -> list[list[str]]:
    """Return the colours of each class's instances as "#rrggbb", so that those that touch can differ."""
    turns = _SHADES_ALONE if len(colors) == 1 else _SHADES_AMONG
    return [["#" + _shade(color, *turn).tobytes().hex() for turn in turns] for color in colors]


def _paints(
    masks: Sequence[WindowMask], labels: Sequence[int], colors: Sequence[str], shape: tuple[int, ...]
) -> list[Pixels]:
    """Return a colour [3] for each instance: its class's, shaded so that neighbours differ."""
    shades = _SHADES_ALONE if len(colors) == 1 else _SHADES_AMONG
    palette = [[_shade(color, *shade) for shade in shades] for color in colors]
    taken = np.zeros(shape[:2], np.uint8)  # 1 + shade of the instance that lies there
    given = [0] * len(shades)
    paints = []
    for mask, label in zip(masks, labels, strict=True):
        reach = 3
        rows, columns = mask.window
        around = taken[
            max(rows.start - reach, 0) : rows.stop + reach,
            max(columns.start - reach, 0) : columns.stop + reach,
        ]
        near = np.bincount(around.ravel(), minlength=len(shades) + 1)[1:].tolist()
        shade = min(range(len(shades)), key=lambda shade: (near[shade], given[shade]))
        given[shade] += 1
        taken[mask.window][mask.pixels] = shade + 1
        paints.append(palette[label - 1][shade])
    return paints


def _shade(color: str, turn: float, lift: float) -> Pixels:
    """Return "#rrggbb" as RGB [3], its hue turned and its lightness changed as the eye counts them."""
    srgb = np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lightness, a, b = _LMS_TO_LAB @ np.cbrt(_RGB_TO_LMS @ linear)
    chroma, hue = math.hypot(a, b), math.atan2(b, a) + math.radians(turn)
    lightness = min(lightness + lift, 0.93)
    lab = np.array([lightness, chroma * math.cos(hue), chroma * math.sin(hue)])
    linear = np.linalg.solve(_RGB_TO_LMS, np.linalg.solve(_LMS_TO_LAB, lab) ** 3).clip(0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    shaded: Pixels = np.rint(255 * srgb).astype(np.uint8)
    return shaded


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
    """Return the rim of the mask, inside it, `width` pixels wide.

    The picture's own border is no rim: the instance may go on beyond it.
    """
    rows, columns = mask.pixels.shape
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


def _draw_halos(canvas: Pixels, masks: Sequence[WindowMask], union: Bools, width: int) -> None:
    """Darken a thin seam around the masks, so that bright outlines stand out on bright pictures too."""
    seam = np.zeros_like(union)
    for mask in masks:
        rows, columns = mask.window
        top, left = min(width, rows.start), min(width, columns.start)
        bottom, right = min(width, union.shape[0] - rows.stop), min(width, union.shape[1] - columns.stop)
        grown = _grow(np.pad(mask.pixels, ((top, bottom), (left, right))), width)
        seam[rows.start - top : rows.stop + bottom, columns.start - left : columns.stop + right] |= grown
    seam &= ~union
    canvas[seam] = (canvas[seam].astype(np.uint16) * round(256 * (1 - HALO_OPACITY))) >> 8


def _grow(pixels: Bools, steps: int) -> Bools:
    """Return the mask grown by so many pixels along rows and columns, within the array."""
    for _ in range(steps):
        grown = pixels.copy()
        grown[1:] |= pixels[:-1]
        grown[:-1] |= pixels[1:]
        grown[:, 1:] |= pixels[:, :-1]
        grown[:, :-1] |= pixels[:, 1:]
        pixels = grown
    return pixels


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
class _Named:
    """An instance and what may be written at it, best first."""

    mask: WindowMask
    box: Area
    paint: Pixels
    texts: Sequence[str]


@dataclass(frozen=True)
class _Tag:
    """A label with its place."""

    text: str
    area: Area
    paint: Pixels


def _texts(labels: Sequence[int], names: Sequence[str], scores: Sequence[float]) -> list[list[str]]:
    """Return what may be written at each instance, best first; where there is but one class, not its name."""
    figures = [f"{score:.2f}" for score in scores]
    if len(names) < 2:
        return [[figure] for figure in figures] or [[] for _ in labels]
    words = [names[label - 1] for label in labels]
    if not figures:
        return [[word] for word in words]
    return [[f"{word} {figure}", word] for word, figure in zip(words, figures, strict=True)]


def _tags(instances: Sequence[_Named], union: Bools, font: Font, *, alone: bool) -> list[_Tag]:
    """Return a label for each instance that has room for one; higher scores choose first.

    Where the class is `alone`, labels are bare scores: worth less than a clear view, they are left out where
    instances are small, and wholly where most have no room.
    """
    room = 2 if alone else 0
    margin = _margin(font)
    height = round(1.2 * font.size) + margin
    tags: list[_Tag] = []
    for instance in instances:
        for text in instance.texts:
            width = round(font.getlength(text)) + 2 * margin
            area = _place((width, height), instance, [tag.area for tag in tags], union)
            if area and instance.mask.area >= room * width * height:
                tags.append(_Tag(text, area, instance.paint))
                break
    return [] if alone and 2 * len(tags) < len(instances) else tags


def _place(extent: tuple[int, int], instance: _Named, taken: Sequence[Area], union: Bools) -> Area | None:
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


def _write(canvas: Pixels, tags: Sequence[_Tag], font: Font) -> Pixels:
    """Return the canvas with the labels: a plate in the instance's colour, dark or bright letters on it."""
    if not tags:
        return canvas
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    for tag in tags:
        left, top, right, bottom = tag.area
        red, green, blue = (int(channel) for channel in tag.paint)
        plate = (left, top, right - 1, bottom - 1)
        pen.rounded_rectangle(plate, radius=_margin(font), fill=(red, green, blue))
        ink = (0, 0, 0) if (77 * red + 150 * green + 29 * blue) >> 8 > 110 else (255, 255, 255)
        pen.text(((left + right) / 2, (top + bottom) / 2), tag.text, fill=ink, font=font, anchor="mm")
    return np.array(image)


def _margin(font: Font) -> int:
    return max(2, round(font.size / 4))
