"""The default export of each tool is read without options: a row of the table in docs/labels.md, a test."""

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
from numpy.typing import NDArray
from PIL import Image

from planimeter.errors import DataError, PlanimeterError
from planimeter.labels import LabelledPictures, read_labels

WIDTH, HEIGHT = 64, 48
CORNERS = [[10, 10], [30, 10], [30, 30], [10, 30]]
FLAT = [10, 10, 30, 10, 30, 30, 10, 30]
DIAMOND = [[20, 5], [35, 20], [20, 35], [5, 20]]  # a square of 450 pixels, turned
YOLO_LINE = "0 " + " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in CORNERS) + "\n"
Areas = dict[str, list[tuple[str, int]]]
"""The class and the area of each object of each picture."""


def picture(file: Path, seed: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(file)


def write_json(file: Path, document: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document), "utf-8")
    return file


def areas(data: LabelledPictures) -> Areas:
    return {
        entry.name: [
            (data.classes[label - 1], mask.area)
            for label, mask in zip(entry.labels, entry.masks, strict=True)
        ]
        for entry in data.pictures
    }


def ring() -> NDArray[np.bool_]:
    """Return a square of 400 pixels with a hole of 25."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:30, 10:30] = True
    mask[15:20, 15:20] = False
    return mask


def runs(flat: NDArray[np.bool_]) -> list[int]:
    """Return how many values are false, true, false, …"""
    edges = np.flatnonzero(np.diff(flat.astype(int))) + 1
    lengths: list[int] = np.diff([0, *edges.tolist(), flat.size]).tolist()
    return [0, *lengths] if flat[0] else lengths


def coco(file: Path, name: str, *annotations: dict[str, Any], **extra: Any) -> Path:
    document: dict[str, Any] = {
        "info": {"contributor": "", "url": "", "version": ""},
        "images": [{"id": 1, "file_name": name, "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "scratch", "supercategory": ""}],
        "annotations": [
            {"id": at, "image_id": 1, "category_id": 1, "iscrowd": 0, **annotation}
            for at, annotation in enumerate(annotations, start=1)
        ],
    }
    return write_json(file, {**document, **extra})


# ---- One writer for each row: what the tool writes, and what is to be read


def cvat_coco(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "images" / "default" / "a.png")
    brushed = {"size": [HEIGHT, WIDTH], "counts": runs(ring().T.ravel())}
    coco(
        folder / "annotations" / "instances_default.json",
        "a.png",
        {"segmentation": [FLAT], "area": 400.0, "attributes": {"occluded": False}},
        {"segmentation": brushed, "iscrowd": 1, "area": 375.0},
    )
    return folder, {"a.png": [("scratch", 400), ("scratch", 375)]}


def cvat_xml(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "images" / "b" / "a.png")
    window = runs(ring()[10:30, 8:30].ravel())
    (folder / "annotations.xml").write_text(
        f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
  <meta><task><labels><label><name>scratch</name></label><label><name>dent</name></label></labels></task></meta>
  <image id="0" name="b/a.png" width="{WIDTH}" height="{HEIGHT}">
    <polygon label="scratch" points="10.00,10.00;30.00,10.00;30.00,30.00;10.00,30.00"></polygon>
    <box label="dent" xtl="40" ytl="10" xbr="50" ybr="30"></box>
    <box label="dent" xtl="40" ytl="10" xbr="60" ybr="20" rotation="90.0"></box>
    <ellipse label="dent" cx="20" cy="20" rx="10" ry="10"></ellipse>
    <mask label="scratch" rle="{", ".join(map(str, window))}" left="8" top="10" width="22" height="20"></mask>
    <polygon label="dent" group_id="3" points="0,0;4,0;4,4;0,4"></polygon>
    <polygon label="dent" group_id="3" points="60,0;64,0;64,4;60,4"></polygon>
  </image>
</annotations>""",
        "utf-8",
    )
    found = [("scratch", 400), ("dent", 200), ("dent", 200), ("dent", 316), ("scratch", 375), ("dent", 32)]
    return folder, {"b/a.png": found}


