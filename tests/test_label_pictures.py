"""Pictures are found wherever tools put them, each has a name of its own, and stated sizes are compared."""

import base64
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from planimeter.commands import main
from planimeter.errors import DataError
from planimeter.labels import LabelledPictures, read_labels, read_split, split, write_split

SQUARE = [[10, 10, 30, 10, 30, 30, 10, 30]]


def save(file: Path, width: int = 64, height: int = 48, seed: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(file)
    return file


def coco(file: Path, *names: str, **extra: Any) -> Path:
    """Write a COCO json with a square of 400 pixels in each picture."""
    document = {
        "images": [{"id": at, "file_name": name, "width": 64, "height": 48} for at, name in enumerate(names)],
        "annotations": [
            {"id": at, "image_id": at, "category_id": 1, "segmentation": SQUARE} for at in range(len(names))
        ],
        "categories": [{"id": 1, "name": "scratch"}],
        **extra,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), "utf-8")
    return file


def areas(data: LabelledPictures) -> dict[str, list[int]]:
    return {picture.name: [mask.area for mask in picture.masks] for picture in data.pictures}


@pytest.mark.parametrize(
    ("labels", "stated", "place", "name"),
    [
        ("all.json", "a.png", "a.png", "a.png"),
        ("all.json", "a.png", "images/a.png", "a.png"),
        ("all.json", "images/a.png", "images/a.png", "images/a.png"),
        ("all.json", "images\\a.png", "images/a.png", "images/a.png"),
        ("all.json", "./b/a.png", "b/a.png", "b/a.png"),
        ("all.json", "..\\..\\media\\upload\\4\\a.png", "images/a.png", "a.png"),
        ("all.json", "C:\\Users\\me\\a.png", "a.png", "a.png"),
        ("all.json", "/content/data/train/a.png", "train/a.png", "a.png"),
        ("all.json", "a.png", "pictures/a.png", "a.png"),
        ("annotations/instances_default.json", "a.png", "images/default/a.png", "a.png"),
        ("annotations/instances_default.json", "b/a.png", "images/default/b/a.png", "b/a.png"),
        ("annotations/instances_val.json", "a.png", "images/a.png", "a.png"),
        ("annotations/instances_val2017.json", "a.png", "val2017/a.png", "a.png"),
    ],
)
def test_a_picture_is_found_where_tools_put_it(
    tmp_path: Path, labels: str, stated: str, place: str, name: str
) -> None:
    save(tmp_path / place)
    assert areas(read_labels(coco(tmp_path / labels, stated))) == {name: [400]}


def test_the_folder_that_the_label_file_names_is_taken_where_several_have_the_picture(tmp_path: Path) -> None:
    save(tmp_path / "train2017" / "0001.png", seed=1)
    wanted = save(tmp_path / "val2017" / "0001.png", seed=2)
    data = read_labels(coco(tmp_path / "annotations" / "instances_val2017.json", "0001.png"))
    np.testing.assert_array_equal(data.pictures[0].pixels, np.asarray(Image.open(wanted)))
    with pytest.raises(DataError, match=r"0001\.png: is in 2 folders: .*train2017, .*val2017; name one with"):
        read_labels(coco(tmp_path / "annotations" / "all.json", "0001.png"))


def test_a_picture_of_another_folder_is_not_taken_for_the_one_that_is_named(tmp_path: Path) -> None:
    save(tmp_path / "valid" / "0001.png")
    with pytest.raises(DataError, match=r"train/0001\.png: is not there: sought in"):
        read_labels(coco(tmp_path / "all.json", "train/0001.png"))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_letters_of_either_unicode_normal_form_name_the_same_picture(tmp_path: Path, form: str) -> None:
    save(tmp_path / unicodedata.normalize("NFD" if form == "NFC" else "NFC", "Stoß_ä.png"))
    data = read_labels(coco(tmp_path / "all.json", unicodedata.normalize(form, "Stoß_ä.png")))  # type: ignore[arg-type]
    assert [picture.masks[0].area for picture in data.pictures] == [400]


@pytest.mark.parametrize("there", ["A.PNG", "a.tif"])
def test_another_case_or_ending_is_a_hint(tmp_path: Path, there: str) -> None:
    save(tmp_path / "images" / there)
    with pytest.raises(
        DataError, match=rf"a\.png: is not there: .*{there} differs in case or ending: rename"
    ):
        read_labels(coco(tmp_path / "all.json", "a.png"))


