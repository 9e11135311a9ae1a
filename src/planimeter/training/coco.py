"""Labelled pictures in COCO json: reading, checking, splitting."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from planimeter.decode import Limits, decode
from planimeter.errors import DataError, PlanimeterError
from planimeter.masks import WindowMask, rle_window
from planimeter.measurement import Rle


@dataclass(frozen=True)
class LabelledPicture:
    """One picture with its true instances; pixels uint8 [H, W, 3] RGB, labels are class ids from 1."""

    name: str
    pixels: NDArray[np.uint8]
    labels: tuple[int, ...]
    masks: tuple[WindowMask, ...]


@dataclass(frozen=True)
class LabelledPictures:
    """A data set in memory: its classes, in the order of their ids, and its pictures."""

    classes: tuple[str, ...]
    pictures: tuple[LabelledPicture, ...]

    @property
    def instances(self) -> int:
        """How many instances all pictures have."""
        return sum(len(picture.labels) for picture in self.pictures)


def read_coco(file: Path, images: Path | None = None) -> LabelledPictures:
    """Read a COCO json and the pictures it names, from `images` or the folder `images` beside the json.

    Raises `DataError`, naming the file and the object, for anything that does not fit together.
    """
    folder = images or (file.parent / "images" if (file.parent / "images").is_dir() else file.parent)
    try:
        document = json.loads(file.read_text("utf-8"))
        categories = sorted(document["categories"], key=lambda entry: int(entry["id"]))
        entries = document["images"]
        annotations = document["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} cannot be read as COCO json: {error!r}") from error
    label_of = {entry["id"]: label for label, entry in enumerate(categories, start=1)}
    by_picture: dict[Any, list[Any]] = {entry["id"]: [] for entry in entries}
    for annotation in annotations:
        if annotation["image_id"] not in by_picture:
            raise DataError(
                f"{file}: annotation {annotation['id']} names picture {annotation['image_id']}: not listed"
            )
        if annotation["category_id"] not in label_of:
            raise DataError(
                f"{file}: annotation {annotation['id']} has class {annotation['category_id']}: not listed"
            )
        if not annotation.get("iscrowd"):
            by_picture[annotation["image_id"]].append(annotation)
    pictures = tuple(
        _read_picture(file, folder, entry, by_picture[entry["id"]], label_of) for entry in entries
    )
    return LabelledPictures(tuple(entry["name"] for entry in categories), pictures)


def split(data: LabelledPictures, fraction: float, seed: int) -> tuple[LabelledPictures, LabelledPictures]:
    """Split off a validation part: every picture size gives its share, so that both parts look alike."""
    groups: dict[tuple[int, ...], list[LabelledPicture]] = {}
    for picture in data.pictures:
        groups.setdefault(picture.pixels.shape, []).append(picture)
    chooser = random.Random(seed)  # noqa: S311 - a reproducible split, not a secret
    train: list[LabelledPicture] = []
    validation: list[LabelledPicture] = []
    for shape in sorted(groups):
        group = sorted(groups[shape], key=lambda picture: picture.name)
        chooser.shuffle(group)
        # Rounded at random, so that sizes that are rare are not always on the same side.
        take = int(len(group) * fraction + chooser.random())
        validation += group[:take]
        train += group[take:]
    if not train or not validation:
        raise DataError(
            f"{len(data.pictures)} pictures cannot be split into training and validation with "
            f"a validation fraction of {fraction}; label more pictures or change the fraction"
        )
    return LabelledPictures(data.classes, tuple(train)), LabelledPictures(data.classes, tuple(validation))


def _read_picture(
    file: Path, folder: Path, entry: Any, annotations: Sequence[Any], label_of: dict[Any, int]
) -> LabelledPicture:
    path = folder / str(entry["file_name"])
    try:
        pixels = decode(path.read_bytes(), filename=path.name, limits=Limits()).pixels
    except (OSError, PlanimeterError) as error:
        raise DataError(f"{file}: picture {entry['file_name']}: {error}") from error
    height, width = pixels.shape[:2]
    if (height, width) != (entry["height"], entry["width"]):
        raise DataError(
            f"{file}: picture {entry['file_name']} is {width} x {height}, the json says "
            f"{entry['width']} x {entry['height']}"
        )
    masks = [_read_mask(file, annotation, height, width) for annotation in annotations]
    labels = [label_of[annotation["category_id"]] for annotation in annotations]
    filled = [index for index, mask in enumerate(masks) if mask.area]
    return LabelledPicture(
        path.name, pixels, tuple(labels[index] for index in filled), tuple(masks[index] for index in filled)
    )


def _read_mask(file: Path, annotation: Any, height: int, width: int) -> WindowMask:
    where = f"{file}: annotation {annotation['id']}"
    segmentation = annotation.get("segmentation")
    try:
        if isinstance(segmentation, list):
            parts = coco_mask.frPyObjects(segmentation, height, width)
            encoded = coco_mask.merge(parts)
        elif isinstance(segmentation["counts"], list):
            encoded = coco_mask.frPyObjects(segmentation, height, width)
        else:
            encoded = segmentation
        counts = encoded["counts"]
        rle = Rle(
            size=tuple(encoded["size"]), counts=counts.decode() if isinstance(counts, bytes) else counts
        )
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise DataError(f"{where}: its segmentation is neither polygons nor RLE ({error!r})") from error
    if rle.size != (height, width):
        raise DataError(f"{where}: its mask is {rle.size[1]} x {rle.size[0]}, its picture {width} x {height}")
    return rle_window(rle)