def cvat_yolo(folder: Path) -> tuple[Path, Areas]:
    for seed, name in enumerate(("a", "b")):
        picture(folder / "images" / "train" / f"{name}.png", seed)
    (folder / "labels" / "train").mkdir(parents=True)
    (folder / "labels" / "train" / "a.txt").write_text(YOLO_LINE)
    (folder / "train.txt").write_text("data/images/train/a.png\n")
    (folder / "data.yaml").write_text("names:\n  0: scratch\npath: .\ntrain: train.txt\n")
    return folder, {"a.png": [("scratch", 400)]}


def cvat_masks(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "JPEGImages" / "a.jpg")
    classes, objects = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    classes[10:30, 10:30] = (128, 0, 0)
    classes[0:5, 0:5] = (0, 128, 0)
    objects[10:30, 10:20], objects[10:30, 20:30], objects[0:5, 0:5] = (128, 0, 0), (0, 128, 0), (128, 128, 0)
    for name, pixels in (("SegmentationClass", classes), ("SegmentationObject", objects)):
        (folder / name).mkdir()
        Image.fromarray(pixels).save(folder / name / "a.png")
    lines = ("# label:color_rgb:parts:actions", "background:0,0,0::", "dent:0,128,0::", "scratch:128,0,0::")
    (folder / "labelmap.txt").write_text("\n".join(lines))
    return folder, {"a.jpg": [("scratch", 200), ("scratch", 200), ("dent", 25)]}


def packed(mask: NDArray[np.bool_]) -> list[int]:
    """Pack a mask as Label Studio's brush does: rle-pack of RGBA, in runs of one value."""
    values = np.repeat(np.where(mask, 255, 0).ravel(), 4)
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), values.size]
    bits = f"{values.size:032b}{7:05b}{2:04b}{7:04b}{11:04b}{15:04b}"
    for start, end in pairwise(edges):
        bits += f"1{3:02b}{end - start - 1:016b}{values[start]:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def painted(mask: NDArray[np.bool_], mode: str = "RGBA") -> str:
    """Return a mask as Label Studio paints it, black on a transparent ground: base64 of a PNG."""
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[..., 3] = 255 * mask
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def label_studio_json(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "images" / "0a1b2c3d-a b.png")

    def result(kind: str, **value: Any) -> dict[str, Any]:
        named = {**value, f"{kind}labels": ["scratch"]}
        return {"type": f"{kind}labels", "original_width": WIDTH, "original_height": HEIGHT, "value": named}

    x, y, width, height = 1000 / WIDTH, 1000 / HEIGHT, 2000 / WIDTH, 2000 / HEIGHT
    box = {"x": x, "y": y, "width": width, "height": height}
    turned = {"x": 3000 / WIDTH, "y": y, "width": width, "height": height, "rotation": 90}
    points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in CORNERS]
    results = [
        result("polygon", points=points),
        result("rectangle", **box, rotation=0),
        result("rectangle", **turned),
        result("ellipse", x=2000 / WIDTH, y=2000 / HEIGHT, radiusX=x, radiusY=y),
        result("brush", format="rle", rle=packed(ring())),
        result("bitmask", imageDataURL=f"data:image/png;base64,{painted(ring())}"),
        {"type": "choices", "value": {"choices": ["good"]}},
    ]
    tasks = [
        {
            "id": 1,
            "data": {"image": "/data/upload/1/0a1b2c3d-a%20b.png"},
            "annotations": [{"result": results}],
        },
        {"id": 2, "data": {"image": "/data/upload/1/unlabelled.png"}, "annotations": []},
    ]
    found = [("scratch", area) for area in (400, 400, 400, 316, 375, 375)]
    return write_json(folder / "project.json", tasks), {"0a1b2c3d-a b.png": found}


def label_studio_coco(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "images" / "0a1b2c3d-a.png")
    annotation = {"segmentation": [FLAT], "area": 400, "ignore": 0}
    name = "images\\0a1b2c3d-a.png"
    images = [{"id": 1, "file_name": name, "width": WIDTH, "height": HEIGHT}]
    coco(folder / "result.json", name, annotation, images=images)
    return folder, {"images/0a1b2c3d-a.png": [("scratch", 400)]}


