"""Reading of label files, with errors that name them."""

import json
from pathlib import Path
from typing import Any

from planimeter.errors import DataError

PICTURE_ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}


def read_json(file: Path) -> Any:
    """Return the document in a json file; raises `DataError`."""
    try:
        return json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read as json: {error}") from error


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files of a folder, told by their endings, in the order of their names."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder with pictures")
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_ENDINGS and not path.name.startswith(".")
    )


def find_picture(name: str, *folders: Path | None) -> Path:
    """Return the first place where the picture is, or the first where it could be.

    The name may be a path, with the slashes of any system, as it was on the machine of the labelling tool.
    """
    parts = Path(name.replace("\\", "/"))
    places = [folder / tail for folder in folders if folder for tail in (parts, Path(parts.name))]
    return next((place for place in places if place.is_file()), places[0])


def ordered(names: set[str]) -> tuple[str, ...]:
    """Return class names in an order that does not depend on the pictures, for formats without a list."""
    return tuple(sorted(names))
