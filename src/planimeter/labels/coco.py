"""COCO json: polygons, and run-length encoding compressed or not (https://cocodataset.org/#format-data)."""

from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from planimeter.errors import DataError, PlanimeterError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import read_json
from planimeter.labels.shapes import Shape, polygon
from planimeter.masks.rle import rle_window
from planimeter.measurement import Rle
from planimeter.settings import Limits

FORMAT = "COCO json"


def open_coco(file: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a COCO json whose pictures are in `images`, or in the folder `images` beside it, or beside it."""
    folder = images or (file.parent / "images" if (file.parent / "images").is_dir() else file.parent)
    document = read_json(file)
    try:
        categories = sorted(document["categories"], key=lambda entry: int(entry["id"]))
        class_of = {entry["id"]: str(entry["name"]) for entry in categories}
        by_picture: dict[Any, list[ObjectEntry]] = {entry["id"]: [] for entry in document["images"]}
        names = {entry["id"]: str(entry["file_name"]) for entry in document["images"]}
        sizes = {entry["id"]: (int(entry["height"]), int(entry["width"])) for entry in document["images"]}
        annotations = list(document["annotations"])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise DataError(f"{file} cannot be read as COCO json: {error!r}") from error
    if len(set(class_of.values())) < len(class_of):
        raise DataError(f"{file}: two classes have the same name: {', '.join(class_of.values())}")
    for position, annotation in enumerate(annotations):
        picture, item = _object(file, position, annotation, class_of, report)
        if item is None:
            continue
        if picture in by_picture:
            by_picture[picture].append(item)
        else:
            report.broken(file, f"names picture {picture}: not listed", item.name)
    pictures = tuple(
        PictureEntry(Path(name).name, file, folder / name, tuple(by_picture[key]), sizes[key])
        for key, name in names.items()
    )
    return LabelSet(FORMAT, tuple(class_of.values()), pictures)


def _object(
    file: Path, position: int, annotation: Any, class_of: dict[Any, str], report: Report
) -> tuple[Any, ObjectEntry | None]:
    """Return the picture's id and the object, or None where it cannot be used."""
    ids = [
        annotation.get(key) if isinstance(annotation, dict) else None for key in ("image_id", "category_id")
    ]
    if not all(isinstance(entry, int | str) for entry in ids):
        report.broken(file, f"entry {position} of its annotations has no image_id or no category_id")
        return None, None
    name = f"annotation {annotation.get('id', f'at position {position}')}"
    if annotation["category_id"] not in class_of:
        report.broken(file, f"has class {annotation['category_id']}: not listed", name)
        return None, None
    if annotation.get("iscrowd"):
        report.doubtful(file, "is a crowd, which is no instance: left out", name)
        return None, None
    try:
        shapes = _shapes(annotation.get("segmentation"))
    except (TypeError, KeyError, ValueError, IndexError, OverflowError, PlanimeterError) as error:
        report.broken(file, f"its segmentation is neither polygons nor RLE ({error})", name)
        return None, None
    area = annotation.get("area")
    stated = float(area) if isinstance(area, int | float) else None
    return annotation["image_id"], ObjectEntry(name, class_of[annotation["category_id"]], shapes, stated)


def _shapes(segmentation: Any) -> tuple[Shape, ...]:
    if isinstance(segmentation, list):
        return tuple(polygon(points) for points in segmentation)
    height, width = (int(side) for side in segmentation["size"])
    if not 0 < height * width <= Limits().max_pixels:
        raise ValueError(f"its size is {width} x {height}")
    counts = segmentation["counts"]
    if isinstance(counts, list):
        plain: Any = {"size": [height, width], "counts": counts}
        packed: Any = coco_mask.frPyObjects(plain, height, width)
        counts = packed["counts"].decode("ascii")
    mask = rle_window(Rle(size=(height, width), counts=counts))

    def draw(picture_height: int, picture_width: int) -> Any:
        if (height, width) != (picture_height, picture_width):
            raise ValueError(
                f"its mask is {width} x {height}, its picture {picture_width} x {picture_height}"
            )
        return mask

    return (Shape((0, 0, 0, 0), draw),)
