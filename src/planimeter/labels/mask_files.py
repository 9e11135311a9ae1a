"""Masks as picture files: a map of classes, a map of instances, or a file for each object.

A folder has its pictures in `images` and, under the same names, either `masks/NAME.png` (each pixel's class,
the order of classes in `classes.txt`; instances are the connected components), `instances/NAME.png` (each
pixel's instance), or `masks/NAME/*.png` (one object a file). A file may have one of `SUFFIXES` behind the name.
Masks of 16 bits with several numbers, and no `classes.txt`, are maps of instances too, as StarDist has them, and so is
`NAME_cp_masks` beside a picture, which Cellpose saves. The layout of the 2018 Data Science Bowl, a
folder for each picture with `images` and `masks` in it, is read too.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import pictures_in, read_lines
from planimeter.labels.finder import PICTURE_ENDINGS, pictures_beside
from planimeter.labels.shapes import Shape, bitmap

CLASS_MAPS = "class masks (instances are connected components)"
INSTANCE_MAPS = "instance masks"
OBJECT_FILES = "one mask file per object"
ONLY_CLASS = "object"
"""Where there is no `classes.txt`."""

SUFFIXES = ("", "_mask", "_masks", "_cp_masks", "_label", "_labels", "_seg")
"""What tools put behind the picture's name in that of its mask."""
_CELLPOSE = "_cp_masks"
_ENDINGS = (".png", ".tif", ".tiff", ".bmp")
MASK_FORMATS = ("PNG", "TIFF", "BMP", "GIF", "JPEG", "WEBP")
"""Of files of masks. Pillow could open dozens more, some with programs of their own: an EPS runs Ghostscript."""
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises for a file that is no picture, a damaged one, or one of too many pixels."""
NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together: a thin scratch stays one."""


