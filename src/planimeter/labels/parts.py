"""The split of labelled pictures into a part to learn from and one to validate on."""

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from planimeter.errors import DataError
from planimeter.labels.likeness import group
from planimeter.labels.pictures import LabelledPicture, LabelledPictures

Group = list[LabelledPicture]


def split(
    data: LabelledPictures, fraction: float, seed: int, keep_together: str | None = None
) -> tuple[LabelledPictures, LabelledPictures]:
    """Split off a validation part of about `fraction` of the pictures.

    Copies of one picture, turned or mirrored too, stay on one side: else validation would praise what was only
    remembered. So do pictures whose file names agree in what the regular expression `keep_together` finds in them.
    Every class, the pictures without objects, and every picture size give their share.
    """
    chooser = random.Random(seed)  # noqa: S311 - a reproducible split, not a secret
    groups = _shuffled_groups(data, chooser, keep_together)
    # One group of every 1 / fraction that follow each other.
    strides = range(round(len(groups) * fraction))
    chosen = {min(int((stride + chooser.random()) / fraction), len(groups) - 1) for stride in strides}
    if not chosen and len(groups) > 1:
        chosen = {chooser.randrange(len(groups))}
    train = [picture for index, pictures in enumerate(groups) if index not in chosen for picture in pictures]
    validation = [picture for index in sorted(chosen) for picture in groups[index]]
    if not train or not validation:
        raise DataError(
            f"{len(data.pictures)} pictures, {len(groups)} of them different, cannot be split into training and "
            f"validation with a validation fraction of {fraction}; label more pictures or change the fraction"
        )
    return replace(data, pictures=tuple(train)), replace(data, pictures=tuple(validation))


def fold(
    data: LabelledPictures, folds: int, seed: int, keep_together: str | None = None
) -> list[tuple[LabelledPictures, LabelledPictures]]:
    """Return for each of `folds` parts the pictures outside of it and those inside; every picture is inside once.

    What `split` keeps on one side stays in one part, and each part has its share of every class and picture size.
    Raises `DataError` where a class, or everything, lies in so few different pictures that a part would hold all of it.
    """
    chooser = random.Random(seed)  # noqa: S311 - reproducible folds, not a secret
    groups = _shuffled_groups(data, chooser, keep_together)
    if len(groups) < folds:
        raise DataError(
            f"{len(data.pictures)} pictures, {len(groups)} of them different, cannot be dealt into {folds} folds; "
            f"label more pictures, or take {len(groups)} folds at most"
        )
    parts = []
    for number in range(folds):
        inside = {id(picture) for pictures in groups[number::folds] for picture in pictures}
        outside = tuple(picture for picture in data.pictures if id(picture) not in inside)
        held = tuple(picture for picture in data.pictures if id(picture) in inside)
        learnt = {label for picture in outside for label in picture.labels}
        for label in sorted({label for picture in held for label in picture.labels} - learnt):
            raise DataError(
                f"class {data.classes[label - 1]}: all pictures that show it are copies of one another or kept "
                f"together, so the model of fold {number + 1} would never see it; label it in other pictures too"
            )
        parts.append((replace(data, pictures=outside), replace(data, pictures=held)))
    return parts


def write_split(path: Path, train: LabelledPictures, validation: LabelledPictures) -> None:
    """Write the names of the pictures of both parts as JSON."""
    parts = {"train": train, "validation": validation}
    names = {part: [picture.name for picture in data.pictures] for part, data in parts.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(names, indent=1) + "\n", "utf-8")


def read_split(path: Path, data: LabelledPictures) -> tuple[LabelledPictures, LabelledPictures]:
    """Split the pictures as they were split before; raises `DataError` where they are not the same pictures."""
    try:
        names = json.loads(path.read_text("utf-8"))
        parts = [names["train"], names["validation"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as the split of a training: it is damaged; choose another folder"
        ) from error
    by_name = {picture.name: picture for picture in data.pictures}
    if sorted(by_name) != sorted(name for part in parts for name in part):
        raise DataError(
            f"{path} splits other pictures than these {len(by_name)}: the labels have changed since training "
            "began; choose another work folder"
        )
    train, validation = (replace(data, pictures=tuple(by_name[name] for name in part)) for part in parts)
    return train, validation


def _shuffled_groups(
    data: LabelledPictures, chooser: random.Random, keep_together: str | None
) -> list[Group]:
    """Return the pictures in groups that stay together, those of one kind behind each other, else in random order."""
    keys = _keys(data.pictures, keep_together) if keep_together is not None else []
    groups = sorted(group(data.pictures, keys), key=lambda pictures: pictures[0].name)
    chooser.shuffle(groups)
    frequency = Counter(label for picture in data.pictures for label in picture.labels)
    # Sorting is stable: among equals the order stays random.
    groups.sort(key=lambda pictures: _kind(pictures, frequency))
    return groups


def _keys(pictures: Sequence[LabelledPicture], pattern: str) -> list[tuple[str, ...] | None]:
    """Return what `pattern` finds in each file name: its groups where it has some, else all of the match."""
    matches = [re.search(pattern, PurePosixPath(picture.name).name) for picture in pictures]
    if not any(matches):
        raise DataError(
            f"{pattern!r} is found in none of the {len(pictures)} file names, such as {pictures[0].name!r}"
        )
    return [match and (match.groups("") or (match[0],)) for match in matches]


def _kind(pictures: Sequence[LabelledPicture], frequency: Counter[int]) -> tuple[int, int, int]:
    """Return what pictures are grouped by: their rarest class (0 for none), and their size in pixels."""
    labels = {label for picture in pictures for label in picture.labels}
    rarest = min(labels, key=lambda label: (frequency[label], label)) if labels else 0
    return (rarest, *pictures[0].pixels.shape[:2])