def roboflow_coco(folder: Path) -> tuple[Path, Areas]:
    categories = [
        {"id": 0, "name": "scratches", "supercategory": "none"},
        {"id": 1, "name": "scratch", "supercategory": "scratches"},
    ]
    for seed, part in enumerate(("train", "valid", "test")):
        picture(folder / part / "0001.jpg", seed)
        coco(
            folder / part / "_annotations.coco.json",
            "0001.jpg",
            {"segmentation": [FLAT]},
            categories=categories,
        )
    return folder, {"train/0001.jpg": [("scratch", 400)], "valid/0001.jpg": [("scratch", 400)]}


def roboflow_yolo(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "train" / "images" / "a.jpg")
    (folder / "train" / "labels").mkdir()
    (folder / "train" / "labels" / "a.txt").write_text(YOLO_LINE)
    (folder / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 1\nnames: ['scratch']\n"
    )
    return folder, {"a.jpg": [("scratch", 400)]}


def shapes_json(folder: Path, *shapes: dict[str, Any]) -> Path:
    picture(folder / "a.png")
    document: dict[str, Any] = {
        "version": "5.5.0",
        "flags": {},
        "shapes": [{"label": "scratch", "group_id": None, "flags": {}, **shape} for shape in shapes],
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }
    write_json(folder / "a.json", document)
    return folder


def labelme(folder: Path) -> tuple[Path, Areas]:
    shapes_json(
        folder,
        {"shape_type": "polygon", "points": CORNERS},
        {"shape_type": "rectangle", "points": [[10, 10], [30, 30]]},
        {"shape_type": "circle", "points": [[20, 20], [30, 20]]},
    )
    return folder, {"a.png": [("scratch", 400), ("scratch", 400), ("scratch", 316)]}


def x_anylabeling(folder: Path) -> tuple[Path, Areas]:
    shapes_json(
        folder,
        {"shape_type": "rectangle", "points": CORNERS, "score": None, "difficult": False},
        {"shape_type": "rotation", "points": DIAMOND, "direction": 0.78},
    )
    return folder, {"a.png": [("scratch", 400), ("scratch", 450)]}


VIA_SHAPES = (
    {"name": "polygon", "all_points_x": [x for x, _ in CORNERS], "all_points_y": [y for _, y in CORNERS]},
    {"name": "rect", "x": 10, "y": 10, "width": 20, "height": 20},
    {"name": "circle", "cx": 20, "cy": 20, "r": 10},
)
VIA_AREAS = {"a.png": [("scratch", 400), ("scratch", 400), ("scratch", 316)]}


def via_json(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "a.png")
    regions = [{"shape_attributes": shape, "region_attributes": {"type": "scratch"}} for shape in VIA_SHAPES]
    entries = {"a.png99": {"filename": "a.png", "size": 99, "regions": regions, "file_attributes": {}}}
    return write_json(
        folder / "via_project.json", {"_via_settings": {}, "_via_img_metadata": entries}
    ), VIA_AREAS


def via_csv(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "a.png")
    picture(folder / "b.png", 1)
    stream = io.StringIO()
    rows = csv.writer(stream)
    head = (
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    )
    rows.writerow(head.split(","))
    for at, shape in enumerate(VIA_SHAPES):
        rows.writerow(["a.png", 99, "{}", 3, at, json.dumps(shape), json.dumps({"type": "scratch"})])
    rows.writerow(["b.png", 99, "{}", 0, 0, "{}", "{}"])
    (folder / "via_export_csv.csv").write_text(stream.getvalue(), "utf-8-sig")
    return folder / "via_export_csv.csv", {**VIA_AREAS, "b.png": []}


