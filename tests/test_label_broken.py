"""What is broken is named in sentences; it can be left out, which is counted and listed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from planimeter.errors import DataError
from planimeter.labels import read_labels

SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]
PYTHON = re.compile(
    r"Error\b|invalid literal|could not convert|unpack|'NoneType'|Expecting|codec|object is not"
)
"""What no message may hold: words of Python's own errors."""


def picture(folder: Path, name: str = "a.png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48), (len(name), 9, 9)).save(folder / name)


def coco(folder: Path, *segmentations: Any, **extra: Any) -> Path:
    picture(folder)
    document: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
        "annotations": [
            {"id": at, "image_id": 1, "category_id": 1, "segmentation": segmentation}
            for at, segmentation in enumerate(segmentations)
        ],
        "categories": [{"id": 1, "name": "scratch"}],
    }
    (folder / "all.json").write_text(json.dumps({**document, **extra}), "utf-8")
    return folder / "all.json"


def labelme(folder: Path, *shapes: Any) -> Path:
    picture(folder)
    (folder / "a.json").write_text(json.dumps({"imagePath": "a.png", "shapes": shapes}), "utf-8")
    return folder


def via(folder: Path, *regions: Any) -> Path:
    picture(folder)
    (folder / "via.json").write_text(
        json.dumps({"a.png1": {"filename": "a.png", "regions": regions}}), "utf-8"
    )
    return folder / "via.json"


def yolo(folder: Path, *lines: str) -> Path:
    picture(folder / "images")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text("\n".join(lines), "utf-8")
    (folder / "classes.txt").write_text("scratch\n", "utf-8")
    return folder


def test_what_is_broken_is_left_out_on_request_counted_and_listed(tmp_path: Path) -> None:
    file = coco(tmp_path, [SQUARE], [SQUARE, [1, 1, 5, 5]], [])
    with pytest.raises(
        DataError, match=r"annotation 1: .*three corners.*; to go on without .* --leave-out broken"
    ):
        read_labels(file)
    data = read_labels(file, leave_out_broken=True)
    assert [mask.area for mask in data.pictures[0].masks] == [400]
    assert data.doubts[0] == "left out as broken: 2 objects or pictures"
    assert [doubt.split(": ")[:3] for doubt in data.doubts[1:3]] == [
        ["left out", str(file), "annotation 1"],
        ["left out", str(file), "annotation 2"],
    ]


