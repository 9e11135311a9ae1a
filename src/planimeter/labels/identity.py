"""Each picture has a name of its own: pictures that share a file name are told apart by their folders."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from planimeter.labels.entries import PictureEntry, Report


def distinct(pictures: Sequence[PictureEntry], report: Report) -> tuple[PictureEntry, ...]:
    """Return the pictures under names of which each is there once; one that is listed twice is broken."""
    return _rename(_once(pictures, report))


def _once(pictures: Sequence[PictureEntry], report: Report) -> list[PictureEntry]:
    seen: dict[object, PictureEntry] = {}
    for picture in pictures:
        place = (
            picture.source.resolve() if isinstance(picture.source, Path) else (picture.labels, picture.name)
        )
        first = seen.setdefault(place, picture)
        if first is picture:
            continue
        if first.name != picture.name:
            message = (
                f"is the same file as picture {first.name}; name the folder of each, as it is on the disk"
            )
        elif first.labels != picture.labels:
            message = f"is labelled in {first.labels} too; keep one of the two"
        else:
            message = "is listed twice; merge the two entries"
        report.broken(picture.labels, message, f"picture {picture.name}")
    return list(seen.values())


def _rename(pictures: Sequence[PictureEntry]) -> tuple[PictureEntry, ...]:
    often = Counter(picture.name for picture in pictures)
    if len(often) == len(pictures):
        return tuple(pictures)
    places = [_place(picture) for picture in pictures]
    root = Path(os.path.commonpath([place.parent for place in places]))
    return tuple(
        replace(picture, name=place.relative_to(root).as_posix()) if often[picture.name] > 1 else picture
        for picture, place in zip(pictures, places, strict=True)
    )


def _place(picture: PictureEntry) -> Path:
    """Return where a picture is, or where its labels are if it is inside of them or missing."""
    if isinstance(picture.source, Path):
        return picture.source.absolute()
    return picture.labels.parent.absolute() / picture.labels.stem / picture.name