def via_3(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "a.png")
    shapes = [[7, *FLAT], [2, 10, 10, 20, 20], [3, 20, 20, 10]]
    document = {
        "project": {"pid": "__VIA_PROJECT_ID__"},
        "config": {},
        "attribute": {"1": {"aname": "type", "type": 3, "options": {"0": "dent", "1": "scratch"}}},
        "file": {"1": {"fid": "1", "fname": "a.png", "type": 2, "loc": 1, "src": ""}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {
            f"1_{at}": {"vid": "1", "flg": 0, "z": [], "xy": shape, "av": {"1": "1"}}
            for at, shape in enumerate(shapes)
        },
    }
    return write_json(folder / "via_project.json", document), VIA_AREAS


def qupath(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "a.tif")
    closed = [*CORNERS, CORNERS[0]]
    hole = [[15, 15], [20, 15], [20, 20], [15, 20], [15, 15]]
    corner = [[[40, 0], [44, 0], [44, 4], [40, 4], [40, 0]]]
    geometries = [
        {"type": "Polygon", "coordinates": [closed, hole]},
        {"type": "MultiPolygon", "coordinates": [[closed], corner]},
    ]
    features = [
        {
            "type": "Feature",
            "id": str(at),
            "geometry": geometry,
            "properties": {
                "objectType": "annotation",
                "classification": {"name": "scratch", "color": [1, 2, 3]},
            },
        }
        for at, geometry in enumerate(geometries)
    ]
    write_json(folder / "a.geojson", {"type": "FeatureCollection", "features": features})
    return folder, {"a.tif": [("scratch", 375), ("scratch", 416)]}


def instances() -> NDArray[np.uint16]:
    values = np.zeros((HEIGHT, WIDTH), np.uint16)
    values[10:30, 10:20], values[10:30, 20:30] = 1, 300  # two that touch
    return values


def cellpose(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "a.tif")
    Image.fromarray(instances()).save(folder / "a_cp_masks.tif")
    return folder, {"a.tif": [("object", 200), ("object", 200)]}


def stardist(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "images" / "a.tif")
    (folder / "masks").mkdir()
    Image.fromarray(instances()).save(folder / "masks" / "a.tif")
    return folder, {"a.tif": [("object", 200), ("object", 200)]}


def roboflow_masks(folder: Path) -> tuple[Path, Areas]:
    mask = ring().astype(np.uint8)
    for part, name in (("train", "a_jpg.rf.1c0"), ("valid", "b_jpg.rf.2d1")):
        picture(folder / part / f"{name}.jpg", len(part) + ord(name[0]))
        Image.fromarray(2 * mask).save(folder / part / f"{name}_mask.png")
        (folder / part / "_classes.csv").write_text(
            "Pixel Value, Class\n0, background\n1, dent\n2, scratch\n"
        )
    (folder / "README.dataset.txt").write_text("made by Roboflow")
    found = [("scratch", 375)]
    return folder, {"train/a_jpg.rf.1c0.jpg": found, "valid/b_jpg.rf.2d1.jpg": found}


def labelme_voc(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "JPEGImages" / "a.jpg")
    (folder / "class_names.txt").write_text("_background_\ndent\nscratch\n")
    for name in ("SegmentationClass", "SegmentationObject"):
        (folder / name).mkdir()
        values = np.where(ring(), 2, 0) if name == "SegmentationClass" else instances_of_ring()
        drawn = Image.fromarray(values.astype(np.uint8)).convert("P")
        drawn.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [0] * 756)
        drawn.save(folder / name / "a.png")
    return folder, {"a.jpg": [("scratch", 200), ("scratch", 175)]}


def instances_of_ring() -> NDArray[np.int64]:
    values = ring().astype(np.int64)
    values[:, 20:] *= 2
    return values


def fiji(folder: Path) -> tuple[Path, Areas]:
    picture(folder / "a.tif")
    traced = roifile.ImagejRoi.frompoints(CORNERS, name="0020-0020")
    traced.roitype = roifile.ROI_TYPE.TRACED
    oval = roifile.ImagejRoi(
        roitype=roifile.ROI_TYPE.OVAL, left=10, top=10, right=30, bottom=30, name="oval", group=2
    )
    roifile.roiwrite(folder / "RoiSet.zip", [traced, oval])
    return folder, {"a.tif": [("object", 400), ("group 2", 316)]}


