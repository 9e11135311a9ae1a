"""Where a picture lies, told from what a label file says of it: one way for all formats."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

PICTURE_ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}
LABEL_FOLDERS = {"annotation", "annotations", "label", "labels", "json", "jsons"}
"""Folders that hold labels alone: their pictures are in folders beside them, as in COCO's own layout."""

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


@dataclass(frozen=True)
class Missing:
    """A picture that was not found."""

    reason: str
    """Where it was sought, and what to do; follows the name of the picture."""


class Folders:
    """What folders hold, read once however many pictures are sought in them."""

    def __init__(self) -> None:
        self._inside: dict[Path, list[Path]] = {}
        self._by_stem: dict[Path, dict[str, Path]] = {}

    def inside(self, folder: Path) -> list[Path]:
        """Return the folders in a folder; hidden ones hold no pictures."""
        if folder not in self._inside:
            self._inside[folder] = [
                entry for entry in _list(folder) if entry.is_dir() and entry.name[:1] != "."
            ]
        return self._inside[folder]

    def like(self, folder: Path, stem: str) -> Path | None:
        """Return a picture whose name is the same but for case and ending."""
        if folder not in self._by_stem:
            self._by_stem[folder] = {_folded(file.stem): file for file in pictures_beside(folder)}
        return self._by_stem[folder].get(_folded(stem))


class Finder:
    """Finds the pictures of a label file.

    Sought are, in this order, the path as it is given and its tails (`c/d/a.png`, `d/a.png`, `a.png`): beside the
    labels, in `images` there, in `images` one folder up, and in the folders inside of these. Slashes may be those
    of any system, letters in any Unicode normal form.
    """

    def __init__(self, labels: Path, images: Path | None = None, folders: Folders | None = None) -> None:
        """Look around the file `labels`, or only into the folder `images` where it is given.

        Finders of many label files share what is known of the `folders`.
        """
        base = labels.parent
        self._labels = labels
        self._roots = [images] if images else [base, base / "images", base.parent / "images"]
        if not images and base.name.lower() in LABEL_FOLDERS:
            self._roots.append(base.parent)
        self._given = images is None
        self._folders = folders or Folders()

    def is_given(self, stated: str) -> bool:
        """Tell whether the picture is where its labels say, or in the only folder that is looked into."""
        path = posix(stated)
        return _file(self._roots[0], path if self._given else PurePosixPath(path.name)) is not None

    def find(self, stated: str) -> Path | Missing:
        """Return the file of the picture that the labels call `stated`."""
        path = posix(stated)
        if self._given and Path(stated).is_absolute() and (found := _file(Path(stated), PurePosixPath())):
            return found
        for tail in _tails(path):
            for root in self._roots:
                if found := _file(root, tail):
                    return found
            # A bare name of a longer path says too little to be sought in any folder.
            if len(tail.parts) > 1 or len(path.parts) == 1:
                inside = self._inside(tail)
                if len(inside) == 1:
                    return inside[0]
                if inside:
                    return Missing(
                        f"is in {len(inside)} folders: {', '.join(str(file.parent) for file in inside)}; name one "
                        "with --images"
                    )
        return Missing(self._reason(path))

    def _inside(self, tail: PurePosixPath) -> list[Path]:
        """Return where the picture is in the folders of the roots; only the one that the labels name, if they do."""
        found = {
            file.resolve(): file
            for root in self._roots
            for folder in self._folders.inside(root)
            if (file := _file(folder, tail))
        }
        named = [
            file for file in found.values() if _first_folder(file, tail).lower() in self._labels.stem.lower()
        ]
        return named if len(named) == 1 else list(found.values())

    def _reason(self, path: PurePosixPath) -> str:
        sought = f"is not there: sought in {', '.join(map(str, self._roots))} and the folders in them"
        for root in self._roots:
            for folder in (root, *self._folders.inside(root)):
                if file := self._folders.like(folder, path.stem):
                    return (
                        f"{sought}; {file} differs in case or ending: rename it, or the picture in the labels"
                    )
        return f"{sought}; --images names the folder of the pictures"


def find_named(finder: Finder, stem: str) -> Path | Missing:
    """Return the picture that a label file is named after: `a.geojson` or `a.tif.geojson` is that of `a.tif`."""
    whole = Path(stem).suffix.lower() in PICTURE_ENDINGS
    named = [stem] if whole else [stem + end for end in sorted(PICTURE_ENDINGS)]
    found = [finder.find(name) for name in named]
    return next((place for place in found if isinstance(place, Path)), found[0])


def posix(stated: str) -> PurePosixPath:
    """Return a path with forward slashes, without a Windows drive."""
    path = stated.replace("\\", "/")
    return PurePosixPath(path[2:] if path[1:2] == ":" else path)


def name_of(stated: str) -> str:
    """Return what a picture is called: its path inside the data, as the labels state it, with forward slashes.

    Of a path that leads out of the data, from the root of some machine or upwards, the file name is left.
    """
    path = posix(stated)
    return path.name if path.is_absolute() or ".." in path.parts else str(path)


def pictures_beside(folder: Path) -> list[Path]:
    """Return the picture files of a folder, told by their endings, in the order of their names."""
    return [path for path in _list(folder) if path.suffix.lower() in PICTURE_ENDINGS and path.name[:1] != "."]


def _tails(path: PurePosixPath) -> Iterator[PurePosixPath]:
    """Give the path as it is, then without its first folders, one after the other."""
    if not path.is_absolute():
        yield path
    parts = [part for part in path.parts if part not in {"/", "..", "."}]
    for start in range(len(parts)):
        yield PurePosixPath(*parts[start:])


def _file(root: Path, tail: PurePosixPath) -> Path | None:
    """Return the file at a place, in whichever normal form its name is stored."""
    for named in dict.fromkeys([str(tail), *(unicodedata.normalize(form, str(tail)) for form in _FORMS)]):
        try:
            if (root / named).is_file():
                return root / named
        except (OSError, ValueError):  # a name that no system has, such as one of 300 letters
            return None
    return None


def _first_folder(file: Path, tail: PurePosixPath) -> str:
    return file.parts[-len(tail.parts) - 1]


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
