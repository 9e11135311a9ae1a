"""Labelled pictures, read from the formats that labelling tools write."""

from pathlib import Path

from planimeter.labels.entries import Finding, LabelSet, Report
from planimeter.labels.formats import open_labels
from planimeter.labels.parts import fold, read_split, split, write_split
from planimeter.labels.pictures import LabelledPicture, LabelledPictures

__all__ = [
    "Finding",
    "LabelSet",
    "LabelledPicture",
    "LabelledPictures",
    "Report",
    "fold",
    "open_labels",
    "read_labels",
    "read_split",
    "split",
    "write_split",
]


def read_labels(
    path: Path, images: Path | None = None, *, leave_out_broken: bool = False
) -> LabelledPictures:
    """Return the labelled pictures at `path`, in whichever of the formats they are (`docs/labels.md`).

    `images` is the folder of the pictures, where it is not the one that the format has beside its labels.
    Raises `DataError`, naming the file and the object, for anything that does not fit together; with
    `leave_out_broken` such objects and pictures are left out instead, and listed in `doubts` after their count.
    """
    report = Report(collect=leave_out_broken)
    return open_labels(path, images, report).load(report)
