"""Exports that are not read, told by what they are, each with what to export instead."""

from collections.abc import Callable, Collection
from pathlib import Path

ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar")
_UNREAD: tuple[tuple[Callable[[Path, Collection[str]], bool], str], ...] = (
    (
        lambda _, names: any(name.endswith("_seg.npy") for name in names),
        "Cellpose's _seg.npy files are not opened, for they may hold programs; save the masks as PNG or TIFF (in "
        "Cellpose: File, Save masks as PNG/tif), which makes NAME_cp_masks.png",
    ),
    (
        lambda _, names: any(name.startswith("task-") and "-annotation-" in name for name in names),
        "Label Studio's masks come without their pictures and their sizes; export 'JSON' instead",
    ),
    (
        lambda _, names: "obj.data" in names or "obj.names" in names,
        "this is YOLO 1.1, whose boxes are no masks; in CVAT export 'Ultralytics YOLO Segmentation 1.0'",
    ),
    (
        lambda path, _: any("dm_format_version" in _head(file) for file in path.glob("annotations/*.json")),
        "Datumaro's json is not read; in CVAT export 'COCO 1.0' or 'CVAT for images 1.1'",
    ),
    (
        lambda path, _: any(
            "<bndbox>" in _head(file) and "<polygon>" not in _head(file) for file in _xmls(path)
        ),
        "Pascal VOC's xml has boxes, which are no masks; export polygons instead: in Roboflow 'COCO Segmentation', in "
        "CVAT 'COCO 1.0'",
    ),
    (
        lambda path, _: any("<polygon>" in _head(file) and "<pt>" in _head(file) for file in _xmls(path)),
        "the xml of the old LabelMe (CVAT's 'LabelMe 3.0') is not read; in CVAT export 'COCO 1.0' or "
        "'CVAT for images 1.1'",
    ),
    (
        lambda path, _: (path / "_annotations.createml.json").is_file(),
        "CreateML's json has boxes, which are no masks; in Roboflow export 'COCO Segmentation'",
    ),
    (
        lambda _, names: any(name.lower().endswith(ARCHIVES) for name in names),
        "this is packed; unpack it, and name the folder that comes out",
    ),
)
"""How each is told, and what is said; the first that fits."""
_HEAD = 4000
"""Characters that tell an xml or a json."""
_MOST_LOOKED_AT = 3


def named(path: Path) -> str | None:
    """Return what a file or a folder of no known format is, with what to do; None where that is not known."""
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else {path.name}
    return next((sentence for known, sentence in _UNREAD if known(path, names)), None)


def _xmls(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".xml" else []
    return [*sorted(path.glob("*.xml"))[:_MOST_LOOKED_AT], *sorted(path.glob("*/*.xml"))[:_MOST_LOOKED_AT]]


def _head(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_HEAD)
    except OSError:
        return ""
