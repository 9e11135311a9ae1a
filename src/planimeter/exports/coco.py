"""COCO data sets: run lengths, which are exact."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

from planimeter.exports.source import Source, change_of
from planimeter.labels.coco import shapes_in
from planimeter.labels.entries import ObjectEntry
from planimeter.measurement import Instance, Measurement, Rle


def of_one(source: Source) -> dict[str, Any]:
    """Return a measurement as a COCO data set with one picture: RLE masks, `[x, y, width, height]` boxes."""
    measurement = source.measurement
    image, model = measurement.image, measurement.model
    return {
        "info": {
            "description": f"{image.filename}, {source.figures} figures; measured by {model.name} {model.version}",
            **source.facts,
        },
        "images": [{"id": 1, "file_name": source.name, "width": image.width, "height": image.height}],
        "categories": [
            {"id": entry.class_id, "name": entry.class_name} for entry in measurement.coverage.by_class
        ],
        "annotations": [
            _annotation(entry, id_=entry.id, image_id=1, category_id=entry.class_id)
            for entry in measurement.instances
        ],
    }


def read(document: Any, _: Source) -> list[ObjectEntry]:
    """Return the objects as they are read as labels."""
    return [
        ObjectEntry(f"annotation {entry['id']}", str(entry["category_id"]), shapes_in(entry["segmentation"]))
        for entry in document["annotations"]
        if entry["area"]
    ]


def of_many(sources: Iterable[Source]) -> Iterator[str]:
    """Yield, piece by piece, one COCO data set of many measurements: pictures 1, 2, … newest first.

    Classes of different models that have the same name are one category. Where there is one model, the ids of
    the categories are those of its classes. A picture also says which measurement it is, of which model.
    """
    images: list[dict[str, Any]] = []
    categories: dict[str, int] = {}
    info = {"description": "Measured by Planimeter", "date_created": datetime.now(timezone.utc).isoformat()}
    yield f'{{"info": {json.dumps(info)}, "annotations": ['
    annotations = 0
    for source in sources:
        ids = _category_ids(source.measurement, categories)
        found = [
            _annotation(instance, id_=number, image_id=len(images) + 1, category_id=ids[instance.class_id])
            for number, instance in enumerate(source.measurement.instances, start=annotations + 1)
        ]
        change = change_of(source, read({"annotations": found}, source))
        images.append(_image(source, len(images) + 1) | change.described())
        if found:
            yield (",\n" if annotations else "\n") + ",\n".join(map(json.dumps, found))
        annotations += len(found)
    listed = [{"id": id_, "name": name} for name, id_ in categories.items()]
    yield f'\n], "images": {json.dumps(images)}, "categories": {json.dumps(listed)}}}\n'


def _image(source: Source, id_: int) -> dict[str, Any]:
    image, model = source.measurement.image, source.measurement.model
    when = source.created_at
    return {
        "id": id_,
        "file_name": source.name,
        "width": image.width,
        "height": image.height,
        "date_captured": when.isoformat(timespec="milliseconds") if when else None,
        **({} if source.url is None else {"coco_url": source.url}),
        "measurement": source.id,
        "model": f"{model.name} {model.version}",
        **source.facts,
    }


def _category_ids(measurement: Measurement, categories: dict[str, int]) -> dict[int, int]:
    """Return the category of each class id, adding the classes that are new."""
    for entry in measurement.coverage.by_class:
        if entry.class_name not in categories:
            taken = set(categories.values())
            free = entry.class_id if entry.class_id not in taken else max(taken) + 1
            categories[entry.class_name] = free
    return {entry.class_id: categories[entry.class_name] for entry in measurement.coverage.by_class}


def _annotation(instance: Instance, *, id_: int, image_id: int, category_id: int) -> dict[str, Any]:
    return {
        "id": id_,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": instance.bbox,
        "area": instance.area_px,
        "segmentation": instance.mask.model_dump(mode="json") if isinstance(instance.mask, Rle) else None,
        "iscrowd": 0,
        "score": instance.score,
    }
