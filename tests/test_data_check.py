"""`planimeter data check`: says what it understood, and names what is broken, doubtful or there twice."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from rich.console import Console

from labelled import draw_ellipses, ellipse, write_dataset
from planimeter.commands import main
from planimeter.commands.printing import census_tables
from planimeter.labels.audit import audit
from planimeter.labels.census import SIZE_EDGES


def check(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", "check", *map(str, arguments)])


def change(file: Path, number: int, **values: Any) -> int:
    """Change an annotation; returns its id."""
    document = json.loads(file.read_text("utf-8"))
    annotation = document["annotations"][number]
    annotation.update(values)
    file.write_text(json.dumps(document), "utf-8")
    return int(annotation["id"])


def findings(path: Path, against: Path | None = None) -> list[str]:
    """Return the findings about pictures and objects; every class of so small a set has too few examples."""
    return [str(entry) for entry in audit(path, against=against).findings if "class blob" not in str(entry)]


def test_what_was_understood_is_printed_and_sound_labels_exit_with_0(tmp_path: Path) -> None:
    result = check(write_dataset(tmp_path, pictures=12))
    assert result.exit_code == 0, result.output
    assert "COCO json: 12 pictures (96 x 96), 1 without an object, 22 instances" in result.output
    header, row = result.output.splitlines()[1:3]
    assert header.split()[:4] == ["class", "instances", "pictures", "median"]
    assert row.split()[:3] == ["blob", "22", "11"]
    assert result.output.splitlines()[-1] == "nothing found"


def test_the_size_histogram_counts_every_instance_once(tmp_path: Path) -> None:
    census = audit(write_dataset(tmp_path, pictures=5)).census
    assert sum(census.histogram("blob")) == census.instances == 8
    assert len(census.histogram("blob")) == len(SIZE_EDGES) + 1
    # Half axes from 10 to 18 pixels: areas from 314 to 1018, of which the roots are 18 to 32.
    assert census.histogram("blob")[SIZE_EDGES.index(32)] == 8
    assert 18 <= census.median_size("blob") <= 32


def test_a_class_with_too_few_examples_is_doubtful(tmp_path: Path) -> None:
    result = check(write_dataset(tmp_path, pictures=3))
    assert result.exit_code == 0
    assert "class blob: has 4 instances; label 20 or more" in result.output
    assert "0 broken, 1 doubtful" in result.output


def test_a_damaged_picture_is_broken_and_the_others_are_still_checked(tmp_path: Path) -> None:
    file = write_dataset(tmp_path, pictures=12)
    (tmp_path / "images" / "picture_2.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    (tmp_path / "images" / "picture_5.png").unlink()
    result = check(file)
    assert result.exit_code == 1
    assert "10 pictures" in result.output
    assert f"broken  {file}: picture picture_2.png: the bytes start like PNG" in result.output
    assert "picture picture_5.png: " in result.output
    assert "2 broken, 1 doubtful" in result.output  # with 18 instances left, there are too few


def test_an_annotation_that_is_no_mask_is_broken(tmp_path: Path) -> None:
    file = write_dataset(tmp_path, pictures=3)
    number = change(file, 0, segmentation=[[1, 2, 3, 4]])
    (found,) = findings(file)
    assert found.startswith(f"{file}: annotation {number}: ")
    assert "three corners" in found
    assert audit(file).broken


def test_a_mask_out_of_bounds_is_named_and_an_empty_one_is_left_out(tmp_path: Path) -> None:
    file = write_dataset(tmp_path, pictures=3)
    outside = change(file, 0, segmentation=[[80, 10, 120, 10, 120, 30, 80, 30]])
    empty = change(file, 1, segmentation=[[200, 200, 210, 200, 210, 210]])
    found = findings(file)
    assert f"annotation {outside} in picture picture_2.png: reaches from (80, 10) to (120, 30)" in found[0]
    assert f"annotation {empty} in picture picture_2.png: reaches from (200, 200)" in found[1]
    assert (
        f"annotation {empty} in picture picture_2.png: has not one pixel in the picture: left out" in found[2]
    )
    assert audit(file).census.instances == 3


def test_a_wrong_area_is_named_and_recomputed(tmp_path: Path) -> None:
    file = write_dataset(tmp_path, pictures=3)
    square = [[10, 10, 30, 10, 30, 30, 10, 30]]
    change(file, 0, segmentation=square, area=400)
    number = change(file, 1, segmentation=square, area=900)
    found = findings(file)
    assert any(
        f"annotation {number} " in line and "an area of 900, its mask has 400 pixels" in line
        for line in found
    )
    assert any(
        f"annotation {number} " in line and "has the same mask as annotation" in line for line in found
    )
    assert len(found) == 2


def test_labels_of_unknown_pictures_and_classes_are_all_named(tmp_path: Path) -> None:
    file = write_dataset(tmp_path, pictures=3)
    one, other = change(file, 0, image_id=99), change(file, 1, category_id=8)
    assert findings(file) == [
        f"{file}: annotation {one}: names picture 99: not listed",
        f"{file}: annotation {other}: has class 8: not listed",
    ]


def write_one(folder: Path, name: str, pixels: Any) -> Path:
    """Write a data set of one picture with one square."""
    folder.mkdir()
    Image.fromarray(pixels).save(folder / name, quality=85)
    height, width = pixels.shape[:2]
    square = [[4, 4, 20, 4, 20, 20, 4, 20]]
    document = {
        "images": [{"id": 1, "file_name": name, "width": width, "height": height}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": square}],
        "categories": [{"id": 1, "name": "blob"}],
    }
    (folder / "labels.json").write_text(json.dumps(document), "utf-8")
    return folder / "labels.json"


SCENE = draw_ellipses(
    [ellipse(96, 128, (30 + 9 * n, 20 + 12 * n), (12, 7)) for n in range(6)], 96, 128, seed=1
)


def test_the_same_picture_in_both_parts_is_broken_whatever_its_name(tmp_path: Path) -> None:
    train, test = write_one(tmp_path / "a", "a.png", SCENE), write_one(tmp_path / "b", "b.png", SCENE)
    result = check(train, "--against", test)
    assert result.exit_code == 1
    assert f"{train}: picture a.png: has the same pixels as picture b.png of {test}" in result.output


@pytest.mark.parametrize("kind", ["JPEG", "smaller", "darker"])
def test_a_near_duplicate_in_the_other_part_is_doubtful(tmp_path: Path, kind: str) -> None:
    if kind == "smaller":
        copy = np.asarray(Image.fromarray(SCENE).resize((96, 72)))
    else:
        copy = (SCENE * 0.8).astype(np.uint8) if kind == "darker" else SCENE
    train = write_one(tmp_path / "a", "a.png", SCENE)
    test = write_one(tmp_path / "b", "b.jpg" if kind == "JPEG" else "b.png", copy)
    (found,) = findings(train, test)
    assert found == f"{train}: picture a.png: looks nearly the same as picture b." + found.rsplit(" b.", 1)[1]
    assert not audit(train, against=test).broken


def test_other_pictures_of_the_same_kind_and_empty_ones_are_no_duplicates(tmp_path: Path) -> None:
    other = draw_ellipses(
        [ellipse(96, 128, (100 - 9 * n, 20 + 12 * n), (12, 7)) for n in range(6)], 96, 128, 2
    )
    dark = np.random.default_rng(0).normal(20, 3, (2, 96, 128, 3)).astype(np.uint8)
    parts = [
        write_one(tmp_path / name, f"{name}.png", pixels)
        for name, pixels in (("a", SCENE), ("b", other), ("c", dark[0]), ("d", dark[1]))
    ]
    for train in parts:
        for test in parts:
            assert train == test or findings(train, test) == []


def test_a_picture_that_is_there_twice_is_named_once(tmp_path: Path) -> None:
    file = write_dataset(tmp_path, pictures=4)
    shutil.copy(tmp_path / "images" / "picture_2.png", tmp_path / "images" / "picture_4.png")
    (found,) = findings(file)
    assert "picture picture_4.png: has the same pixels as picture picture_2.png" in found


def test_a_class_that_only_the_other_part_has_is_broken(tmp_path: Path) -> None:
    train = write_dataset(tmp_path / "train", pictures=2)
    test = write_one(tmp_path / "test", "t.png", SCENE)
    test.write_text(test.read_text("utf-8").replace("blob", "scratch"), "utf-8")
    result = check(train, "--against", test)
    assert result.exit_code == 1
    assert f"{test}: has the class scratch, which {train} does not have" in result.output


def test_labels_without_any_object_are_broken(tmp_path: Path) -> None:
    result = check(write_dataset(tmp_path, pictures=1))
    assert result.exit_code == 1
    assert "has no object at all" in result.output


def test_what_is_no_label_file_is_one_sentence_and_exit_status_1(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    result = check(tmp_path / "x.json")
    assert result.exit_code == 1
    assert "in no label format that Planimeter reads" in " ".join(result.output.split())


# ---- Both parts


def test_the_findings_of_the_other_part_are_told(tmp_path: Path) -> None:
    train = write_dataset(tmp_path / "train", pictures=12)
    test = write_one(tmp_path / "test", "t.png", SCENE)
    number = change(test, 0, segmentation=[[1, 2, 3, 4]])
    result = check(train, "--against", test)
    assert result.exit_code == 1
    assert f"broken  {test}: annotation {number}: " in result.output
    assert f"compared with {test}:" in result.output
    assert "COCO json: 1 pictures (128 x 96), 1 without an object" in result.output


def test_a_part_without_readable_pictures_is_broken_until_their_folder_is_named(tmp_path: Path) -> None:
    train = write_one(tmp_path / "a", "a.png", SCENE)
    test = write_one(tmp_path / "b", "b.png", SCENE)
    elsewhere = tmp_path / "far" / "away" / "val"
    elsewhere.mkdir(parents=True)
    (tmp_path / "b" / "b.png").rename(elsewhere / "b.png")
    blind = check(train, "--against", test)
    assert blind.exit_code == 1
    assert f"broken  {test}: no picture could be read, 1 are listed: nothing was checked" in blind.output
    seeing = check(train, "--against", test, "--against-images", elsewhere)
    assert seeing.exit_code == 1
    assert f"picture a.png: has the same pixels as picture b.png of {test}" in seeing.output
    assert "could be read" not in seeing.output


def test_the_folder_of_another_part_needs_that_part(tmp_path: Path) -> None:
    result = check(write_dataset(tmp_path, pictures=2), "--against-images", tmp_path)
    assert result.exit_code == 2
    assert "--against-images needs --against" in result.output


def test_many_copies_of_a_picture_are_one_finding(tmp_path: Path) -> None:
    file = write_dataset(tmp_path / "train", pictures=13)
    first = tmp_path / "train" / "images" / "picture_2.png"
    for number in range(3, 14):
        shutil.copy(first, first.with_name(f"picture_{number}.png"))
    (found,) = findings(file)
    assert found.startswith(f"{file}: picture picture_2.png: has 11 copies: picture_3.png (same pixels), ")
    assert found.endswith(" and 3 more; training keeps them on one side")
    test = write_one(tmp_path / "test", "t.png", np.asarray(Image.open(first)))
    test.write_text(test.read_text("utf-8").replace('"name": "t"', '"name": "blob"'), "utf-8")
    shared = [line for line in findings(file, test) if str(test) in line]
    assert len(shared) == 1
    assert shared[0].startswith(f"{file}: 12 pictures: picture_2.png (same pixels), ")


def test_class_names_are_not_cut_off_in_80_columns(tmp_path: Path) -> None:
    name = "delamination_of_the_second_layer_with_a_very_long_name"
    census = audit(write_dataset(tmp_path, pictures=3, class_name=name)).census
    stream = io.StringIO()
    for table in census_tables(census):
        Console(file=stream, width=80).print(table)
    assert "…" not in stream.getvalue()
    assert name in "".join(line.split(" ")[0] for line in stream.getvalue().splitlines()[1:])
