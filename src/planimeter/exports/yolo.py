"""YOLO's segmentation labels: a line for each object, one polygon in shares of the picture's sides."""

import json
from collections.abc import Iterable, Sequence

import numpy as np

from planimeter.exports.source import Source
from planimeter.labels import yolo
from planimeter.labels.entries import ObjectEntry
from planimeter.masks.outlines import Ring, outlines


class ClassNumbers:
    """The numbers of the classes, in the order in which pictures bring them: 0, 1, 2 and so on for one model."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}

    def add(self, classes: Iterable[str]) -> dict[str, int]:
        """Return the numbers by name, with these classes among them."""
        for name in classes:
            self._of.setdefault(name, len(self._of))
        return self._of

    def data_yaml(self) -> str:
        """Return the `data.yaml`: pictures belong into `images`, beside `labels`."""
        names = "".join(
            f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for name, number in self._of.items()
        )
        return f"path: .\ntrain: images\nval: images\nnames:{chr(10) + names if names else ' {}' + chr(10)}"


def write(source: Source, numbers: dict[str, int]) -> str:
    """Return the lines of a picture; nothing where nothing was found."""
    height, width = source.size
    lines = []
    for instance, mask in source.objects:
        rings = [ring for part in outlines(mask) for ring in part]
        if rings:
            shares = joined(rings) / (width, height)
            corners = " ".join(f"{share:.9g}" for share in shares.ravel())
            lines.append(f"{numbers[instance.class_name]} {corners}\n")
    return "".join(lines)


def read(text: str, _: Source) -> list[ObjectEntry]:
    """Return the objects as they are read as labels."""
    return [
        yolo.object_in(f"line {number}", line.split(), None)
        for number, line in enumerate(text.splitlines(), start=1)
    ]


def joined(rings: Sequence[Ring]) -> Ring:
    """Return one ring that visits all of them: there and back over a seam, which holds no pixel."""
    path = rings[0]
    for ring in rings[1:]:
        at = int(np.argmin(np.abs(path - ring[0]).sum(axis=1)))
        path = np.concatenate([path[: at + 1], ring, ring[:1], path[at:]])
    return path
