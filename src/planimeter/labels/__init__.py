"""Labelled pictures, read from the formats that labelling tools write."""

from planimeter.labels.coco import read_coco
from planimeter.labels.pictures import LabelledPicture, LabelledPictures, split

__all__ = ["LabelledPicture", "LabelledPictures", "read_coco", "split"]