def open_mask_files(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a folder of mask files; see the module for the layouts."""
    if not (path / "masks").is_dir() and not (path / "instances").is_dir():
        return _open_bowl(path, report)
    classes = _classes(path, report)
    pictures = pictures_in(images or path / "images")
    folder = path / ("instances" if (path / "instances").is_dir() else "masks")
    _report_strays(folder, {picture.stem for picture in pictures}, report)
    if folder.name == "instances" or _has_label_images(path, folder):
        if len(classes) > 1:
            raise DataError(
                f"{folder} holds instances of one class, and classes.txt names {len(classes)}; use masks/ with "
                "a folder of object files for each picture instead"
            )
        entries = [_mapped(picture, folder, classes, report, by_instance=True) for picture in pictures]
        return LabelSet(INSTANCE_MAPS, classes, _kept(entries))
    if any(entry.is_dir() for entry in folder.iterdir()):
        separate = [_separate(picture, folder / picture.stem, classes, report) for picture in pictures]
        return LabelSet(OBJECT_FILES, classes, tuple(separate))
    entries = [_mapped(picture, folder, classes, report, by_instance=False) for picture in pictures]
    return LabelSet(CLASS_MAPS, classes, _kept(entries))


def open_cellpose(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a folder with the masks that Cellpose saves beside the pictures."""
    pictures = [file for file in pictures_in(images or path) if not file.stem.endswith((_CELLPOSE, "_flows"))]
    _report_strays(path, {file.stem for file in pictures}, report, _CELLPOSE)
    entries = [_mapped(picture, path, (ONLY_CLASS,), report, by_instance=True) for picture in pictures]
    return LabelSet(INSTANCE_MAPS, (ONLY_CLASS,), _kept(entries))


def _has_label_images(path: Path, folder: Path) -> bool:
    """Tell whether masks number instances: several numbers of 16 bits, and no list of classes to explain them."""
    if (path / "classes.txt").is_file():
        return False
    for file in pictures_beside(folder):
        try:
            with Image.open(file, formats=MASK_FORMATS) as image:
                if image.mode.startswith("I") and len(np.unique(np.asarray(image))) > 2:
                    return True
        except UNREADABLE:
            continue  # named where it is read
    return False


def is_bowl(path: Path) -> bool:
    """Tell whether a folder holds a folder for each picture, with `images` and `masks` in it."""
    return any((entry / "masks").is_dir() and (entry / "images").is_dir() for entry in path.iterdir())


def _open_bowl(path: Path, report: Report) -> LabelSet:
    entries = []
    for folder in sorted(entry for entry in path.iterdir() if (entry / "images").is_dir()):
        entries += [
            _separate(picture, folder / "masks", (ONLY_CLASS,), report)
            for picture in pictures_in(folder / "images")
        ]
    return LabelSet(OBJECT_FILES, (ONLY_CLASS,), tuple(entries))


def _classes(path: Path, report: Report) -> tuple[str, ...]:
    file = path / "classes.txt"
    if not file.is_file():
        return (ONLY_CLASS,)
    names = tuple(line for line in read_lines(file, report) if line)
    if len(set(names)) < len(names) or not names:
        raise DataError(f"{file} must name each class once, one a line")
    return names


def _report_strays(folder: Path, stems: set[str], report: Report, suffix: str = "") -> None:
    """Report what belongs to no picture; with a `suffix`, only files that have it are masks."""
    named = {f"{stem}{ending}" for stem in stems for ending in SUFFIXES}
    for entry in sorted(folder.iterdir()):
        stem = entry.stem if entry.is_file() else entry.name
        ours = stem.endswith(suffix) and (entry.is_dir() or _is_picture(entry))
        if ours and stem not in named and not entry.name.startswith("."):
            report.broken(entry, "no picture has its name")


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in PICTURE_ENDINGS


def _mapped(
    picture: Path, folder: Path, classes: tuple[str, ...], report: Report, *, by_instance: bool
) -> PictureEntry | None:
    """Read one map of classes or of instances; None where it is broken."""
    names = [f"{picture.stem}{suffix}{ending}" for suffix in SUFFIXES for ending in _ENDINGS]
    file = next((path for name in names if (path := folder / name) != picture and path.is_file()), None)
    if file is None:
        report.broken(
            folder / names[0],
            f"is missing; for a picture without objects ({picture.name}), make it all black",
        )
        return None
    values = values_in(file, report)
    if values is None:
        return None
    objects = _instances(values, classes) if by_instance else _components(file, values, classes, report)
    return PictureEntry(picture.name, file, picture, tuple(objects), size_of(values))


def _kept(entries: Iterable[PictureEntry | None]) -> tuple[PictureEntry, ...]:
    return tuple(entry for entry in entries if entry is not None)


def size_of(values: NDArray[Any]) -> tuple[int, int]:
    """Return height and width of a mask."""
    return int(values.shape[0]), int(values.shape[1])


def values_in(file: Path, report: Report) -> NDArray[Any] | None:
    """Return the stored values [H, W]: indices of a palette, 8 or 16 bits of grey, never converted."""
    try:
        with Image.open(file, formats=MASK_FORMATS) as image:
            if image.mode not in {"1", "L", "P", "I", "I;16", "I;16B"}:
                report.broken(file, f"has colours (mode {image.mode}); a mask has one channel of numbers")
                return None
            return np.asarray(image).astype(np.int64)
    except UNREADABLE:
        report.broken(
            file, "cannot be read as a mask: it is damaged, too large, or no picture file; save it again"
        )
        return None


def _instances(values: NDArray[Any], classes: tuple[str, ...]) -> list[ObjectEntry]:
    numbers, dense = np.unique(values, return_inverse=True)
    windows = ndimage.find_objects(dense.reshape(values.shape) + 1)
    return [
        ObjectEntry(f"instance {number}", classes[0], (at(values[window] == number, window),))
        for number, window in zip(numbers.tolist(), windows, strict=True)
        if number
    ]


def _components(
    file: Path, values: NDArray[Any], classes: tuple[str, ...], report: Report
) -> list[ObjectEntry]:
    found = sorted(set(np.unique(values).tolist()) - {0})
    # A mask of one class may have any value: 1, True or white.
    if len(classes) == len(found) == 1:
        return components(file, values, {found[0]: classes[0]}, report, "")
    known = (
        f"classes are numbered from 1 to {len(classes)}; name them in classes.txt, or call the folder instances/ if "
        "these are instances"
    )
    return components(file, values, dict(enumerate(classes, start=1)), report, known)


def components(
    file: Path, values: NDArray[Any], class_of: dict[int, str], report: Report, known: str
) -> list[ObjectEntry]:
    """Return the connected components of each class; `known` says which values there are, for one that is none."""
    objects = []
    for value in sorted(set(np.unique(values).tolist()) - {0}):
        if value not in class_of:
            report.broken(file, f"has the value {value}, and {known}")
            continue
        for number, shape in enumerate(connected(values == value), start=1):
            objects.append(ObjectEntry(f"component {number} of value {value}", class_of[value], (shape,)))
    return objects


def connected(pixels: NDArray[np.bool_]) -> Iterator[Shape]:
    """Yield the connected components of a mask."""
    labelled, _ = ndimage.label(pixels, NEIGHBOURS)
    for number, window in enumerate(ndimage.find_objects(labelled), start=1):
        yield at(labelled[window] == number, window)


def at(pixels: NDArray[np.bool_], window: tuple[slice, slice]) -> Shape:
    """Return the pixels of a window, in rows and columns of the picture, as a shape."""
    return bitmap(int(window[1].start), int(window[0].start), pixels.copy())


def _separate(picture: Path, folder: Path, classes: tuple[str, ...], report: Report) -> PictureEntry:
    """Read one file for each object; a picture without a folder has none."""
    objects = []
    sizes = set()
    for file in pictures_in(folder) if folder.is_dir() else []:
        values = values_in(file, report)
        class_name = _class_of(file, classes)
        if class_name is None:
            report.broken(file, f"starts with none of the classes ({', '.join(classes)})")
        if values is None or class_name is None:
            continue
        sizes.add(size_of(values))
        objects.append(ObjectEntry(file.name, class_name, (bitmap(0, 0, values > 0),)))
    if len(sizes) > 1:
        report.broken(folder, f"its masks have different sizes: {', '.join(map(str, sorted(sizes)))}")
    return PictureEntry(picture.name, folder, picture, tuple(objects), next(iter(sizes), None))


def _class_of(file: Path, classes: tuple[str, ...]) -> str | None:
    """Return the class in a name such as `scratch_12.png`; with one class, names may be anything."""
    if len(classes) == 1:
        return classes[0]
    name = re.sub(r"[ _-]*\d*$", "", file.stem)
    return name if name in classes else None
