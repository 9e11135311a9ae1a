"""Roboflow's semantic masks: `NAME_mask.png` beside each picture, and `_classes.csv`, which numbers the classes."""

import csv
from pathlib import Path

from planimeter.errors import DataError
from planimeter.labels.entries import LabelSet, PictureEntry, Report
from planimeter.labels.files import pictures_in, read_lines
from planimeter.labels.mask_files import CLASS_MAPS, components, size_of, values_in

CLASSES = "_classes.csv"
PARTS = ("train", "valid")
"""What is learnt from; `test` is for `planimeter evaluate FOLDER/test`."""
_MASK = "_mask.png"
_BACKGROUND = "background"


def semantic_parts(path: Path) -> list[Path]:
    """Return the folders of pictures and masks: the folder itself, or its parts."""
    return [folder for folder in (path, *(path / part for part in PARTS)) if (folder / CLASSES).is_file()]


def open_semantic(path: Path, images: Path | None, report: Report) -> LabelSet:
    """Read the parts as one set; instances are the connected components of each class."""
    classes: dict[str, None] = {}
    pictures: list[PictureEntry] = []
    for folder in semantic_parts(path):
        class_of = _classes(folder / CLASSES, report)
        classes |= dict.fromkeys(class_of.values())
        known = f"{CLASSES} names {', '.join(map(str, class_of))}"
        for picture in pictures_in(images or folder):
            if picture.name.endswith(_MASK):
                continue
            file = folder / f"{picture.stem}{_MASK}"
            if not file.is_file():
                report.broken(
                    file, f"is missing; for a picture without objects ({picture.name}), make it all black"
                )
                continue
            values = values_in(file, report)
            if values is not None:
                name = picture.name if folder == path else f"{folder.name}/{picture.name}"
                found = tuple(components(file, values, class_of, report, known))
                pictures.append(PictureEntry(name, file, picture, found, size_of(values)))
    return LabelSet(CLASS_MAPS, tuple(classes), tuple(pictures))


def _classes(file: Path, report: Report) -> dict[int, str]:
    """Return the classes by the values of their pixels."""
    class_of: dict[int, str] = {}
    for number, row in enumerate(csv.reader(read_lines(file, report)), start=1):
        cells = [cell.strip() for cell in row]
        if len(cells) != 2 or (number == 1 and not cells[0].isdigit()):
            continue
        if not cells[0].isdigit():
            raise DataError(
                f"{file}: line {number}: a class needs the number of its pixels, as in: 1, scratch"
            )
        if cells[1].lower() != _BACKGROUND:
            class_of[int(cells[0])] = cells[1]
    if not class_of or len(set(class_of.values())) < len(class_of):
        raise DataError(f"{file} must name each class once, with the number of its pixels, as in: 1, scratch")
    return class_of
