"""Every label format gives the same instances of the same generated pictures; what does not fit is named."""

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labelled import write_dataset
from planimeter.errors import DataError
from planimeter.labels import LabelledPicture, LabelledPictures, read_labels
from planimeter.labels.shapes import bitmap, ellipse, polygon, rectangle, unite
from planimeter.masks.polygons import polygons
from planimeter.masks.rle import rle_encode
from planimeter.masks.union import class_map, instance_map, union_mask
from planimeter.masks.window import WindowMask

Write = Callable[[Path, LabelledPictures], Path]
SIDE = 96


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> LabelledPictures:
    """Three pictures with two blobs each, and one with none."""
    return read_labels(write_dataset(tmp_path_factory.mktemp("truth"), pictures=4, side=SIDE))


def outline(mask: WindowMask) -> list[list[float]]:
    (part,) = polygons(mask).polygons
    return np.reshape(part[0], (-1, 2)).tolist()


def save_pictures(folder: Path, data: LabelledPictures) -> None:
    folder.mkdir(parents=True)
    for picture in data.pictures:
        Image.fromarray(picture.pixels).save(folder / picture.name)


def png(pixels: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


# ---- Writers: the same instances in each of the formats


def write_coco(folder: Path, data: LabelledPictures, segmentation: Callable[[WindowMask], Any]) -> Path:
    save_pictures(folder / "images", data)
    document: dict[str, list[Any]] = {
        "images": [
            {"id": number, "file_name": picture.name, "width": SIDE, "height": SIDE}
            for number, picture in enumerate(data.pictures)
        ],
        "annotations": [
            {
                "id": 100 * number + index,
                "image_id": number,
                "category_id": 1,
                "segmentation": segmentation(mask),
            }
            for number, picture in enumerate(data.pictures)
            for index, mask in enumerate(picture.masks)
        ],
        "categories": [{"id": 1, "name": "blob"}],
    }
    (folder / "all.json").write_text(json.dumps(document), "utf-8")
    return folder / "all.json"


def write_coco_polygons(folder: Path, data: LabelledPictures) -> Path:
    return write_coco(folder, data, lambda mask: [np.ravel(outline(mask)).tolist()])


def write_coco_rle(folder: Path, data: LabelledPictures) -> Path:
    return write_coco(folder, data, lambda mask: rle_encode(mask, SIDE, SIDE).model_dump())


def write_coco_plain_rle(folder: Path, data: LabelledPictures) -> Path:
    def runs(mask: WindowMask) -> dict[str, Any]:
        flat = union_mask([mask], SIDE, SIDE).T.ravel()
        edges = np.flatnonzero(np.diff(flat)) + 1
        return {"size": [SIDE, SIDE], "counts": np.diff([0, *edges.tolist(), flat.size]).tolist()}

    return write_coco(folder, data, runs)


def write_yolo_files(labels: Path, data: LabelledPictures) -> None:
    labels.mkdir(parents=True)
    for picture in data.pictures:
        lines = [
            " ".join(["0", *(f"{value / SIDE:.6f}" for value in np.ravel(outline(mask)))])
            for mask in picture.masks
        ]
        if lines:  # as tools do it: without objects, no file
            (labels / f"{Path(picture.name).stem}.txt").write_text("\n".join(lines), "utf-8")


def write_yolo(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder / "images" / "train", data)
    write_yolo_files(folder / "labels" / "train", data)
    (folder / "data.yaml").write_text("path: .\ntrain: images/train\nnames:\n  0: blob\n", "utf-8")
    return folder


def write_roboflow_yolo(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder / "train" / "images", data)
    write_yolo_files(folder / "train" / "labels", data)
    (folder / "data.yaml").write_text("train: ../train/images\nnc: 1\nnames: ['blob']\n", "utf-8")
    return folder / "data.yaml"


def write_plain_yolo(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder / "images", data)
    write_yolo_files(folder / "labels", data)
    (folder / "classes.txt").write_text("blob\n", "utf-8")
    return folder


def via_regions(picture: LabelledPicture) -> list[dict[str, Any]]:
    return [
        {
            "shape_attributes": {
                "name": "polygon",
                "all_points_x": [x for x, _ in outline(mask)],
                "all_points_y": [y for _, y in outline(mask)],
            },
            "region_attributes": {"class": "blob"},
        }
        for mask in picture.masks
    ]


def write_via_project(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder, data)
    metadata = {
        f"{picture.name}123": {"filename": picture.name, "size": 123, "regions": via_regions(picture)}
        for picture in data.pictures
    }
    (folder / "via.json").write_text(
        json.dumps({"_via_settings": {}, "_via_img_metadata": metadata}), "utf-8"
    )
    return folder


def write_via_1(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder / "images", data)
    document = {
        picture.name: {
            "filename": picture.name,
            "regions": {str(index): region for index, region in enumerate(via_regions(picture))},
        }
        for picture in data.pictures
    }
    (folder / "via.json").write_text(json.dumps(document), "utf-8")
    return folder / "via.json"


def write_labelme_files(
    folder: Path, data: LabelledPictures, shape: Callable[[WindowMask], dict[str, Any]], *, embed: bool
) -> Path:
    folder.mkdir(parents=True)
    for picture in data.pictures:
        document = {
            "version": "5.4.1",
            "imagePath": f"..\\pictures\\{picture.name}",
            "imageData": base64.b64encode(png(picture.pixels)).decode() if embed else None,
            "shapes": [{"label": "blob", "group_id": None, **shape(mask)} for mask in picture.masks],
        }
        (folder / f"{Path(picture.name).stem}.json").write_text(json.dumps(document), "utf-8")
    return folder


def write_labelme(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder / "pictures", data)
    return write_labelme_files(
        folder / "labels",
        data,
        lambda mask: {"shape_type": "polygon", "points": outline(mask)},
        embed=False,
    )


def write_labelme_masks_inside(folder: Path, data: LabelledPictures) -> Path:
    def shape(mask: WindowMask) -> dict[str, Any]:
        height, width = mask.pixels.shape
        return {
            "shape_type": "mask",
            "points": [[mask.x, mask.y], [mask.x + width - 1, mask.y + height - 1]],
            "mask": base64.b64encode(png(mask.pixels)).decode(),
        }

    return write_labelme_files(folder, data, shape, embed=True)


def write_class_masks(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder / "images", data)
    (folder / "masks").mkdir()
    (folder / "classes.txt").write_text("blob\n", "utf-8")
    for picture in data.pictures:
        values = class_map(picture.masks, picture.labels, SIDE, SIDE)
        Image.fromarray(values).save(folder / "masks" / picture.name)
    return folder


def write_instance_masks(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder / "images", data)
    (folder / "instances").mkdir()
    (folder / "classes.txt").write_text("blob\n", "utf-8")
    for picture in data.pictures:
        values = instance_map(picture.masks, SIDE, SIDE)
        Image.fromarray(values * np.uint16(300)).save(folder / "instances" / picture.name)
    return folder


def write_object_files(folder: Path, data: LabelledPictures) -> Path:
    save_pictures(folder / "images", data)
    (folder / "classes.txt").write_text("blob\nscratch\n", "utf-8")
    for picture in data.pictures:
        masks = folder / "masks" / Path(picture.name).stem
        masks.mkdir(parents=True)
        for index, mask in enumerate(picture.masks):
            pixels = union_mask([mask], SIDE, SIDE).astype(np.uint8) * 255
            Image.fromarray(pixels).save(masks / f"blob_{index}.png")
    return folder


def write_bowl(folder: Path, data: LabelledPictures) -> Path:
    for picture in data.pictures:
        stem = Path(picture.name).stem
        save_pictures(folder / stem / "images", LabelledPictures(("blob",), (picture,)))
        (folder / stem / "masks").mkdir()
        for index, mask in enumerate(picture.masks):
            Image.fromarray(union_mask([mask], SIDE, SIDE)).save(folder / stem / "masks" / f"{index}.png")
    return folder


WRITERS: dict[str, Write] = {
    "COCO json": write_coco_polygons,
    "COCO json, compressed RLE": write_coco_rle,
    "COCO json, uncompressed RLE": write_coco_plain_rle,
    "YOLO segmentation": write_yolo,
    "YOLO segmentation, Roboflow": write_roboflow_yolo,
    "YOLO segmentation, plain": write_plain_yolo,
    "VIA json": write_via_project,
    "VIA json, version 1": write_via_1,
    "LabelMe json folder": write_labelme,
    "LabelMe json folder, masks and pictures inside": write_labelme_masks_inside,
    "class masks": write_class_masks,
    "instance masks": write_instance_masks,
    "one mask file per object": write_object_files,
    "one mask file per object, Data Science Bowl": write_bowl,
}
NEEDS = {"class": "scipy", "instance": "scipy", "one": "scipy"}


def need_libraries(name: str) -> None:
    module = NEEDS.get(name.split(maxsplit=1)[0])
    if module:
        pytest.importorskip(module, reason="the train extra is not installed")


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_instances(tmp_path: Path, truth: LabelledPictures, name: str) -> None:
    need_libraries(name)
    data = read_labels(WRITERS[name](tmp_path / "data", truth))
    assert data.format.startswith(name.split(",", maxsplit=1)[0])
    assert [picture.name for picture in data.pictures] == [picture.name for picture in truth.pictures]
    for picture, expected in zip(data.pictures, truth.pictures, strict=True):
        np.testing.assert_array_equal(picture.pixels, expected.pixels)
        assert len(picture.masks) == len(expected.masks)
        order = sorted(picture.masks, key=lambda mask: mask.x)
        for mask, true in zip(order, sorted(expected.masks, key=lambda mask: mask.x), strict=True):
            assert (mask.x, mask.y) == (true.x, true.y)
            np.testing.assert_array_equal(mask.pixels, true.pixels)
        assert {data.classes[label - 1] for label in picture.labels} <= {"blob", "object"}
    assert data.instances == 6


def test_a_part_of_a_yolo_folder_is_read_with_the_names_of_the_whole(
    tmp_path: Path, truth: LabelledPictures
) -> None:
    folder = write_yolo(tmp_path / "data", truth)
    part = read_labels(folder / "images" / "train")
    assert (part.classes, part.instances) == (("blob",), 6)


def test_yolo_labels_in_a_roboflow_test_folder_are_read(tmp_path: Path, truth: LabelledPictures) -> None:
    write_roboflow_yolo(tmp_path / "data", truth)
    assert read_labels(tmp_path / "data" / "train").instances == 6


def test_what_is_read_but_doubtful_is_kept_with_the_pictures(tmp_path: Path, truth: LabelledPictures) -> None:
    file = write_coco_rle(tmp_path / "data", truth)
    edit(file, '"segmentation": {', '"segmentation": [[200, 200, 210, 200, 210, 210]], "x": {')
    data = read_labels(file)
    assert data.instances == 5
    assert any("annotation 100 " in doubt and "left out" in doubt for doubt in data.doubts)


def test_class_ids_follow_the_model_that_is_compared(truth: LabelledPictures) -> None:
    moved = truth.with_classes(("scratch", "blob"))
    assert {label for picture in moved.pictures for label in picture.labels} == {2}
    with pytest.raises(DataError, match="blob"):
        truth.with_classes(("scratch",))


DOCUMENTED = re.findall(
    r"```json\n(.*?)```", (Path(__file__).parents[1] / "docs/labels.md").read_text("utf-8"), re.DOTALL
)


@pytest.mark.parametrize("example", DOCUMENTED)
def test_the_examples_of_the_documentation_are_read(tmp_path: Path, example: str) -> None:
    Image.new("RGB", (640, 480)).save(tmp_path / "a.png")
    (tmp_path / "labels.json").write_text(example, "utf-8")
    data = read_labels(tmp_path)
    assert data.format.split()[0] in {"COCO", "VIA", "LabelMe"}
    assert data.instances == 1
    assert data.pictures[0].masks[0].area > 50


# ---- Shapes


def pixels_of(mask: WindowMask, height: int, width: int) -> list[list[int]]:
    rows: list[list[int]] = union_mask([mask], height, width).astype(int).tolist()
    return rows


def test_a_rectangle_holds_the_pixels_whose_centres_it_holds() -> None:
    assert pixels_of(rectangle(1, 0, 3, 2).draw(3, 4), 3, 4) == [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert rectangle(3, 2, 1, 0).draw(3, 4).area == 4
    assert rectangle(-5, -5, 50, 50).draw(3, 4).area == 12
    assert rectangle(10, 10, 20, 20).draw(3, 4).area == 0


def test_a_circle_has_the_area_of_a_circle_and_a_turned_ellipse_that_of_an_upright_one() -> None:
    assert ellipse(50, 50, 20, 20).draw(100, 100).area == pytest.approx(np.pi * 400, rel=0.01)
    upright, turned = (
        ellipse(50, 50, 30, 10).draw(100, 100),
        ellipse(50, 50, 30, 10, np.pi / 2).draw(100, 100),
    )
    assert upright.pixels.shape == (20, 60)
    np.testing.assert_array_equal(turned.pixels, upright.pixels.T)


def test_a_polygon_is_cut_off_at_the_pictures_edge() -> None:
    assert pixels_of(polygon([[-4, -4], [2, -4], [2, 2], [-4, 2]]).draw(3, 3), 3, 3) == [
        [1, 1, 0],
        [1, 1, 0],
        [0, 0, 0],
    ]


def test_the_union_of_shapes_that_lie_apart_is_one_mask() -> None:
    mask = unite([rectangle(0, 0, 1, 1).draw(4, 4), bitmap(3, 3, np.ones((2, 2), bool)).draw(4, 4)])
    assert (mask.area, mask.pixels.shape) == (2, (4, 4))


@pytest.mark.parametrize(
    "points",
    [[], [1, 2, 3, 4], [1, 2, 3, 4, 5, float("nan")], [1, 2, 3, 4, "x", 6], [1] * 7, [1, 2, 3, 4, 5, 1e300]],
)
def test_what_is_no_polygon_is_refused(points: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"corners|finite|numbers|far outside"):
        polygon(points)


# ---- VIA and LabelMe: what only they have


def via(folder: Path, *regions: dict[str, Any]) -> Path:
    Image.new("RGB", (40, 30)).save(folder / "a.png")
    document = {"a.png1": {"filename": "a.png", "regions": list(regions)}}
    (folder / "via.json").write_text(json.dumps(document), "utf-8")
    return folder / "via.json"


def test_via_rectangles_circles_and_ellipses_are_read_with_their_classes(tmp_path: Path) -> None:
    data = read_labels(
        via(
            tmp_path,
            {
                "shape_attributes": {"name": "rect", "x": 2, "y": 3, "width": 5, "height": 4},
                "region_attributes": {"type": "b"},
            },
            {
                "shape_attributes": {"name": "circle", "cx": 20, "cy": 15, "r": 6},
                "region_attributes": {"type": {"a": True, "b": False}},
            },
            {
                "shape_attributes": {"name": "ellipse", "cx": 30, "cy": 15, "rx": 8, "ry": 3, "theta": 0.3},
                "region_attributes": {"type": "b"},
            },
        )
    )
    (picture,) = data.pictures
    assert data.classes == ("a", "b")
    assert picture.labels == (2, 1, 2)
    assert (picture.masks[0].x, picture.masks[0].y, picture.masks[0].area) == (2, 3, 20)
    assert picture.masks[1].area == pytest.approx(np.pi * 36, rel=0.05)
    assert picture.masks[2].area == pytest.approx(np.pi * 24, rel=0.1)


def test_labelme_shapes_of_one_group_are_one_object(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    shapes = [
        {"label": "a", "group_id": 1, "shape_type": "rectangle", "points": [[0, 0], [4, 4]]},
        {"label": "a", "group_id": 1, "shape_type": "rectangle", "points": [[10, 0], [14, 4]]},
        {"label": "a", "group_id": None, "shape_type": "circle", "points": [[30, 15], [35, 15]]},
    ]
    document = {"imagePath": "a.png", "imageData": None, "shapes": shapes}
    (tmp_path / "a.json").write_text(json.dumps(document), "utf-8")
    (picture,) = read_labels(tmp_path).pictures
    assert [mask.area for mask in picture.masks] == [32, pytest.approx(np.pi * 25, rel=0.05)]


# ---- What does not fit is named


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


DAMAGES: dict[str, tuple[Write, Callable[[Path], object], str]] = {
    "a polygon of two corners": (
        write_coco_rle,
        lambda folder: edit(
            folder / "all.json", '"segmentation": {', '"segmentation": [[1, 2, 3, 4]], "x": {'
        ),
        r"all\.json: annotation 100: .*three corners",
    ),
    "a mask larger than any picture": (
        write_coco_rle,
        lambda folder: edit(folder / "all.json", '"size": [96, 96]', '"size": [1000000, 1000000]'),
        r"all\.json: annotation 100: .*its size is 1000000 x 1000000",
    ),
    "an annotation of no picture": (
        write_coco_rle,
        lambda folder: edit(folder / "all.json", '"image_id": 1', '"image_id": {}'),
        r"all\.json: entry 0 of its annotations has no image_id",
    ),
    "a YOLO class without a name": (
        write_yolo,
        lambda folder: edit(folder / "labels/train/picture_2.txt", "0 ", "4 "),
        r"picture_2\.txt: line 1: has class 4",
    ),
    "no folder of labels": (
        write_yolo,
        lambda folder: shutil.rmtree(folder / "labels"),
        r"labels/train: is missing",
    ),
    "a YOLO box": (
        write_yolo,
        lambda folder: (folder / "labels/train/picture_3.txt").write_text("0 0.5 0.5 0.1 0.1"),
        r"picture_3\.txt: line 1: is a box",
    ),
    "a coordinate that is no number": (
        write_yolo,
        lambda folder: edit(folder / "labels/train/picture_2.txt", "0 0.", "0 nan "),
        r"picture_2\.txt: line 1: .*finite",
    ),
    "a data.yaml that is none": (
        write_yolo,
        lambda folder: (folder / "data.yaml").write_text("names: [a, : b"),
        r"data\.yaml cannot be read",
    ),
    "a VIA region without an area": (
        write_via_1,
        lambda folder: edit(folder / "via.json", '"name": "polygon"', '"name": "point"'),
        r"via\.json: region 1 in picture picture_2\.png: a point has no area",
    ),
    "a VIA region without coordinates": (
        write_via_1,
        lambda folder: edit(folder / "via.json", '"all_points_x"', '"xs"'),
        r"region 1 in picture picture_2\.png: its field 'all_points_x' is missing",
    ),
    "a LabelMe line": (
        write_labelme_masks_inside,
        lambda folder: edit(folder / "picture_2.json", '"mask"', '"line"'),
        r"picture_2\.json: shape 1: a line has no area",
    ),
    "a LabelMe mask that is no picture": (
        write_labelme_masks_inside,
        lambda folder: edit(folder / "picture_2.json", '"mask": "iVBOR', '"mask": "AAAA'),
        r"picture_2\.json: shape 1",
    ),
    "a LabelMe file cut short": (
        write_labelme_masks_inside,
        lambda folder: (folder / "picture_2.json").write_text('{"shapes": ['),
        r"picture_2\.json: cannot be read as json",
    ),
    "a missing picture": (
        write_labelme,
        lambda folder: shutil.rmtree(folder.parent / "pictures"),
        r"picture_1\.json: picture picture_1\.png: .*is not there: sought in",
    ),
    "a missing mask": (
        write_class_masks,
        lambda folder: (folder / "masks/picture_2.png").unlink(),
        r"picture_2\.png: is missing",
    ),
    "a mask of nothing": (
        write_class_masks,
        lambda folder: shutil.copy(folder / "masks/picture_2.png", folder / "masks/stray.png"),
        r"stray\.png: no picture has its name",
    ),
    "a mask of another size": (
        write_class_masks,
        lambda folder: Image.new("L", (90, 96)).save(folder / "masks/picture_2.png"),
        r"picture_2\.png: picture picture_2\.png is 96 x 96, the labels say 90 x 96",
    ),
    "instances called classes": (
        write_class_masks,
        lambda folder: Image.fromarray(np.eye(96, dtype=np.uint8) * 3 + 1).save(
            folder / "masks/picture_2.png"
        ),
        r"picture_2\.png: has the value 4, .*instances/",
    ),
    "a mask in colours": (
        write_instance_masks,
        lambda folder: Image.new("RGB", (96, 96)).save(folder / "instances/picture_2.png"),
        r"picture_2\.png: has colours",
    ),
    "an object file without a class": (
        write_object_files,
        lambda folder: (folder / "masks/picture_2/blob_0.png").rename(folder / "masks/picture_2/hole_0.png"),
        r"hole_0\.png: starts with none of the classes \(blob, scratch\)",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_broken_is_named_with_its_file_and_object(
    tmp_path: Path, truth: LabelledPictures, damage: str
) -> None:
    pytest.importorskip("scipy", reason="the train extra is not installed")
    write, break_it, named = DAMAGES[damage]
    path = write(tmp_path / "data", truth)
    break_it(path if path.is_dir() else path.parent)
    with pytest.raises(DataError, match=named):
        read_labels(path)


@pytest.mark.parametrize("content", ["", "[1, 2]", "{}", '{"a": 1}', "\x00"])
def test_a_json_of_no_known_format_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=r"x\.json"):
        read_labels(tmp_path / "x.json")


def test_an_empty_folder_is_refused_with_the_formats_that_are_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="COCO json, a VIA json or csv, a folder of LabelMe json"):
        read_labels(tmp_path)


def test_a_folder_with_several_coco_files_asks_which(tmp_path: Path) -> None:
    file = write_dataset(tmp_path, pictures=2)
    shutil.copy(file, tmp_path / "test.json")
    with pytest.raises(DataError, match="2 label files; name one"):
        read_labels(tmp_path)