def test_a_named_folder_of_pictures_is_the_only_one_that_is_looked_into(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png")
    save(tmp_path / "other" / "b.png")
    with pytest.raises(DataError, match=r"a\.png: is not there: sought in .*other and"):
        read_labels(coco(tmp_path / "all.json", "a.png"), tmp_path / "other")
    assert areas(read_labels(coco(tmp_path / "all.json", "b.png"), tmp_path / "other")) == {"b.png": [400]}


# ---- Names


def test_pictures_with_one_file_name_are_told_apart_by_their_folders_and_split_again(tmp_path: Path) -> None:
    names = [f"{part}/000{at}.png" for part in ("train", "valid") for at in range(3)]
    for seed, name in enumerate(names):
        save(tmp_path / name, seed=seed)
    data = read_labels(coco(tmp_path / "all.json", *names))
    assert areas(data) == {name: [400] for name in names}
    parts = split(data, 0.3, seed=0)
    write_split(tmp_path / "split.json", *parts)
    again = read_split(tmp_path / "split.json", data)
    for part, other in zip(parts, again, strict=True):
        assert [picture.name for picture in part.pictures] == [picture.name for picture in other.pictures]
        for picture, same in zip(part.pictures, other.pictures, strict=True):
            np.testing.assert_array_equal(picture.pixels, same.pixels)


def test_labelme_files_in_folders_are_read_and_their_pictures_told_apart(tmp_path: Path) -> None:
    for seed, folder in enumerate(("one", "two")):
        save(tmp_path / folder / "a.png", seed=seed)
        labelme(tmp_path / folder / "a.json", "a.png")
    save(tmp_path / "two" / "b.png", seed=7)
    labelme(tmp_path / "two" / "b.json", "b.png")
    assert areas(read_labels(tmp_path)) == {"one/a.png": [400], "two/a.png": [400], "b.png": [400]}


def test_yolo_parts_with_the_same_file_names_are_told_apart(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "valid")):
        save(tmp_path / part / "images" / "1.png", seed=seed)
        (tmp_path / part / "labels").mkdir()
        (tmp_path / part / "labels" / "1.txt").write_text("0 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5")
    (tmp_path / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnames: [scratch]\n")
    assert list(areas(read_labels(tmp_path))) == ["train/images/1.png", "valid/images/1.png"]


def test_two_coco_pictures_with_one_id_are_refused_with_both_names(tmp_path: Path) -> None:
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        save(tmp_path / name, seed=seed)
    images = [
        {"id": at, "file_name": name, "width": 64, "height": 48}
        for at, name in ((0, "a.png"), (0, "b.png"), (1, "c.png"))
    ]
    file = coco(tmp_path / "all.json", "a.png", "b.png", images=images)
    with pytest.raises(DataError, match=r"two pictures have the id 0: a\.png and b\.png; give each its own"):
        read_labels(file)
    assert areas(read_labels(file, leave_out_broken=True)) == {"c.png": [400]}


def test_a_picture_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png")
    with pytest.raises(DataError, match=r"picture a\.png: is listed twice; merge the two entries"):
        read_labels(coco(tmp_path / "all.json", "a.png", "a.png"))
    with pytest.raises(DataError, match=r"valid/a\.png: is the same file as picture train/a\.png"):
        read_labels(coco(tmp_path / "all.json", "train/a.png", "valid/a.png"))


def test_the_picture_inside_a_labelme_file_goes_before_one_of_its_name_elsewhere(tmp_path: Path) -> None:
    inside = save(tmp_path / "inside.png", seed=1)
    elsewhere = save(tmp_path / "images" / "a.png", seed=2)
    file = labelme(tmp_path / "a.json", "a.png", picture=inside)
    np.testing.assert_array_equal(read_labels(file).pictures[0].pixels, np.asarray(Image.open(inside)))
    named = read_labels(file, tmp_path / "images")
    np.testing.assert_array_equal(named.pictures[0].pixels, np.asarray(Image.open(elsewhere)))


# ---- Sizes


def labelme(file: Path, name: str, width: int = 64, height: int = 48, picture: Path | None = None) -> Path:
    """Write a square of 400 pixels, and a picture into the file where one is given."""
    points = [[10, 10], [30, 10], [30, 30], [10, 30]]
    document = {
        "imagePath": name,
        "imageData": base64.b64encode(picture.read_bytes()).decode() if picture else None,
        "imageWidth": width,
        "imageHeight": height,
        "shapes": [{"label": "scratch", "shape_type": "polygon", "points": points}],
    }
    file.write_text(json.dumps(document), "utf-8")
    return file


def test_a_size_that_labelme_states_is_compared_with_the_picture(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    result = CliRunner().invoke(main, ["data", "check", str(labelme(tmp_path / "a.json", "a.png", 640, 480))])
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == "2 broken, 0 doubtful"
    assert (
        "picture a.png is 64 x 48, the labels say 640 x 480; use the picture that was labelled"
        in result.output
    )


def test_swapped_sides_are_told_to_be_a_matter_of_orientation(tmp_path: Path) -> None:
    orientation = Image.Exif()
    orientation[0x0112] = 6
    Image.new("RGB", (48, 64), (9, 9, 9)).save(tmp_path / "a.jpg", exif=orientation)  # shown as 64 x 48
    labelme(tmp_path / "a.json", "a.jpg", 48, 64)
    with pytest.raises(
        DataError, match=r"is 64 x 48, the labels say 48 x 64: the sides are swapped, .*EXIF ori"
    ):
        read_labels(tmp_path)


def test_coco_without_sizes_is_read_and_one_stated_size_is_compared(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png", seed=1)
    images: list[dict[str, Any]] = [
        {"id": 0, "file_name": "a.png"},
        {"id": 1, "file_name": "b.png", "width": None},
    ]
    assert areas(read_labels(coco(tmp_path / "all.json", "a.png", "b.png", images=images))) == {
        "a.png": [400],
        "b.png": [400],
    }
    images[1] = {"id": 1, "file_name": "b.png", "width": 65, "height": 48}
    with pytest.raises(DataError, match=r"b\.png is 64 x 48, the labels say 65 x 48"):
        read_labels(coco(tmp_path / "all.json", "a.png", "b.png", images=images))


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("[yes, no]", ("yes", "no")),
        ("{0: on, 1: 1.0}", ("on", "1.0")),
        ("\n- 2024-01-01\n- 007\n- 'null'", ("2024-01-01", "007", "null")),
    ],
)
def test_names_in_a_data_yaml_are_taken_as_they_stand(
    tmp_path: Path, names: str, classes: tuple[str, ...]
) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "images" / "a.png")
    (tmp_path / "labels" / "a.txt").write_text("1 0.1 0.1 0.5 0.1 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text(f"train: images\nval:\nnames: {names}\n")
    data = read_labels(tmp_path)
    assert data.classes == classes
    assert data.pictures[0].labels == (2,)
    assert not data.doubts
