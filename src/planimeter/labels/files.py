"""Reading of label files, with errors that name them."""

import importlib
import json
from collections.abc import Iterable, Mapping
from math import isfinite, nan
from pathlib import Path
from typing import Any

from planimeter.errors import DataError
from planimeter.labels.entries import Report
from planimeter.labels.finder import pictures_beside
from planimeter.reading import read_file

FALLBACK = "cp1252"
"""What old Windows programs write in western Europe and America, where a text is not UTF-8."""
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_text(file: Path, report: Report | None = None) -> str:
    """Return a text: what its byte order mark says, else UTF-8, else Windows-1252, which is told to `report`.

    Raises `DataError` where it is none of these.
    """
    try:
        data = read_file(file)
    except OSError as error:
        raise DataError(f"{file} cannot be opened: {error.strerror}") from error
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(f"{file} is a damaged text; save it again as UTF-8") from error
    try:
        text = data.decode(FALLBACK)
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is neither UTF-8 nor Windows-1252; save it as UTF-8") from error
    if report:
        report.doubtful(
            file, "is not UTF-8 and was read as Windows-1252; save it as UTF-8 to be sure of its letters"
        )
    return text


def read_lines(file: Path, report: Report | None = None) -> list[str]:
    """Return the lines of a text without the space around them; raises `DataError`."""
    return [line.strip() for line in read_text(file, report).splitlines()]


def read_json(file: Path, report: Report | None = None) -> Any:
    """Return the document in a json file; raises `DataError`."""
    try:
        return json.loads(read_text(file, report))
    except json.JSONDecodeError as error:
        where = f"it is damaged or cut short at line {error.lineno}, column {error.colno}"
        raise DataError(f"{file} cannot be read as json: {where}; export it again") from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{file} cannot be read as json: a number is too long, or it is nested too deeply; export it again"
        ) from error


def listed(value: Any) -> list[Any]:
    """Return a list as it is, nothing as an empty one, and anything else as a list of it."""
    return value if isinstance(value, list) else [value] if value else []


def field(entry: Any, name: str) -> Any:
    """Return what an entry says under a name; raises `ValueError`, with a sentence, where it says nothing."""
    if not isinstance(entry, Mapping) or name not in entry:
        raise ValueError(f"its field '{name}' is missing")
    return entry[name]


def number(entry: Any, name: str) -> float:
    """Return a finite number that an entry must state; raises `ValueError`."""
    value = field(entry, name)
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = nan
    if not isfinite(found):
        raise ValueError(f"its {name} is {value!r}, and a number is needed")
    return found


def stated_size(entry: Any, height: str, width: str) -> tuple[int, int] | None:
    """Return the height and width that an entry states, or None where it does not state both."""
    if not isinstance(entry, Mapping):
        return None
    try:
        size = int(float(entry[height])), int(float(entry[width]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files of a folder, told by their endings, in the order of their names."""
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder with pictures")
    return pictures_beside(folder)


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Return class names in an order that does not depend on the pictures, for formats without a list."""
    return tuple(sorted(set(names)))


def need(module: str, path: Path) -> Any:
    """Return a module that only the `train` extra installs; raises `DataError` where it is not there."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise DataError(
            f"reading {path} needs {error.name}: run make train-extra, or pip install '.[train]' in the clone"
        ) from error