EXPORTS: dict[tuple[str, str], Callable[[Path], tuple[Path, Areas]]] = {
    ("CVAT", "COCO 1.0"): cvat_coco,
    ("CVAT", "CVAT for images 1.1"): cvat_xml,
    ("CVAT", "Ultralytics YOLO Segmentation 1.0"): cvat_yolo,
    ("CVAT", "Segmentation mask 1.1"): cvat_masks,
    ("Label Studio", "JSON"): label_studio_json,
    ("Label Studio", "COCO with images"): label_studio_coco,
    ("Roboflow", "COCO Segmentation"): roboflow_coco,
    ("Roboflow", "YOLOv8"): roboflow_yolo,
    ("Roboflow", "Semantic Segmentation Masks"): roboflow_masks,
    ("LabelMe", "its json files"): labelme,
    ("LabelMe", "labelme2voc.py"): labelme_voc,
    ("X-AnyLabeling", "its json files"): x_anylabeling,
    ("VIA 2", "json or project"): via_json,
    ("VIA 2", "csv"): via_csv,
    ("VIA 3", "project"): via_3,
    ("QuPath", "GeoJSON"): qupath,
    ("Fiji", "ROI Manager, More, Save"): fiji,
    ("Cellpose", "masks as PNG or TIFF"): cellpose,
    ("StarDist", "label images"): stardist,
}


def test_each_row_of_the_table_is_tested() -> None:
    text = (Path(__file__).parents[1] / "docs" / "labels.md").read_text("utf-8")
    table = text.partition("## What to export")[2].partition("##")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE)
    assert [row for row in rows if row[0] != "tool"] == list(EXPORTS)


@pytest.mark.parametrize("export", EXPORTS, ids=" ".join)
def test_the_default_export_is_read(tmp_path: Path, export: tuple[str, str]) -> None:
    pytest.importorskip("scipy", reason="the train extra is not installed")
    path, expected = EXPORTS[export](tmp_path)
    data = read_labels(path)
    found = {name: [(label, area) for label, area in objects] for name, objects in areas(data).items()}
    assert found == expected
    if path.is_file():
        return
    files = [
        *path.glob("*.json"),
        *path.glob("*.geojson"),
        *path.glob("annotations*/*.json"),
        *path.glob("*.xml"),
        *path.glob("*.zip"),
    ]
    for file in files[:1]:  # the file does as well as its folder
        assert areas(read_labels(file)) == expected


# ---- Conventions


def test_crowds_of_coco_itself_and_crowds_as_polygons_are_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    mask = {"size": [HEIGHT, WIDTH], "counts": runs(ring().T.ravel())}
    crowd, outline = {"segmentation": mask, "iscrowd": 1}, {"segmentation": [FLAT], "iscrowd": 1}
    own = read_labels(coco(tmp_path / "a.json", "a.png", {"segmentation": [FLAT]}, outline, crowd))
    assert areas(own) == {"a.png": [("scratch", 400), ("scratch", 375)]}
    assert any('masks marked "iscrowd": 1 were read as objects (1)' in doubt for doubt in own.doubts)
    info = {"description": "COCO 2017 Dataset", "url": "http://cocodataset.org"}
    coco_itself = read_labels(coco(tmp_path / "a.json", "a.png", {"segmentation": [FLAT]}, crowd, info=info))
    assert areas(coco_itself) == {"a.png": [("scratch", 400)]}


