"""What was found, as regions of Label Studio."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from planimeter.exports.label_studio import outline_points, pack, region
from planimeter.masks.outlines import outlines
from planimeter.masks.rle import rle_window
from planimeter.masks.window import WindowMask
from planimeter.measurement import Instance
from planimeter.measuring.candidates import exact_mask
from planimeter.service.label_studio.config import Control, Labelling


def regions_of(
    instances: Sequence[Instance], labelling: Labelling, size: tuple[int, int]
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return the regions, and how many objects of which class have no label to be shown with.

    With brush and polygon labels, an object is a polygon where one outline holds it, else brushed; with polygon labels
    alone its outlines are joined by seams without width. All of them hold exactly its pixels.
    """
    regions: list[dict[str, Any]] = []
    unnamed: Counter[str] = Counter()
    for entry in instances:
        mask = rle_window(exact_mask(entry))
        made = _region(entry, mask, labelling, size) if mask.area else None
        if made is not None:
            regions.append(made)
        elif mask.area:
            unnamed[entry.class_name] += 1
    return regions, unnamed


def _region(
    entry: Instance, mask: WindowMask, labelling: Labelling, size: tuple[int, int]
) -> dict[str, Any] | None:
    rings = [ring for part in outlines(mask) for ring in part]
    kinds = ("polygon", "brush", "rectangle") if len(rings) == 1 else ("brush", "polygon", "rectangle")
    ordered = (labelling.control(kind) for kind in kinds)  # type: ignore[arg-type]
    control = next((each for each in ordered if each and entry.class_name in each.labels), None)
    if control is None:
        return None
    return region(
        entry,
        kind=control.kind,
        value=_value(control, entry, mask, size),
        label=control.labels[entry.class_name],
        names=(control.name, labelling.image),
        size=size,
    )


def _value(control: Control, entry: Instance, mask: WindowMask, size: tuple[int, int]) -> dict[str, Any]:
    height, width = size
    if control.kind == "brush":
        return {"format": "rle", "rle": pack(mask, height, width)}
    if control.kind == "polygon":
        return {"points": outline_points(mask, size), "closed": True}
    x, y, across, down = entry.bbox
    return {
        "x": 100 * x / width,
        "y": 100 * y / height,
        "width": 100 * across / width,
        "height": 100 * down / height,
        "rotation": 0,
    }
