"""Training examples: random crops of labelled pictures at network scale, augmented."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from planimeter.labels import LabelledPicture, LabelledPictures
from planimeter.labels.likeness import group
from planimeter.masks.window import WindowMask
from planimeter.networks.pixels import truth_of
from planimeter.packs.manifest import Preprocessing
from planimeter.pictures.preprocessing import network_size, normalise
from planimeter.training.pasting import Pasting

Target = dict[str, Tensor]

# An object cut by the crop's edge stays an example while this much of it is visible.
_LEAST_VISIBLE = 0.2
_LEAST_PIXELS = 6


@dataclass(frozen=True)
class Augmentation:
    """How far an example may differ from its picture. Scale is log-uniform, factors of colour are uniform."""

    scale: tuple[float, float]
    lighting: float
    tint: float = 0.06
    noise: float = 4.0
    paste: float = 0.0
    """How often a crop that shows no instance gets one of another picture."""
    mosaic: float = 0.0
    """How often a crop is put together of four pictures."""


class Crops(Dataset[tuple[Tensor, Target]]):
    """`size` x `size` crops, one a different picture and epoch; the same seed, epoch and index give the same crop.

    Copies of a picture, turned or mirrored, take turns: a crop is turned and mirrored anyway.
    """

    def __init__(
        self,
        data: LabelledPictures,
        preprocessing: Preprocessing,
        size: int,
        seed: int,
        augmentation: Augmentation,
    ) -> None:
        self._pictures = group(data.pictures)
        self._preprocessing = preprocessing
        self._size = size
        self._seed = seed
        self._augmentation = augmentation
        self._pasting = Pasting(data.pictures, preprocessing) if augmentation.paste else None

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        """Return crop number `index`, counted through all epochs: float32 [3, size, size] and its target."""
        random = np.random.default_rng((self._seed, index))
        picture = self._one_of(index % len(self), random)
        low, high = self._augmentation.scale
        zoom = math.exp(random.uniform(math.log(low), math.log(high)))
        if self._augmentation.mosaic and random.random() < self._augmentation.mosaic:
            pixels, labels, masks = self._mosaic(picture, zoom, random)
        else:
            scale = self._scale(picture, zoom)
            pixels, labels, masks = self._crop(picture, scale, (self._size, self._size), random)
        if self._pasting and not labels and random.random() < self._augmentation.paste:
            pixels, labels, masks = self._pasting.paste(pixels, zoom, random)
        pixels, masks = _turn(pixels, masks, random)
        image = normalise(_recolor(pixels, self._augmentation, random), self._preprocessing).transpose(
            2, 0, 1
        )
        padded = np.zeros((3, self._size, self._size), np.float32)
        padded[:, : image.shape[1], : image.shape[2]] = image
        stack = np.zeros((len(masks), self._size, self._size), np.uint8)
        stack[:, : image.shape[1], : image.shape[2]] = masks
        return torch.from_numpy(padded), _target(stack, labels)

    def _one_of(self, index: int, random: np.random.Generator) -> LabelledPicture:
        """Return one of the copies of a different picture."""
        copies = self._pictures[index]
        return copies[random.integers(len(copies))]

    def _mosaic(
        self, picture: LabelledPicture, zoom: float, random: np.random.Generator
    ) -> tuple[NDArray[np.uint8], list[int], NDArray[np.uint8]]:
        """Return a crop of four pictures, two by two, without gaps: what is seen does not end where a picture does.

        After Bochkovskiy et al., "YOLOv4", 2020, https://arxiv.org/abs/2004.10934.
        """
        four = [picture, *(self._one_of(int(random.integers(len(self))), random) for _ in range(3))]
        scales = [self._scale(part, zoom) for part in four]
        wide = [round(part.pixels.shape[1] * scale) for part, scale in zip(four, scales, strict=True)]
        tall = [round(part.pixels.shape[0] * scale) for part, scale in zip(four, scales, strict=True)]
        left, right = self._seam(min(wide[0], wide[2]), min(wide[1], wide[3]), random)
        top, bottom = self._seam(min(tall[:2]), min(tall[2:]), random)
        pixels = np.zeros((top + bottom, left + right, 3), np.uint8)
        labels: list[int] = []
        stacks = []
        corners = ((0, 0), (left, 0), (0, top), (left, top))
        for part, scale, (x, y) in zip(four, scales, corners, strict=True):
            room = right if x else left, bottom if y else top
            shown, found, masks = self._crop(part, scale, room, random)
            window = slice(y, y + shown.shape[0]), slice(x, x + shown.shape[1])
            pixels[window] = shown
            stack = np.zeros((len(masks), *pixels.shape[:2]), np.uint8)
            stack[:, window[0], window[1]] = masks
            labels += found
            stacks.append(stack)
        return pixels, labels, np.concatenate(stacks)

    def _seam(self, before: int, after: int, random: np.random.Generator) -> tuple[int, int]:
        """Return how much of a crop lies before a seam and how much after it, where so much can be shown of both."""
        if before + after <= self._size:
            return before, after
        least = max(self._size // 4, self._size - after)
        most = min(self._size - self._size // 4, before)
        seam = int(random.integers(least, most + 1)) if least <= most else before
        return seam, min(after, self._size - seam)

    def _scale(self, picture: LabelledPicture, zoom: float) -> float:
        height, width = picture.pixels.shape[:2]
        return float(zoom * network_size(height, width, self._preprocessing)[0] / height)

    def _crop(
        self, picture: LabelledPicture, scale: float, room: tuple[int, int], random: np.random.Generator
    ) -> tuple[NDArray[np.uint8], list[int], NDArray[np.uint8]]:
        """Return what a crop of at most `room` (width, height) shows of a picture: pixels, labels, uint8 masks."""
        height, width = picture.pixels.shape[:2]
        wide, tall = min(width, room[0] / scale), min(height, room[1] / scale)
        x0, y0 = _place(picture, wide, tall, random)
        out = (max(1, min(room[0], round(wide * scale))), max(1, min(room[1], round(tall * scale))))
        resized = Image.fromarray(picture.pixels).resize(
            out, Image.Resampling.BILINEAR, box=(x0, y0, x0 + wide, y0 + tall)
        )
        labels, masks = [], []
        for label, mask in zip(picture.labels, picture.masks, strict=True):
            scaled = _scale_mask(mask, (x0, y0), (out[0] / wide, out[1] / tall), out)
            if scaled is None:
                continue
            whole = mask.area * scale * scale
            if scaled.sum() >= max(_LEAST_PIXELS, _LEAST_VISIBLE * whole):
                labels.append(label)
                masks.append(scaled)
        stack = np.stack(masks) if masks else np.zeros((0, out[1], out[0]), np.uint8)
        return np.asarray(resized), labels, stack


def collate(examples: list[tuple[Tensor, Target]]) -> tuple[Tensor, list[Target]]:
    """Return a batch: float32 [B, 3, size, size] and its targets."""
    return torch.stack([image for image, _ in examples]), [target for _, target in examples]


def _place(
    picture: LabelledPicture, wide: float, tall: float, random: np.random.Generator
) -> tuple[float, float]:
    """Return the corner of a crop: mostly around an instance, sometimes anywhere, always inside."""
    height, width = picture.pixels.shape[:2]
    x0, y0 = random.uniform(0, width - wide), random.uniform(0, height - tall)
    if picture.masks and random.random() < 0.7:
        mask = picture.masks[random.integers(len(picture.masks))]
        x0 = mask.x + mask.pixels.shape[1] / 2 - wide * random.uniform(0.1, 0.9)
        y0 = mask.y + mask.pixels.shape[0] / 2 - tall * random.uniform(0.1, 0.9)
    return float(np.clip(x0, 0, width - wide)), float(np.clip(y0, 0, height - tall))


def _scale_mask(
    mask: WindowMask, corner: tuple[float, float], scale: tuple[float, float], out: tuple[int, int]
) -> NDArray[np.uint8] | None:
    """Return a mask in a crop's pixels, uint8 0 or 1 [H, W]; None where the crop shows nothing of it."""
    tall, wide = mask.pixels.shape
    left, top = (mask.x - corner[0]) * scale[0], (mask.y - corner[1]) * scale[1]
    x0, y0 = max(0, math.floor(left)), max(0, math.floor(top))
    x1 = min(out[0], math.ceil(left + wide * scale[0]))
    y1 = min(out[1], math.ceil(top + tall * scale[1]))
    if x1 <= x0 or y1 <= y0:
        return None
    # Affine coefficients take an output pixel to the mask's own; padding by one lets its edge fade out.
    source = Image.fromarray(np.pad(mask.pixels, 1).astype(np.uint8) * 255)
    matrix = (1 / scale[0], 0, (x0 - left) / scale[0] + 1, 0, 1 / scale[1], (y0 - top) / scale[1] + 1)
    window = source.transform((x1 - x0, y1 - y0), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    canvas = np.zeros((out[1], out[0]), np.uint8)
    canvas[y0:y1, x0:x1] = np.asarray(window) >= 128
    return canvas


def _turn(
    pixels: NDArray[np.uint8], masks: NDArray[np.uint8], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Mirror and turn by a random multiple of 90 degrees: surfaces and dishes have no up."""
    turns = int(random.integers(4))
    pixels, masks = np.rot90(pixels, turns, (0, 1)), np.rot90(masks, turns, (1, 2))
    if random.random() < 0.5:
        pixels, masks = pixels[:, ::-1], masks[:, :, ::-1]
    return pixels, masks


def _recolor(pixels: NDArray[np.uint8], by: Augmentation, random: np.random.Generator) -> NDArray[np.uint8]:
    """Vary gamma, contrast, brightness, tint and noise, as lamps and cameras do."""
    value = pixels.astype(np.float32) / 255
    value **= np.float32(math.exp(random.uniform(-by.lighting, by.lighting)))
    mean = value.mean()
    value = (value - mean) * np.float32(1 + random.uniform(-by.lighting, by.lighting)) + mean
    value *= np.float32(1 + random.uniform(-by.lighting, by.lighting))
    value *= (1 + random.uniform(-by.tint, by.tint, 3)).astype(np.float32)
    if by.noise and random.random() < 0.3:
        value += random.normal(0, random.uniform(0, by.noise) / 255, value.shape).astype(np.float32)
    if random.random() < 0.1:
        value = np.repeat(value.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(np.clip(value * 255, 0, 255).round(), np.uint8)


def _target(masks: NDArray[np.uint8], labels: list[int]) -> Target:
    boxes, keep = [], []
    for index, mask in enumerate(masks):
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        # torchvision refuses a box without extent in x or y.
        boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        keep.append(index)
    target: dict[str, Any] = {
        "boxes": torch.tensor(np.asarray(boxes, np.float32).reshape(-1, 4)),
        "labels": torch.tensor([labels[index] for index in keep], dtype=torch.int64),
        "masks": torch.from_numpy(masks),
    }
    # Seldom more than a byte's worth of classes; batches travel between processes.
    target["pixels"] = truth_of(target["masks"], target["labels"], masks.shape[1:]).to(torch.int16)
    return target