def test_a_category_without_a_class_above_it_is_a_class_even_if_it_is_not_used(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    categories = [
        {"id": 1, "name": "scratch", "supercategory": "none"},
        {"id": 2, "name": "dent", "supercategory": "none"},
    ]
    data = read_labels(coco(tmp_path / "a.json", "a.png", {"segmentation": [FLAT]}, categories=categories))
    assert data.classes == ("scratch", "dent")


def test_pickles_of_cellpose_are_refused_with_what_to_save_instead(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "a_seg.npy").write_bytes(b"\x93NUMPY")
    for path in (tmp_path, tmp_path / "a_seg.npy"):
        with pytest.raises(DataError, match=r"may hold programs; save the masks as PNG or TIFF"):
            read_labels(path)


def test_the_simplified_json_of_label_studio_is_refused_with_what_to_export_instead(tmp_path: Path) -> None:
    region = {
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "points": CORNERS,
        "polygonlabels": ["scratch"],
    }
    file = write_json(tmp_path / "min.json", [{"image": "/data/upload/1/a.png", "id": 1, "label": [region]}])
    with pytest.raises(DataError, match=r"JSON-MIN, which is not read; export 'JSON' instead"):
        read_labels(file)


def test_of_several_annotations_of_a_task_the_ground_truth_is_read(tmp_path: Path) -> None:
    file, _ = label_studio_json(tmp_path)
    tasks = json.loads(file.read_text("utf-8"))
    (first,) = tasks[0]["annotations"]
    tasks[0]["annotations"] = [first, {"result": first["result"][:1], "ground_truth": True}]
    data = read_labels(write_json(file, tasks))
    assert areas(data) == {"0a1b2c3d-a b.png": [("scratch", 400)]}
    assert any("task 1: has 2 annotations" in doubt for doubt in data.doubts)
    assert any("task 2: is not annotated: left out" in doubt for doubt in data.doubts)


def test_an_xml_with_entities_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>')
    with pytest.raises(DataError, match="declares entities"):
        read_labels(tmp_path)


def test_the_mask_of_a_picture_may_have_a_suffix(tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="the train extra is not installed")
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "masks").mkdir()
    Image.fromarray(ring().astype(np.uint8) * 255).save(tmp_path / "masks" / "a_mask.png")
    assert areas(read_labels(tmp_path)) == {"a.png": [("object", 375)]}


def test_parts_of_a_yolo_folder_are_read_without_a_data_yaml(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "val", "test")):
        picture(tmp_path / "images" / part / f"{part}.png", seed)
        (tmp_path / "labels" / part).mkdir(parents=True)
        (tmp_path / "labels" / part / f"{part}.txt").write_text(YOLO_LINE)
    (tmp_path / "classes.txt").write_text("scratch\n")
    assert areas(read_labels(tmp_path)) == {"train.png": [("scratch", 400)], "val.png": [("scratch", 400)]}


def test_a_geojson_without_objects_is_a_negative(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    file = write_json(tmp_path / "a.geojson", {"type": "FeatureCollection", "features": []})
    assert areas(read_labels(file)) == {"a.tif": []}


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("superpixellabels", {}, "a superpixellabels is not read"),
        ("keypointlabels", {}, "a keypoint has no area"),
        ("bitmasklabels", {"imageDataURL": "data:image/png;base64,AAAA"}, "is no PNG, or damaged"),
        ("bitmasklabels", {"imageDataURL": "x,y"}, "is no PNG, or damaged"),
        ("bitmasklabels", {"imageDataURL": f"data:,{painted(ring(), 'RGB')}"}, "no transparent background"),
        (
            "bitmasklabels",
            {"imageDataURL": f"data:,{painted(ring()[:9])}"},
            "its mask is 64 x 9, its picture 64 x 48",
        ),
    ],
)
def test_regions_of_label_studio_that_cannot_be_read_are_named(
    tmp_path: Path, kind: str, value: dict[str, Any], told: str
) -> None:
    picture(tmp_path / "a.png")
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    result = {"type": kind, "value": {**value, kind: ["scratch"]}, **size}
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [result]}]}
    with pytest.raises(DataError, match=re.escape(told)):
        read_labels(write_json(tmp_path / "p.json", [task]))


def test_ids_of_pictures_may_be_texts_in_annotations(tmp_path: Path) -> None:
    document = coco_document()
    document["annotations"][0]["image_id"] = str(document["annotations"][0]["image_id"])
    picture(tmp_path / "a.png")
    file = write_json(tmp_path / "via_export_coco.json", document)
    assert areas(read_labels(file)) == {"a.png": [("scratch", 400)]}


def coco_document() -> Any:
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "scratch"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": FLAT, "iscrowd": 0}],
    }


FEATURE = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": [[*CORNERS, CORNERS[0]]]},
    "properties": {"classification": {"name": "scratch"}},
}


