"""Many measurements as one file: a table, a COCO data set, an archive of pictures.

All are written while they are sent, a few measurements in memory at a time.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any, cast

from planimeter.errors import StoreFailed
from planimeter.measurement import Instance, Measurement, Rle
from planimeter.measuring.table import Cell, csv_lines, row
from planimeter.store import FileKind, Filter, Record, Store

# ---- CSV


def write_csv(store: Store, wanted: Filter, records: Iterable[Record]) -> Iterator[str]:
    """Yield the lines of a table of `records`, those of `wanted`."""
    return csv_lines(map(_row, records), _columns(store, wanted))


def _row(record: Record) -> dict[str, Cell]:
    return {
        "id": record.id,
        "created_at": record.created_at.isoformat(),
        "batch": record.batch or "",
        **row(record.measurement),
        "measured_threshold": record.measured_threshold,
    }


def _columns(store: Store, wanted: Filter) -> list[str]:
    """Return the columns: a table that is sent while it is read needs to know the classes beforehand.

    Each model's classes are those of its newest measurement; those that only older versions knew follow.
    """
    columns: dict[str, None] = {}
    for name in store.models() if wanted.model is None else [wanted.model]:
        newest = store.list(_of_model(wanted, name), limit=1)
        columns |= dict.fromkeys(_row(newest[0]) if newest else ())
    found = [f"percent_masked[{entry.name}]" for entry in store.statistics(wanted).by_class]
    return [*(columns or dict.fromkeys(_FIXED)), *(name for name in found if name not in columns)]


def _of_model(wanted: Filter, name: str) -> Filter:
    return Filter(**{**vars(wanted), "model": name})


_FIXED = ("id", "created_at", "batch", "filename", "percent_masked")
"""The header of an empty table."""


# ---- COCO


def coco_of_one(measurement: Measurement) -> dict[str, Any]:
    """Return a measurement as a COCO data set with one picture: RLE masks, `[x, y, width, height]` boxes."""
    image, model = measurement.image, measurement.model
    return {
        "info": {"description": f"{image.filename}, measured by {model.name} {model.version}"},
        "images": [{"id": 1, "file_name": image.filename, "width": image.width, "height": image.height}],
        "categories": [
            {"id": entry.class_id, "name": entry.class_name} for entry in measurement.coverage.by_class
        ],
        "annotations": [
            _annotation(entry, id_=entry.id, image_id=1, category_id=entry.class_id)
            for entry in measurement.instances
        ],
    }


def write_coco(records: Iterable[Record]) -> Iterator[str]:
    """Yield, piece by piece, one COCO data set of many measurements: pictures 1, 2, … newest first.

    Classes of different models that have the same name are one category. Where there is one model, the ids of
    the categories are those of its classes. A picture also says which measurement it is, of which model.
    """
    images: list[dict[str, Any]] = []
    categories: dict[str, int] = {}
    info = {"description": "Measured by Planimeter", "date_created": datetime.now(timezone.utc).isoformat()}
    yield f'{{"info": {json.dumps(info)}, "annotations": ['
    annotations = 0
    for record in records:
        images.append(_image(record, len(images) + 1))
        ids = _category_ids(record.measurement, categories)
        lines = []
        for instance in record.measurement.instances:
            annotations += 1
            lines.append(
                json.dumps(
                    _annotation(
                        instance,
                        id_=annotations,
                        image_id=len(images),
                        category_id=ids[instance.class_id],
                    )
                )
            )
        if lines:
            comma = "\n" if annotations == len(lines) else ",\n"
            yield comma + ",\n".join(lines)
    listed = [{"id": id_, "name": name} for name, id_ in categories.items()]
    yield f'\n], "images": {json.dumps(images)}, "categories": {json.dumps(listed)}}}\n'


def _image(record: Record, id_: int) -> dict[str, Any]:
    image, model = record.measurement.image, record.measurement.model
    return {
        "id": id_,
        "file_name": image.filename,
        "width": image.width,
        "height": image.height,
        "date_captured": record.created_at.isoformat(timespec="milliseconds"),
        "measurement": record.id,
        "model": f"{model.name} {model.version}",
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
        "segmentation": instance.mask.model_dump() if isinstance(instance.mask, Rle) else None,
        "iscrowd": 0,
        "score": instance.score,
    }


# ---- Archive


def write_zip(
    store: Store, wanted: Filter, records: Iterable[Record], content: FileKind = "overlay"
) -> Iterator[bytes]:
    """Yield, piece by piece, a zip of the pictures and of `measurements.csv`, their table.

    Pictures are stored as they are (they are compressed already). A file that a person moved away is named in
    `missing.txt` instead: the rest still arrives.
    """
    pipe = _Pipe()
    missing: list[str] = []
    rows: list[dict[str, Cell]] = []
    # All that zipfile needs of a file that it cannot seek in is `write`.
    with zipfile.ZipFile(cast("Any", pipe), "w", zipfile.ZIP_STORED) as archive:
        for record in records:
            rows.append(_row(record))
            name = getattr(record.files, content)
            entry = zipfile.ZipInfo(name, record.created_at.timetuple()[:6])
            entry.external_attr = 0o644 << 16  # as a person's own files are
            try:
                archive.writestr(entry, store.read(record, content))
            except StoreFailed:
                missing.append(name)
            yield pipe.drained()
        table = "".join(csv_lines(rows, _columns(store, wanted)))
        archive.writestr("measurements.csv", table, zipfile.ZIP_DEFLATED)
        if missing:
            archive.writestr("missing.txt", "".join(f"{name}\n" for name in missing))
    yield pipe.drained()


class _Pipe:
    """Takes what is written and gives it back."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._buffer += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: zipfile calls it."""

    def drained(self) -> bytes:
        """Return all that was written since the last time."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data
