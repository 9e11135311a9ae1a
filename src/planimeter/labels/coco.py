"""Labels in COCO json: polygons, and run-length encoding compressed or not."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from planimeter.decode import Limits, decode
from planimeter.errors import DataError, PlanimeterError
from planimeter.labels.pictures import LabelledPicture, LabelledPictures
from planimeter.masks import WindowMask, rle_window
from planimeter.measurement import Rle


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
