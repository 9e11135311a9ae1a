"""Pascal VOC's folders of segmentation masks, where colours are classes and objects (http://host.robots.ox.ac.uk/pascal/VOC/).

`SegmentationClass` holds each pixel's class by its colour, which `labelmap.txt` names, as CVAT and Datumaro write it;
`SegmentationObject`, where it is there, each pixel's object. The pictures are in `JPEGImages`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, ObjectEntry, PictureEntry, Report
from planimeter.labels.files import read_lines
from planimeter.labels.finder import Finder, Missing, pictures_beside
from planimeter.labels.mask_files import MASK_FORMATS, UNREADABLE, at, connected

FORMAT = "Pascal VOC masks"
CLASSES, OBJECTS, PICTURES, LABEL_MAP = (
    "SegmentationClass",
    "SegmentationObject",
    "JPEGImages",
    "labelmap.txt",
)
CLASS_NAMES = "class_names.txt"
"""What LabelMe's labelme2voc writes instead of colours: the names in the order of their numbers."""
BACKGROUND = ("background", "ignored")
"""What stands in a `labelmap.txt` and is no class."""
_BLACK, _VOID = 0x000000, 0xE0E0C0
"""No object, and the border around objects that VOC does not judge."""


def open_voc(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read a folder with `SegmentationClass` and `labelmap.txt`."""
    class_of = _label_map(path / LABEL_MAP, report)
    pictures = []
    # The folder of pictures has its place beside those of the masks: the finder looks into it from any of them.
    finder = Finder(path / PICTURES / "mask", images)
    masks = pictures_beside(path / CLASSES)
    _report_unlabelled(path, {file.stem for file in masks}, report)
    for file in masks:
        colours = _colours(file, report)
        if colours is None:
            continue
        separate = path / OBJECTS / file.name
        objects_of = _colours(separate, report) if separate.is_file() else None
        if objects_of is not None and objects_of.shape != colours.shape:
            report.broken(separate, f"has another size than {file}; export both again")
            continue
        found = (
            _components(file, colours, class_of, report)
            if objects_of is None
            else _separate(separate, objects_of, colours, class_of, report)
        )
        source = _find(file, finder)
        name = source.name if isinstance(source, Path) else file.name
        size = (int(colours.shape[0]), int(colours.shape[1]))
        pictures.append(PictureEntry(name, file, source, tuple(found), size))
    return LabelSet(FORMAT, tuple(class_of.values()), tuple(pictures))


def _report_unlabelled(path: Path, stems: set[str], report: Report) -> None:
    without = [file.name for file in pictures_beside(path / PICTURES) if file.stem not in stems]
    if without:
        report.doubtful(
            path / PICTURES,
            f"has {len(without)} pictures without a mask, such as {without[0]}: left out as not labelled",
        )


def _find(file: Path, finder: Finder) -> Path | Missing:
    """Return the picture of a mask: the two share a name, but for the ending."""
    found = [finder.find(f"{file.stem}{ending}") for ending in (".jpg", ".jpeg", ".png", ".tif", ".bmp")]
    return next((place for place in found if isinstance(place, Path)), found[0])


def _label_map(file: Path, report: Report) -> dict[int, str]:
    """Return the classes by their colours."""
    if not file.is_file():
        if (names := file.with_name(CLASS_NAMES)).is_file():
            return _numbered(read_lines(names, report))
        raise DataError(f"{file} is missing; it must name the colour of each class, as in: scratch:128,0,0::")
    class_of: dict[int, str] = {}
    for number, line in enumerate(read_lines(file, report), start=1):
        if not line or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        colour = rest.split(":")[0].split(",")
        if len(colour) != 3 or not all(part.strip().isdigit() and int(part) < 256 for part in colour):
            raise DataError(
                f"{file}: line {number}: its colour must be three numbers to 255, as in: {name}:128,0,0::"
            )
        if name not in BACKGROUND:
            red, green, blue = map(int, colour)
            class_of[red << 16 | green << 8 | blue] = name
    if len(set(class_of.values())) < len(class_of):
        raise DataError(f"{file}: two classes have the same name: {', '.join(class_of.values())}")
    return class_of


def _numbered(names: list[str]) -> dict[int, str]:
    """Return the classes by the colours that VOC has for their numbers; 0 is the background."""
    classes = [name for name in names if name and name != "__ignore__"]
    return {_colour(number): name for number, name in enumerate(classes) if number}


def _colour(number: int) -> int:
    """Return VOC's colour of a number: its bits, the lowest first, go to red, green and blue in turn from the top."""
    red = green = blue = 0
    for place in range(7, -1, -1):
        red |= (number & 1) << place
        green |= (number >> 1 & 1) << place
        blue |= (number >> 2 & 1) << place
        number >>= 3
    return red << 16 | green << 8 | blue


def _colours(file: Path, report: Report) -> NDArray[np.int64] | None:
    """Return each pixel's colour as one number, 0xRRGGBB."""
    try:
        with Image.open(file, formats=MASK_FORMATS) as image:
            rgb = np.asarray(image.convert("RGB")).astype(np.int64)
    except UNREADABLE:
        report.broken(
            file, "cannot be read as a mask: it is damaged, too large, or no picture file; save it again"
        )
        return None
    colours: NDArray[np.int64] = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    return colours


def _components(
    file: Path, colours: NDArray[np.int64], class_of: dict[int, str], report: Report
) -> list[ObjectEntry]:
    """Return the connected components of each class."""
    objects = []
    for colour in np.unique(colours).tolist():
        if colour in {_BLACK, _VOID}:
            continue
        if colour not in class_of:
            report.broken(file, f"has the colour {_told(colour)}, which {LABEL_MAP} does not name")
            continue
        for number, shape in enumerate(connected(colours == colour), start=1):
            objects.append(
                ObjectEntry(f"component {number} of {class_of[colour]}", class_of[colour], (shape,))
            )
    return objects


def _separate(
    file: Path,
    objects_of: NDArray[np.int64],
    colours: NDArray[np.int64],
    class_of: dict[int, str],
    report: Report,
) -> list[ObjectEntry]:
    """Return an object for each colour, whose class is that of most of its pixels."""
    numbers, dense = np.unique(objects_of, return_inverse=True)
    windows: list[Any] = ndimage.find_objects(dense.reshape(objects_of.shape) + 1)
    objects = []
    for colour, window in zip(numbers.tolist(), windows, strict=True):
        if colour in {_BLACK, _VOID}:
            continue
        mask = objects_of[window] == colour
        under, counts = np.unique(colours[window][mask], return_counts=True)
        most = int(under[counts.argmax()])
        name = f"the object in {_told(colour)}"
        if most in class_of:
            objects.append(ObjectEntry(name, class_of[most], (at(mask, window),)))
        else:
            report.broken(file, f"lies on the colour {_told(most)} in {CLASSES}, which is no class", name)
    return objects


def _told(colour: int) -> str:
    return f"{colour >> 16},{colour >> 8 & 255},{colour & 255}"
