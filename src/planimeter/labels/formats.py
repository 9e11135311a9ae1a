"""Which format labels have, told by what is in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from planimeter.errors import DataError
from planimeter.labels.coco import open_coco
from planimeter.labels.entries import LabelSet, Report
from planimeter.labels.files import read_json

KNOWN = "a COCO json"

Open = Callable[[Path, Path | None, Report], LabelSet]


def open_labels(path: Path, images: Path | None = None, report: Report | None = None) -> LabelSet:
    """Read the label files at `path`, but no picture yet. Broken things go to `report`, or raise `DataError`."""
    found = _detect(path)(path, images, report or Report())
    if not found.pictures:
        raise DataError(f"{path} was read as {found.format} and has no pictures")
    return found


def _detect(path: Path) -> Open:
    if path.suffix.lower() == ".json":
        reader = _json_reader(read_json(path))
        if reader:
            return reader
    raise DataError(f"{path} is none of the formats that are read: {KNOWN}")


def _json_reader(document: Any) -> Open | None:
    if not isinstance(document, dict):
        return None
    if "annotations" in document and "images" in document:
        return open_coco
    return None
