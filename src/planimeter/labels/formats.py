"""Which format labels have, told by what is in them."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from planimeter.errors import DataError
from planimeter.labels.coco import is_coco, open_coco, open_roboflow, roboflow_files
from planimeter.labels.cvat import open_cvat
from planimeter.labels.entries import LabelSet, Report
from planimeter.labels.fiji import fiji_files, open_fiji
from planimeter.labels.files import need, pictures_in, read_json
from planimeter.labels.identity import distinct
from planimeter.labels.label_studio import is_label_studio, is_simplified, open_label_studio
from planimeter.labels.labelme import is_labelme, labelme_files, open_labelme
from planimeter.labels.qupath import geojson_files, is_qupath, open_qupath
from planimeter.labels.unread import ARCHIVES, named
from planimeter.labels.via import is_via, open_via
from planimeter.labels.via_exports import is_via_3, open_via_3, open_via_csv
from planimeter.labels.yolo import CONFIGS, open_yolo

Reader = Callable[[Path, Path | None, Report], LabelSet]

KNOWN = (
    "a COCO json, a VIA json or csv, a folder of LabelMe json, Label Studio's json, CVAT's xml for images, QuPath's "
    "GeoJSON, Fiji's regions (.roi, or a zip of them), a YOLO segmentation folder (data.yaml, or images/ and labels/), "
    "Pascal VOC masks (SegmentationClass/ and labelmap.txt), or a folder of masks (images/ and masks/ or instances/); "
    "docs/labels.md says what to export"
)


def open_labels(path: Path, images: Path | None = None, report: Report | None = None) -> LabelSet:
    """Read the label files at `path`, but no picture yet.

    Broken things go to `report`, or raise `DataError` where it is not given.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist")
    report = report or Report()
    found = _open_folder(path, images, report) if path.is_dir() else _open_file(path, images, report)
    if found is None:
        if sentence := named(path):
            raise DataError(f"{path}: {sentence}")
        raise DataError(f"{path} is in no label format that Planimeter reads: {KNOWN}")
    if not found.pictures and not any(finding.broken for finding in report.findings):
        raise DataError(f"{path} was read as {found.format} and has no pictures")
    return replace(found, pictures=distinct(found.pictures, report))


def _open_file(path: Path, images: Path | None, report: Report) -> LabelSet | None:
    if reader := _BY_ENDING.get(path.suffix.lower()):
        return reader(path, images, report)
    if path.suffix.lower() in {".npy", *ARCHIVES}:
        return None
    document = read_json(path)
    for known, reader in _JSON_READERS:
        if known(document):
            return reader(path, images, report)
    if is_simplified(document):
        raise DataError(f"{path} is Label Studio's JSON-MIN, which is not read; export 'JSON' instead")
    return None


_BY_ENDING: dict[str, Reader] = {
    ".yaml": open_yolo,
    ".yml": open_yolo,
    ".csv": open_via_csv,
    ".xml": open_cvat,
    ".roi": open_fiji,
    ".zip": open_fiji,
}
_JSON_READERS: tuple[tuple[Callable[[Any], bool], Reader], ...] = (
    (is_coco, open_coco),
    (is_via, open_via),
    (is_via_3, open_via_3),
    (is_labelme, open_labelme),
    (is_label_studio, open_label_studio),
    (is_qupath, open_qupath),
)
"""The formats of one json, and how each is told."""


def _open_folder(path: Path, images: Path | None, report: Report) -> LabelSet | None:
    names = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
    for known, reader in _FOLDER_READERS:
        if known(path, names):
            return reader(path, images, report)
    return _open_json_folder(path, images, report)


def _open_labels_folder(path: Path, images: Path | None, report: Report) -> LabelSet:
    return open_labelme(path / "labels", images, report)


def _open_annotations(path: Path, images: Path | None, report: Report) -> LabelSet:
    return open_cvat(path / "annotations.xml", images, report)


def _extra(module: str, reader: str) -> Reader:
    """Return a reader whose library only the `train` extra installs."""

    def read(path: Path, images: Path | None, report: Report) -> LabelSet:
        return cast(
            "LabelSet", getattr(need(f"planimeter.labels.{module}", path), reader)(path, images, report)
        )

    return read


def _has_labelme_labels(path: Path, names: Collection[str]) -> bool:
    return {"images", "labels"} <= set(names) and any((path / "labels").glob("*.json"))


def _is_yolo(path: Path, names: Collection[str]) -> bool:
    if any(name in names for name in CONFIGS) or ("images" in names and "labels" in names):
        return True
    if any(file.with_suffix(".txt").is_file() for file in pictures_in(path)):  # labels beside their pictures
        return True
    # A part of a YOLO folder: images/test, whose labels are in labels/test.
    part_of = "images" in path.parts and not any(name.lower().endswith(".json") for name in names)
    return part_of and Path(*("labels" if part == "images" else part for part in path.parts)).is_dir()


def _has_semantic_masks(path: Path, names: Collection[str]) -> bool:
    return "_classes.csv" in names or any(
        (path / part / "_classes.csv").is_file() for part in ("train", "valid")
    )


def _has_masks(path: Path, names: Collection[str]) -> bool:
    return bool({"masks", "instances"} & set(names)) or any(
        (path / name / "masks").is_dir() for name in names
    )


_FOLDER_READERS: tuple[tuple[Callable[[Path, Collection[str]], bool], Reader], ...] = (
    (_has_labelme_labels, _open_labels_folder),
    (_is_yolo, open_yolo),
    (lambda _, names: "SegmentationClass" in names, _extra("voc", "open_voc")),
    (lambda _, names: any("_cp_masks." in name for name in names), _extra("mask_files", "open_cellpose")),
    (lambda path, _: bool(roboflow_files(path)), open_roboflow),
    (_has_semantic_masks, _extra("roboflow", "open_semantic")),
    (_has_masks, _extra("mask_files", "open_mask_files")),
    (lambda _, names: "annotations.xml" in names, _open_annotations),
    (lambda path, _: bool(geojson_files(path)), open_qupath),
    (lambda path, _: bool(fiji_files(path)), open_fiji),
)
"""The formats of a folder, and how each is told by the names in it."""


def _open_json_folder(path: Path, images: Path | None, report: Report) -> LabelSet | None:
    """Read json files that lie in the folder, in `annotations` as CVAT exports COCO, or in any folder in it."""
    files = (
        sorted(path.glob("*.json")) or sorted((path / "annotations").glob("*.json")) or labelme_files(path)
    )
    whole: list[Path] = []
    for file in files:
        try:
            document = read_json(file)
        except DataError:
            continue  # reported by the reader of its format
        if is_labelme(document):
            return open_labelme(path, images, report)
        if any(known(document) for known, _ in _JSON_READERS):
            whole.append(file)
    if len(whole) > 1:
        raise DataError(f"{path} has {len(whole)} label files; name one: {', '.join(map(str, whole))}")
    return _open_file(whole[0], images, report) if whole else None
