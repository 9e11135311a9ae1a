"""Labelled pictures made in the test: bright ellipses on dark ground, written as COCO json."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from planimeter.masks.rle import rle_encode
from planimeter.masks.window import WindowMask

SHARED = Path(__file__).parents[2] / "shared" / "datasets"


def shared_dataset(name: str) -> Path:
    """Return the folder of a real data set, or skip; fails where the environment says that it must be there."""
    folder = SHARED / name
    if not folder.is_dir():
        if "shared" in os.environ.get("PLANIMETER_TEST_REQUIRE", ""):
            pytest.fail(f"{folder} is missing, and PLANIMETER_TEST_REQUIRE says that it must be there")
        pytest.skip(f"the data set {name} is not on this machine")
    return folder


def ellipse(height: int, width: int, center: tuple[float, float], axes: tuple[float, float]) -> WindowMask:
    """Return a filled ellipse; center is x, y and axes are half widths in pixels."""
    rows, columns = np.mgrid[:height, :width]
    inside = ((columns - center[0]) / axes[0]) ** 2 + ((rows - center[1]) / axes[1]) ** 2 <= 1
    y, x = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return WindowMask(int(x[0]), int(y[0]), inside[y[0] : y[-1] + 1, x[0] : x[-1] + 1])


def draw_ellipses(masks: list[WindowMask], height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Return a noisy picture, uint8 [H, W, 3], with the masks bright."""
    pixels = np.random.default_rng(seed).normal(30, 6, (height, width, 3))
    for mask in masks:
        pixels[mask.window] = np.where(mask.pixels[..., None], pixels[mask.window] + 150, pixels[mask.window])
    return pixels.clip(0, 255).astype(np.uint8)


def write_dataset(folder: Path, pictures: int = 8, side: int = 96, class_name: str = "blob") -> Path:
    """Write a COCO json with `pictures` pictures of two ellipses each, and one without; returns the json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    document: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 7, "name": class_name}],
    }
    random = np.random.default_rng(3)
    for number in range(1, pictures + 1):
        masks = [
            ellipse(
                side, side, (side * at + random.uniform(-4, 4), side / 2), tuple(random.uniform(10, 18, 2))
            )
            for at in ((0.27, 0.73) if number > 1 else ())
        ]
        name = f"picture_{number}.png"
        Image.fromarray(draw_ellipses(masks, side, side, number)).save(folder / "images" / name)
        document["images"].append({"id": number, "file_name": name, "width": side, "height": side})
        document["annotations"] += [
            {
                "id": 10 * number + index,
                "image_id": number,
                "category_id": 7,
                "iscrowd": 0,
                "segmentation": rle_encode(mask, side, side).model_dump(),
            }
            for index, mask in enumerate(masks)
        ]
    path = folder / "train.json"
    path.write_text(json.dumps(document), "utf-8")
    return path