def test_a_geojson_may_be_one_feature_or_hold_a_collection_of_shapes(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    collection = FEATURE | {"geometry": {"type": "GeometryCollection", "geometries": [FEATURE["geometry"]]}}
    for document in (FEATURE, [FEATURE], {"type": "FeatureCollection", "features": [collection]}):
        file = write_json(tmp_path / "a.geojson", document)
        assert areas(read_labels(tmp_path)) == areas(read_labels(file)) == {"a.tif": [("scratch", 400)]}


def test_a_geojson_of_something_else_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.tif")
    write_json(tmp_path / "a.geojson", {"type": "FeatureCollection"})
    with pytest.raises(DataError, match="its 'features' are missing or no list"):
        read_labels(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("task-1-annotation-2-by-1-tag-scratch-0.png", "", "export 'JSON' instead"),
        ("obj.data", "", "Ultralytics YOLO Segmentation 1.0"),
        ("annotations/default.json", '{"dm_format_version": "1.0"}', "Datumaro's json is not read"),
        ("train/a.xml", "<annotation><object><bndbox>", "Roboflow 'COCO Segmentation'"),
        ("default/a.xml", "<annotation><object><polygon><pt>", "CVAT's 'LabelMe 3.0'"),
        ("_annotations.createml.json", "[]", "CreateML's json has boxes"),
        ("task_1.zip", "PK", "unpack it"),
        ("a.geojson.gz", "x", "unpack it"),
    ],
)
def test_an_export_that_is_not_read_is_named_with_what_to_do(
    tmp_path: Path, name: str, content: str, told: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=re.escape(told)):
        read_labels(tmp_path)


def test_a_packed_file_is_told_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.geojson.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(DataError, match="this is packed; unpack it"):
        read_labels(tmp_path / "a.geojson.gz")


def test_the_classes_of_roboflows_masks_must_name_their_values(tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="the train extra is not installed")
    roboflow_masks(tmp_path)
    (tmp_path / "train" / "_classes.csv").write_text("Pixel Value, Class\n1, dent\n")
    with pytest.raises(DataError, match=r"has the value 2, and _classes.csv names 1"):
        read_labels(tmp_path)
    (tmp_path / "train" / "_classes.csv").write_text("Pixel Value, Class\nx, dent\n")
    with pytest.raises(DataError, match="line 2: a class needs the number of its pixels"):
        read_labels(tmp_path)


def test_a_mask_of_one_number_is_no_map_of_instances_whatever_its_depth(tmp_path: Path) -> None:
    pytest.importorskip("scipy", reason="the train extra is not installed")
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "masks").mkdir()
    values = np.zeros((HEIGHT, WIDTH), np.uint16)
    values[10:20, 10:20], values[30:40, 30:40] = 65535, 65535
    Image.fromarray(values).save(tmp_path / "masks" / "a.tif")
    assert areas(read_labels(tmp_path)) == {"a.png": [("object", 100), ("object", 100)]}


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("train/images", "valid/images"),
        ("../train/images", "../valid/images"),
        ("/content/datasets/p-1/train/images", "/content/datasets/p-1/valid/images"),
        ("/kaggle/input/p/train/images", "/kaggle/input/p/valid/images"),
        ("Project-3/train/images", "Project-3/valid/images"),
        ("train\\images", "valid\\images"),
        ("[train/images, valid/images]", "valid/images"),
    ],
)
@pytest.mark.parametrize(
    "base", ["", "path: .\n", "path: /content/datasets/p-1\n", "path: C:\\Users\\me\\p\n"]
)
def test_paths_of_a_data_yaml_are_found_wherever_it_was_written(
    tmp_path: Path, train: str, val: str, base: str
) -> None:
    for seed, (part, name) in enumerate((("train", "a"), ("valid", "b"))):
        picture(tmp_path / part / "images" / f"{name}.jpg", seed)
        (tmp_path / part / "labels").mkdir()
        (tmp_path / part / "labels" / f"{name}.txt").write_text(YOLO_LINE)
    (tmp_path / "data.yaml").write_text(f"{base}train: {train}\nval: {val}\nnames: [scratch]\n")
    expected = {"a.jpg": [("scratch", 400)], "b.jpg": [("scratch", 400)]}
    assert areas(read_labels(tmp_path / "data.yaml")) == expected
    one = read_labels(tmp_path / "data.yaml", tmp_path / "valid" / "images")
    assert areas(one) == {"b.jpg": [("scratch", 400)]}