def test_pictures_that_are_broken_are_left_out_and_not_taken_for_empty(tmp_path: Path) -> None:
    folder = yolo(tmp_path, "0 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5")
    for name in ("torn.png", "unreadable.png"):
        picture(folder / "images", name)
    (folder / "images" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    (folder / "labels" / "unreadable.txt").write_bytes(b"\x81\x8d\x00")
    data = read_labels(folder, leave_out_broken=True)
    assert [entry.name for entry in data.pictures] == ["a.png"]
    assert data.doubts[0] == "left out as broken: 2 objects or pictures"


def test_where_nothing_is_left_the_first_broken_thing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing is left but what is broken; the first is .*annotation 0: "):
        read_labels(coco(tmp_path, [[1, 1, 5, 5]]), leave_out_broken=True)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda folder: coco(folder, []), r"annotation 0: has no outline, only a box"),
        (lambda folder: coco(folder, None), r"annotation 0: has no outline, only a box"),
        (lambda folder: coco(folder, "x"), r"annotation 0: its field 'size' is missing"),
        (lambda folder: coco(folder, [["x"] * 6]), r"annotation 0: its coordinates are not all numbers"),
        (
            lambda folder: coco(folder, {"size": 4, "counts": []}),
            r"annotation 0: its run lengths state the size 4",
        ),
        (lambda folder: coco(folder, {"size": [48, 64]}), r"annotation 0: its field 'counts' is missing"),
        (
            lambda folder: coco(folder, {"size": [48, 64], "counts": ["x"]}),
            r"annotation 0: its run lengths are not",
        ),
        (
            lambda folder: coco(folder, {"size": [48, 64], "counts": [5]}),
            r"annotation 0: the run lengths do not add",
        ),
        (
            lambda folder: coco(folder, {"size": [64, 48], "counts": [9, 9, 3054]}),
            r"annotation 0 .*sides are swapped",
        ),
        (lambda folder: coco(folder, [SQUARE], categories=None), r"its 'categories' is missing or no list"),
        (lambda folder: coco(folder, [SQUARE], categories=[{}]), r"entry 0 of its categories has no name"),
        (
            lambda folder: coco(folder, [SQUARE], images=[{"id": 1}]),
            r"entry 0 of its images has no id or no file_name",
        ),
        (
            lambda folder: coco(folder, [SQUARE], annotations=[3]),
            r"entry 0 of its annotations has no image_id",
        ),
        (lambda folder: labelme(folder, 3), r"shape 1: its field 'label' is missing"),
        (lambda folder: labelme(folder, {"label": "a"}), r"shape 1: its field 'points' is missing"),
        (
            lambda folder: labelme(folder, {"label": "a", "shape_type": "rectangle", "points": [[1, 1]]}),
            r"shape 1: a rectangle needs two points, this one has 1",
        ),
        (
            lambda folder: labelme(
                folder, {"label": "a", "shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "!"}
            ),
            r"shape 1: its mask is damaged",
        ),
        (
            lambda folder: via(folder, 3),
            r"region 1 in picture a\.png: its field 'shape_attributes' is missing",
        ),
        (
            lambda folder: via(folder, {"shape_attributes": {"name": "circle", "cx": 3, "cy": "x", "r": 3}}),
            r"region 1 in picture a\.png: its cy is 'x', and a number is needed",
        ),
        (lambda folder: yolo(folder, "scratch 0.1 0.1 0.2 0.2 0.3 0.3"), r"line 1: starts with 'scratch'"),
        (lambda folder: yolo(folder, "0 a b c d e f"), r"line 1: its coordinates are not all numbers"),
        (
            lambda folder: yolo(folder, "0 10 10 30 10 30 30"),
            r"line 1: has a coordinate of 30: .*look like pixels",
        ),
        (
            lambda folder: yolo(folder, "0 0.2 0.2 0.5 0.2 0.5 0.6 0.93"),
            r"line 1: has 7 numbers after its class, .*a confidence, .*delete it",
        ),
    ],
)
def test_messages_name_the_object_in_plain_words(
    tmp_path: Path, make: Callable[[Path], Path], named: str
) -> None:
    with pytest.raises(DataError, match=named) as caught:
        read_labels(make(tmp_path / "data"))
    assert not PYTHON.search(str(caught.value))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            "names: [a, : b",
            r"data\.yaml cannot be read as YOLO's data\.yaml: it is no yaml at line 1, column \d+",
        ),
        ("- a", r"it states no 'names' and no 'train'"),
        ("train: images\nnc: 1", r"its 'names' must list the classes"),
        ("train: images\nnames: {a: b}", r"its 'names' must have whole numbers"),
        ("names: [a]", r"data\.yaml states no 'train'"),
        ("train: " + "x" * 400 + "\nnames: [a]", r"its 'train' is x+, and no such folder"),
        (
            "train: nowhere\nnames: [a]",
            r"its 'train' is nowhere, and no such folder or list .*correct the path",
        ),
    ],
)
def test_a_damaged_data_yaml_is_told_in_plain_words(tmp_path: Path, content: str, named: str) -> None:
    picture(tmp_path / "images")
    (tmp_path / "data.yaml").write_text(content, "utf-8")
    with pytest.raises(DataError, match=named) as caught:
        read_labels(tmp_path)
    assert not PYTHON.search(str(caught.value))


def test_a_json_that_is_cut_short_is_told_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"images": [\n')
    with pytest.raises(DataError, match="damaged or cut short at line 2, column 1; export it again"):
        read_labels(tmp_path / "x.json")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_texts_of_windows_programs_are_read(tmp_path: Path, encoding: str) -> None:
    folder = yolo(tmp_path, "0.0 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5")
    (folder / "classes.txt").write_bytes("Stoß\r\n".encode(encoding))
    lines = (folder / "labels" / "a.txt").read_text("utf-8")
    (folder / "labels" / "a.txt").write_bytes(f"{lines}\r\n".encode(encoding))
    data = read_labels(folder)
    assert (data.classes, data.instances) == (("Stoß",), 1)
    assert any("was read as Windows-1252" in doubt for doubt in data.doubts) == (encoding == "cp1252")


def test_a_mask_of_a_format_that_is_none_for_masks_is_not_opened(tmp_path: Path) -> None:
    picture(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    (tmp_path / "classes.txt").write_text("scratch\n", "utf-8")
    Image.new("L", (64, 48), 1).save(tmp_path / "masks" / "a.png", "PPM")
    with pytest.raises(DataError, match="cannot be read as a mask"):
        read_labels(tmp_path)
