"""From a picture to the input of a network, and back: what a point of one is in the other."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from planimeter.packs.manifest import Preprocessing
from planimeter.pictures.tiles import Tile, list_tiles


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the network's input: x_input = x * across + left, y_input = y * down + top."""

    height: int
    """Of the picture, in its own pixels."""
    width: int
    scaled_height: int
    """Of the picture in the network's input, in input pixels."""
    scaled_width: int
    left: int
    top: int
    input_height: int
    """Of the network's input, with what surrounds the picture in it."""
    input_width: int

    @property
    def across(self) -> float:
        """Input pixels for each pixel of the picture, from left to right."""
        return self.scaled_width / self.width

    @property
    def down(self) -> float:
        """Input pixels for each pixel of the picture, from top to bottom."""
        return self.scaled_height / self.height

    def in_picture(self, boxes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return boxes [N, 4] as x0, y0, x1, y1 in pixels of the picture, inside of it."""
        scale, origin = (self.across, self.down) * 2, (self.left, self.top) * 2
        inside = (boxes.astype(np.float64) - origin) / scale
        return np.clip(inside, 0, (self.width, self.height) * 2)


def network_size(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Return the height and width in pixels that a picture is scaled to, before anything is filled."""
    if preprocessing.size is not None:
        rows, columns = preprocessing.size
        if preprocessing.fit == "stretch":
            return rows, columns
        scale = min(rows / height, columns / width)
    elif preprocessing.fit == "native":
        scale = min(1.0, preprocessing.longest_edge / max(height, width))
    else:
        scale = preprocessing.scale or min(
            preprocessing.shortest_edge / min(height, width), preprocessing.longest_edge / max(height, width)
        )
        if preprocessing.rounding == "half-up":
            return _round_half_up(height, width, preprocessing)
        if preprocessing.rounding == "down":
            return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _round_half_up(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Return what Detectron2's ResizeShortestEdge makes of a size, in its own order of operations."""
    shortest = float(preprocessing.shortest_edge)
    scale = shortest / min(height, width)
    sides = [shortest, scale * width] if height < width else [scale * height, shortest]
    if max(sides) > preprocessing.longest_edge:
        scale = preprocessing.longest_edge / max(sides)
        sides = [side * scale for side in sides]
    rows, columns = (max(1, int(side + 0.5)) for side in sides)
    return rows, columns


def choose_tiles(
    height: int, width: int, preprocessing: Preprocessing, wanted: float | None = None
) -> tuple[list[Tile], float | None]:
    """Return the windows in which a picture is measured, and their scale where it is not the pack's usual one.

    That is the whole picture, or tiles where its objects would otherwise become too small for the network. `wanted` is
    a scale that the picture asks for, because it is known how large its pixels are.
    """
    if wanted is not None:
        scale = wanted
    elif preprocessing.scale is not None:
        scale = preprocessing.scale
    elif network_size(height, width, preprocessing)[0] / height >= preprocessing.least_scale:
        return [Tile(0, 0, width, height)], None
    else:
        scale = preprocessing.tile_scale
    side, overlap = round(preprocessing.tile / scale), round(preprocessing.tile_overlap / scale)
    return list_tiles(height, width, side, overlap), scale


def preprocess(
    pixels: NDArray[np.uint8],
    preprocessing: Preprocessing,
    scale: float | None = None,
    *,
    into: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], Placement]:
    """Return the network's input, float32 [1, 3, H, W], and where the picture `pixels` lies in it.

    `scale` replaces the one that follows from the pack's edges; a pack with a `size` always ignores it. An earlier
    input that nothing needs any more, `into`, is written over where it has the same shape.
    """
    height, width = pixels.shape[:2]
    if scale is None or preprocessing.size is not None:
        new_height, new_width = network_size(height, width, preprocessing)
    else:
        new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
    scaled = _resize(pixels, new_height, new_width, preprocessing)
    boxed = preprocessing.fit in {"letterbox", "rectangle"}
    if preprocessing.size is None or preprocessing.fit == "rectangle":
        step = preprocessing.multiple
        rows, columns = -(-new_height // step) * step, -(-new_width // step) * step
    else:
        rows, columns = preprocessing.size
    reused = into is not None and into.shape == (1, 3, rows, columns)
    image = into if into is not None and reused else np.empty((1, 3, rows, columns), np.float32)
    top = left = 0
    if boxed:
        # The odd pixel goes to the bottom and the right, as in Ultralytics' LetterBox.
        top, left = (rows - new_height) // 2, (columns - new_width) // 2
        image[:] = normalise(np.full((1, 1, 3), preprocessing.fill, np.float32), preprocessing)[0, 0, 0]
    elif (new_height, new_width) != (rows, columns):
        image[:] = 0
    room = image[0, :, top : top + new_height, left : left + new_width]
    if scaled.dtype == np.uint8:
        _fill(room, scaled, preprocessing)
    else:
        room[:] = normalise(scaled, preprocessing).transpose(2, 0, 1)
    return image, Placement(height, width, new_height, new_width, left, top, rows, columns)


def _fill(room: NDArray[np.float32], pixels: NDArray[Any], preprocessing: Preprocessing) -> None:
    """Write RGB `pixels`, uint8 [H, W, 3], to `room` [3, H, W] as `normalise` says, channel by channel."""
    order = (2, 1, 0) if preprocessing.channels == "bgr" else (0, 1, 2)
    mean, std = (np.asarray(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
    for channel, source in enumerate(order):
        plane = room[channel]
        plane[:] = pixels[..., source]
        plane -= mean[channel]
        plane /= std[channel]


def normalise(
    pixels: NDArray[np.uint8] | NDArray[np.float32], preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Return RGB `pixels`, [H, W, 3] on [0, 255], as float32 in the network's order of channels."""
    mean = np.asarray(preprocessing.mean, np.float32)
    std = np.asarray(preprocessing.std, np.float32)
    ordered = pixels[..., ::-1] if preprocessing.channels == "bgr" else pixels
    return (ordered.astype(np.float32) - mean) / std


def _resize(
    pixels: NDArray[np.uint8], height: int, width: int, preprocessing: Preprocessing
) -> NDArray[np.uint8] | NDArray[np.float32]:
    if pixels.shape[:2] == (height, width):
        return pixels
    if preprocessing.antialias:
        # Pillow's bilinear filter widens when it shrinks, so large pictures do not alias.
        if is_grey(pixels):  # as most microscopes and cameras of lines see: one channel says all
            plane = np.ascontiguousarray(pixels[..., 0])
            return np.broadcast_to(_resize_pillow(plane, height, width)[..., None], (height, width, 3))
        return _resize_pillow(pixels, height, width)
    # A letterbox is OpenCV's, which computes with whole numbers; the others interpolate floating-point tensors.
    boxed = preprocessing.fit in {"letterbox", "rectangle"}
    return (_resize_opencv if boxed else _interpolate)(pixels, height, width)


def _resize_pillow(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Return whether the three channels of RGB `pixels` [H, W, 3] are the same."""
    red, green, blue = (pixels[..., channel] for channel in range(3))
    step = max(1, len(pixels) // 8)  # a picture in colours is told by a few rows
    return all(np.array_equal(red[::every], other[::every]) for every in (step, 1) for other in (green, blue))


def _interpolate(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """Return `pixels` read bilinearly at the new pixels' centres, whatever the scale: PyTorch without antialiasing."""
    above, below, down = _neighbours(pixels.shape[0], height)
    before, after, across = _neighbours(pixels.shape[1], width)
    down, across = down[:, None, None], across[:, None]
    rows = pixels[above] * (1 - down) + pixels[below] * down
    return np.asarray(rows[:, before] * (1 - across) + rows[:, after] * across, np.float32)


def _resize_opencv(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return what `cv2.resize` does with INTER_LINEAR: weights of 11 bits, and its way of dropping the others."""
    above, below, down = _neighbours(pixels.shape[0], height)
    before, after, across = _neighbours(pixels.shape[1], width)
    first, second = (_eleven_bits(share)[:, None] for share in (1 - across, across))
    upper, lower = (
        (rows[:, before].astype(np.int32) * first + rows[:, after] * second) >> 4
        for rows in (pixels[above], pixels[below])
    )
    first, second = (_eleven_bits(share)[:, None, None] for share in (1 - down, down))
    return ((((upper * first) >> 16) + ((lower * second) >> 16) + 2) >> 2).astype(np.uint8)


def _eleven_bits(share: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.rint(share * 2048).astype(np.int32)


def _neighbours(size: int, new_size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return for each new pixel the two old ones around its centre, and the share of the second."""
    position = (np.arange(new_size) + 0.5) * (size / new_size) - 0.5
    position = np.clip(position.astype(np.float32), 0, size - 1)
    first = position.astype(np.intp)
    return first, np.minimum(first + 1, size - 1), (position - first).astype(np.float32)
