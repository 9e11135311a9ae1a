"""What an export is made of, and how far what was written is from what was measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from planimeter.corrections import Figures
from planimeter.labels.entries import ObjectEntry
from planimeter.labels.shapes import unite
from planimeter.masks.rle import rle_window
from planimeter.masks.union import count_coverage
from planimeter.masks.window import WindowMask
from planimeter.measurement import Instance, Measurement, percent_or_none
from planimeter.measuring.candidates import exact_mask

_UNSAFE = '<>:"|?*'
"""What file names on Windows cannot hold."""
_LONGEST_STEM = 120


@dataclass(frozen=True)
class Source:
    """A measurement, and what it is called in an export."""

    measurement: Measurement
    stem: str
    """What its files are called, without an ending; no other of the same export has it."""
    picture: str
    """Where its picture is, as the export says it."""
    id: str | None = None
    """Of the measurement, where it is stored."""
    created_at: datetime | None = None
    figures: Figures = "measured"
    """Which figures `measurement` has."""
    reviewed: bool = False
    """Whether a person said that all of the picture is right."""
    url: str | None = None
    """Where the picture can be had, for readers of the export."""
    stored: str | None = None
    """What the archive of pictures calls its picture, with the id of the measurement."""
    by_stored_name: bool = False
    """Whether the export calls it so too."""

    @property
    def name(self) -> str:
        """What the export calls the picture."""
        return self.stored if self.by_stored_name and self.stored else self.picture

    @property
    def facts(self) -> dict[str, Any]:
        """Which figures these are, as it stands in files."""
        return {"figures": self.figures, "reviewed": self.reviewed}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.measurement.image.height, self.measurement.image.width

    @property
    def classes(self) -> list[str]:
        """The classes of the model, in the order of their ids."""
        return [entry.class_name for entry in self.measurement.coverage.by_class]

    @cached_property
    def objects(self) -> list[tuple[Instance, WindowMask]]:
        """The instances with their exact masks."""
        return [(entry, rle_window(exact_mask(entry))) for entry in self.measurement.instances]


@dataclass(frozen=True)
class Change:
    """What an export makes of a coverage: counted again from what was written, as Planimeter reads it as labels."""

    percent_masked: float | None
    """As measured; None, like the next, where nothing was found of the class that it would be of."""
    percent_exported: float | None
    pixels_exported: int
    objects_exported: int

    @property
    def points(self) -> float | None:
        """Percentage points that the export adds."""
        if self.percent_exported is None or self.percent_masked is None:
            return None
        return self.percent_exported - self.percent_masked

    def described(self) -> dict[str, Any]:
        """Return the figures as they stand in files."""
        return {
            "percent_masked": self.percent_masked,
            "percent_exported": self.percent_exported,
            "change_in_percentage_points": self.points,
        }


def change_of(source: Source, written: Iterable[ObjectEntry]) -> Change:
    """Return how much `written`, which was read back from an export, covers of the picture."""
    masks: Sequence[WindowMask] = [
        unite([shape.draw(*source.size) for shape in entry.shapes]) for entry in written
    ]
    pixels = count_coverage(masks, [1] * len(masks), *source.size, 1).masked
    coverage = source.measurement.coverage
    return Change(
        coverage.percent_masked,
        percent_or_none(pixels, coverage.pixels_counted),
        pixels,
        sum(bool(mask.area) for mask in masks),
    )


class Names:
    """Gives each picture of an export a name of its own that is safe on every file system."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, filename: str) -> str:
        """Return the name of a picture without its ending; the second `a.png` is called a_2."""
        stem = stem_of(filename)
        name, number = stem, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name.casefold())
        return name


def file_name(filename: str) -> str:
    """Return the last part of a path that a client gave, without what file systems do not take."""
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join("_" if mark in _UNSAFE or not mark.isprintable() else mark for mark in last).strip(" ")


def stem_of(filename: str) -> str:
    """Return the same without an ending."""
    name = file_name(filename)
    stem, dot, ending = name.rpartition(".")
    return (stem if dot and stem and len(ending) <= 5 else name)[:_LONGEST_STEM].strip(". ") or "picture"
