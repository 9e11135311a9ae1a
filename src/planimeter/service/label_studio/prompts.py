"""What an annotator points at: of what the model found, the object under a click, or those in a rectangle."""

from collections.abc import Sequence
from typing import Any

from planimeter.errors import InvalidOption
from planimeter.masks.rle import rle_window
from planimeter.masks.window import WindowMask
from planimeter.measurement import Instance
from planimeter.measuring.candidates import exact_mask

INSIDE = 0.5
"""Share of an object that has to lie in a rectangle."""
MOST = 1000
"""Regions to point with."""


def prompts_of(context: object) -> list[dict[str, Any]]:
    """Return the regions with which somebody points at objects; none where a task is predicted as a whole.

    Raises `InvalidOption` where they are too many: each is compared with each object.
    """
    results = context.get("result") if isinstance(context, dict) else None
    if not isinstance(results, list):
        return []
    if len(results) > MOST:
        raise InvalidOption(f"{len(results):,} regions point at objects, and {MOST:,} may; point with fewer")
    return [entry for entry in results if isinstance(entry, dict)]


def pointed_at(
    instances: Sequence[Instance], prompts: Sequence[dict[str, Any]], size: tuple[int, int]
) -> list[Instance]:
    """Return the instances of a picture of this height and width that are pointed at, by falling score.

    A click means the object with the highest score that has its pixel, a rectangle all that lie in it by more than
    half. Raises `InvalidOption` for what is neither.
    """
    masks = {entry.id: rle_window(exact_mask(entry)) for entry in instances}
    chosen: set[int] = set()
    for prompt in prompts:
        kind, box = _box(prompt, size)
        inside = (
            entry
            for entry in instances
            if _share(masks[entry.id], box) > (INSIDE if kind == "rectangle" else 0)
        )
        chosen.update(entry.id for entry in (list(inside) if kind == "rectangle" else [*inside][:1]))
    return [entry for entry in instances if entry.id in chosen]


def _box(prompt: dict[str, Any], size: tuple[int, int]) -> tuple[str, tuple[int, int, int, int]]:
    """Return which kind a prompt is, and its left, top, right and bottom in pixels; of a click those of its pixel."""
    kind, value = str(prompt.get("type")), prompt.get("value")
    height, width = size
    try:
        if kind.startswith("keypoint") and isinstance(value, dict):
            x = min(int(float(value["x"]) * width / 100), width - 1)
            y = min(int(float(value["y"]) * height / 100), height - 1)
            return "keypoint", (x, y, x + 1, y + 1)
        if kind.startswith("rectangle") and isinstance(value, dict):
            left, top = float(value["x"]) * width / 100, float(value["y"]) * height / 100
            across, down = float(value["width"]) * width / 100, float(value["height"]) * height / 100
            return "rectangle", (round(left), round(top), round(left + across), round(top + down))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidOption(f"what is pointed with, {kind[:40]}, has no x and y that are numbers") from error
    raise InvalidOption(
        f'{kind[:40]!r} cannot point at an object here; use a keypoint or a rectangle with smart="true"'
    )


def _share(mask: WindowMask, box: tuple[int, int, int, int]) -> float:
    """Return which share of a mask has its pixels' centres in a box."""
    left, top, right, bottom = box
    rows = slice(max(top - mask.y, 0), max(bottom - mask.y, 0))
    columns = slice(max(left - mask.x, 0), max(right - mask.x, 0))
    return float(mask.pixels[rows, columns].sum()) / mask.area if mask.area else 0.0