# ---- Damage


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give where each value of a document is; of a list, the first ones will do."""
    if path:
        yield path
    entries: Any = document.items() if isinstance(document, dict) else ()
    for key, value in enumerate(document[:5]) if isinstance(document, list) else entries:
        yield from places(value, (*path, key))


def refusal(path: Path) -> str:
    """Return why labels are refused; nothing where they are read."""
    try:
        read_labels(path)
    except PlanimeterError as error:
        return str(error)
    return ""


JSON_EXPORTS = [key for key in EXPORTS if key[1] not in {"csv", "CVAT for images 1.1"}]
PYTHON = re.compile(
    r"Error\b|invalid literal|could not convert|unpack|NoneType|Expecting|has no attribute|iterable"
)


@pytest.mark.parametrize("export", JSON_EXPORTS, ids=" ".join)
def test_whatever_is_put_into_an_export_is_read_or_refused_in_plain_words(
    tmp_path: Path, export: tuple[str, str]
) -> None:
    pytest.importorskip("scipy", reason="the train extra is not installed")
    path, _ = EXPORTS[export](tmp_path)
    for file in sorted(tmp_path.rglob("*json"))[:1]:
        text = file.read_text("utf-8")
        for place in places(json.loads(text)):
            for value in (None, [3], "x", {"a": float("inf")}):
                document = json.loads(text)
                inner = document
                for key in place[:-1]:
                    inner = inner[key]
                inner[place[-1]] = value
                write_json(file, document)
                assert not PYTHON.search(refusal(path)), (place, value)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (
            'rle="',
            'rle="x, ',
            r"mask 5 in picture b/a\.png: its run lengths do not add up to a window of 22 x 20",
        ),
        ('xtl="40"', 'xtl="left"', r"box 2 in picture b/a\.png: its xtl is 'left', and a number is needed"),
        (
            'points="10.00,10.00;',
            'points="10.00;',
            r"polygon 1 in picture b/a\.png: its coordinates are not all",
        ),
        (
            '<polygon label="scratch"',
            '<polyline label="scratch"',
            r"damaged or cut short at line \d+, column \d+",
        ),
        ('<box label="dent"', '<box label=""', r"box 2 in picture b/a\.png: has no label"),
        (
            f'width="{WIDTH}" height="{HEIGHT}"',
            f'width="{HEIGHT}" height="{WIDTH}"',
            r"the sides are swapped",
        ),
    ],
)
def test_damage_in_an_xml_of_cvat_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    cvat_xml(tmp_path)
    file = tmp_path / "annotations.xml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DataError, match=named):
        read_labels(file)


def test_an_xml_of_something_else_is_refused_with_what_to_export(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text("<annotations><track/></annotations>")
    with pytest.raises(DataError, match=r"is no XML of CVAT for images; export 'CVAT for images 1\.1'"):
        read_labels(tmp_path)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("a,b\n1,2\n", r"its first line must name filename, region_attributes, region_shape_attributes"),
        (
            "filename,region_shape_attributes,region_attributes\na.png,{,{}\n",
            r"line 2: its attributes are no json",
        ),
        (
            "filename,region_shape_attributes,region_attributes\na.png,3,{}\n",
            r"region 1 in picture a\.png: its field",
        ),
        (
            "filename,region_shape_attributes,region_attributes\na.png," + "1" * 200_000,
            r"line 2 is damaged, or an",
        ),
    ],
)
def test_damage_in_a_csv_of_via_is_named(tmp_path: Path, content: str, named: str) -> None:
    (tmp_path / "via.csv").write_text(content, "utf-8")
    with pytest.raises(DataError, match=named):
        read_labels(tmp_path / "via.csv")
