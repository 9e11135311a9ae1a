"""Exports that other programs open: what is written is read back as labels, and covers what was measured."""

import csv
import json
import zipfile
from collections.abc import Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import roifile
import yaml
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from fakes import blocks, encoded
from planimeter.exports import geojson
from planimeter.exports.files import write_many, write_one
from planimeter.exports.formats import FORMATS, ExportFormat
from planimeter.exports.source import Names, Source, change_of
from planimeter.labels import LabelledPictures, read_labels
from planimeter.labels.shapes import even_odd, unite, with_holes
from planimeter.masks.counted import Counted
from planimeter.masks.outlines import area, outlines
from planimeter.masks.union import union_mask
from planimeter.masks.window import WindowMask, trim
from planimeter.measurement import ImageInfo, Measurement, ModelInfo, Options, Timing
from planimeter.measuring.candidates import Candidate
from planimeter.measuring.coverage import list_instances, measure_coverage
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, post

FORMAT_NAMES: tuple[ExportFormat, ...] = get_args(ExportFormat)
CLASSES = ("Kratzer über Stahl", "pit: 1")
Bools = NDArray[np.bool_]


def source_of(pixels: Sequence[Bools], name: str = "Prüfling 1.png") -> Source:
    """Return a measurement with these masks [H, W], of the two classes in turn."""
    height, width = pixels[0].shape
    found = [
        Candidate((0.0, 0.0, 1.0, 1.0), index % 2 + 1, 0.9 - index / 100, trim(WindowMask(0, 0, mask)))
        for index, mask in enumerate(pixels)
        if mask.any()
    ]
    counted = Counted(height, width)
    return Source(
        Measurement(
            image=ImageInfo(filename=name, format="PNG", width=width, height=height, sha256="0" * 64),
            model=ModelInfo(
                name="steel", version="1", sha256="0" * 64, runtime="openvino", precision="f32", device="cpu"
            ),
            options=Options(score_threshold=0.5),
            coverage=measure_coverage(found, CLASSES, counted),
            instances=list_instances(found, CLASSES, counted, "rle"),
            timing_ms=Timing(),
        ),
        stem=name.rpartition(".")[0],
        picture=name,
        id="01K",
    )


def hard() -> list[Bools]:
    """Return masks that outlines find hard: holes, overlaps, parts, single pixels, corners, edges of the picture."""
    ring, island, split, corner, edge = np.zeros((5, 40, 60), bool)
    ring[5:25, 5:30] = True
    ring[9:20, 9:25] = False  # a hole
    ring[12:15, 12:16] = True  # an island in it
    ring[6, 27] = ring[7, 28] = False  # two holes that touch at a corner
    island[15:30, 20:45] = True  # overlaps
    split[30:34, 50:55] = split[36:39, 2:9] = True  # two parts
    split[34, 55] = True  # a third one at a corner of the first
    corner[39, 59] = True  # one pixel, in the corner of the picture
    edge[0:3, :] = edge[:, 0:2] = True
    return [ring, island, split, corner, edge]


def put(folder: Path, data: bytes, name: str, source: Source) -> Path:
    """Write an export and its picture into a folder, as a person would; returns what is to be read."""
    height, width = source.size
    picture = Image.new("RGB", (width, height))
    if name.endswith("_yolo.zip"):
        with zipfile.ZipFile(BytesIO(data)) as archive:
            archive.extractall(folder)
        (folder / "images").mkdir()
        picture.save(folder / "images" / source.picture)
        return folder
    picture.save(folder / source.picture)
    (folder / name).write_bytes(data)
    return folder / name


def covered(data: LabelledPictures) -> Bools:
    (picture,) = data.pictures
    return union_mask(picture.masks, *picture.pixels.shape[:2])


@pytest.mark.parametrize("kind", FORMAT_NAMES)
def test_what_is_written_is_read_back_to_the_pixel(kind: ExportFormat, tmp_path: Path) -> None:
    masks = hard()
    source = source_of(masks)
    file = write_one(kind, source)
    assert file.change.points == 0
    assert file.change.objects_exported == len(masks)
    read = read_labels(put(tmp_path, file.data, file.name, source))
    (picture,) = read.pictures
    assert not read.doubts
    assert sorted(read.classes) == sorted(CLASSES)
    for index, mask in enumerate(masks):
        label = read.classes.index(CLASSES[index % 2]) + 1
        assert picture.labels[index] == label
        assert (union_mask([picture.masks[index]], *mask.shape) == mask).all(), f"{kind}: object {index}"


@pytest.mark.parametrize("kind", FORMAT_NAMES)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_masks_cover_the_same_pixels_after_the_way_there_and_back(kind: ExportFormat, data: Any) -> None:
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    masks = data.draw(st.lists(arrays(np.bool_, (height, width)), min_size=1, max_size=3))
    source = source_of(masks)
    change = write_one(kind, source).change
    assert change.pixels_exported == int(np.any(masks, axis=0).sum())
    assert change.points == 0


@settings(deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 16), st.integers(1, 16))))
def test_outlines_are_exact_and_simple(pixels: Bools) -> None:
    height, width = pixels.shape
    parts = outlines(WindowMask(3, 2, pixels))
    whole = np.zeros((height + 4, width + 5), bool)
    whole[2 : 2 + height, 3 : 3 + width] = pixels
    drawn = [with_holes(rings[0], rings[1:]).draw(*whole.shape) for rings in parts]
    assert (union_mask(drawn, *whole.shape) == whole).all()
    assert sum(mask.area for mask in drawn) == pixels.sum(), "parts do not overlap"
    for rings, mask in zip(parts, drawn, strict=True):
        assert area(rings[0]) > 0
        assert all(area(hole) < 0 for hole in rings[1:])
        assert sum(map(area, rings)) == mask.area
        assert all(len({tuple(corner) for corner in ring.tolist()}) == len(ring) for ring in rings)
    if parts:
        path = even_odd([ring for rings in parts for ring in rings]).draw(*whole.shape)
        assert (union_mask([path], *whole.shape) == whole).all()
        assert (union_mask([unite(drawn)], *whole.shape) == whole).all()


@pytest.mark.parametrize("kind", FORMAT_NAMES)
def test_a_picture_in_which_nothing_was_found_is_exported(kind: ExportFormat, tmp_path: Path) -> None:
    source = source_of([np.zeros((8, 9), bool)])
    file = write_one(kind, source)
    assert (file.change.points, file.change.objects_exported) == (0, 0)
    read = read_labels(put(tmp_path, file.data, file.name, source))
    assert [picture.masks for picture in read.pictures] == [()]


# ---- What each format looks like


def test_geojson_has_features_as_qupath_writes_them() -> None:
    document = json.loads(write_one("geojson", source_of(hard())).data)
    first = document["features"][0]
    assert first["geometry"]["type"] == "MultiPolygon", "an island in a hole is a part"
    assert first["properties"]["classification"] == {"name": CLASSES[0]}
    assert first["properties"]["measurements"] == {"score": 0.9, "area_px": int(hard()[0].sum())}
    for rings in first["geometry"]["coordinates"]:
        assert all(ring[0] == ring[-1] for ring in rings), "rings are closed"
    facts = document["planimeter"]
    assert facts["change_in_percentage_points"] == 0
    assert facts["percent_masked"] == facts["percent_exported"] > 38
    assert facts["cannot_carry"] == FORMATS["geojson"].cannot_carry


def test_a_zip_for_fiji_has_traced_and_composite_regions() -> None:
    data = write_one("fiji", source_of(hard())).data
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.comment.decode() == f"Figures as measured. {FORMATS['fiji'].cannot_carry}"
        regions = [roifile.ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()]
        assert archive.namelist()[0] == "0001_Kratzer über Stahl.roi"
        assert archive.namelist()[1] == "0002_pit_ 1.roi"
        assert "class: pit: 1\nscore: 0.89\n".encode("utf-16-be") in archive.read(archive.namelist()[1])
    assert [region.composite for region in regions] == [True, False, True, False, False]
    assert regions[1].roitype == roifile.ROI_TYPE.TRACED
    assert (regions[1].left, regions[1].top, regions[1].right, regions[1].bottom) == (20, 15, 45, 30)
    assert [region.group for region in regions] == [1, 2, 1, 2, 1]


def test_labelme_has_polygons_and_masks_for_holes() -> None:
    document = json.loads(write_one("labelme", source_of(hard())).data)
    kinds = [(shape["shape_type"], shape["group_id"]) for shape in document["shapes"]]
    polygon = ("polygon", None)
    assert kinds == [("mask", None), polygon, *[("polygon", 3)] * 3, polygon, polygon]
    assert document["imagePath"] == "Prüfling 1.png"
    assert document["shapes"][0]["score"] == 0.9


def test_yolo_has_a_polygon_a_line_and_the_names() -> None:
    data = write_one("yolo", source_of(hard())).data
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == [
            "README.txt",
            "coverage.csv",
            "data.yaml",
            "labels/Prüfling 1.txt",
        ]
        lines = archive.read("labels/Prüfling 1.txt").decode().splitlines()
        names = yaml.safe_load(archive.read("data.yaml"))
        readme = archive.read("README.txt").decode()
        (row,) = csv.DictReader(StringIO(archive.read("coverage.csv").decode()))
    assert [line.split()[0] for line in lines] == ["0", "1", "0", "1", "0"]
    assert len(lines[3].split()) == 9
    assert names == {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(CLASSES))}
    assert FORMATS["yolo"].cannot_carry in readme
    assert (row["change_in_percentage_points"], row["objects_exported"]) == ("0.0", "5")


def test_names_in_an_export_are_safe_and_come_once() -> None:
    names = Names()
    given = ["a.png", "A.jpg", "../../etc/a.png", "C:\\x\\ü?.tif", "...", ".png", "v1.2"]
    assert [names.of(name) for name in given] == ["a", "A_2", "a_3", "ü_", "picture", "png", "v1"]


# ---- Through the service


def test_one_measurement_is_exported_at_a_threshold(client: FlaskClient) -> None:
    sent = body(post(client, OVERLAPPING, "Büro.png"))
    for kind in FORMAT_NAMES:
        answer = client.get(f"{MEASUREMENTS}/{sent['id']}/export", query_string={"format": kind})
        assert answer.status_code == 200, answer.text
        assert float(answer.headers["Planimeter-Coverage-Change"]) == 0
        assert "filename" in answer.headers["Content-Disposition"]
    scores = sorted(entry["score"] for entry in sent["instances"])
    query = {"format": "geojson", "score_threshold": (scores[-1] + scores[0]) / 2}
    document = client.get(f"{MEASUREMENTS}/{sent['id']}/export", query_string=query).get_json(force=True)
    assert len(document["features"]) < len(sent["instances"])
    assert document["planimeter"]["measurement"] == sent["id"]
    answer = client.get(f"{MEASUREMENTS}/{sent['id']}/export")
    assert_problem(answer, 400, "invalid_option", "format is missing")


@pytest.mark.parametrize("kind", FORMAT_NAMES)
def test_a_selection_is_exported_with_the_change_of_each_picture(
    client: FlaskClient, kind: ExportFormat, tmp_path: Path
) -> None:
    post(client, OVERLAPPING, "a.png", batch="x")
    post(client, encoded(blocks(red=(0, 0, 32, 32))), "a.png", batch="x")
    post(client, encoded(blocks()), "nothing.png", batch="x")
    post(client, OVERLAPPING, "other.png")
    answer = client.get(f"{MEASUREMENTS}/export", query_string={"format": kind, "batch": "x"})
    assert answer.status_code == 200
    if kind == "cvat":
        text = answer.data.decode()
        said = [json.loads(part.partition(" -->")[0]) for part in text.split("<!-- ")[2:]]
        assert [entry["change_in_percentage_points"] for entry in said] == [0, 0, 0]
        assert FORMATS[kind].cannot_carry in text
        assert answer.headers["Content-Disposition"].endswith("measurements_cvat.xml")
        return
    if FORMATS[kind].one_file:
        document = json.loads(answer.data)
        entries = document["images"] if kind == "coco" else [task["meta"] for task in document]
        assert [entry["change_in_percentage_points"] for entry in entries] == [0, 0, 0]
        assert [entry["percent_masked"] for entry in entries] == [0, 25, 37.5]
        return
    with zipfile.ZipFile(BytesIO(answer.data)) as archive:
        archive.extractall(tmp_path)
        rows = list(csv.DictReader(StringIO(archive.read("coverage.csv").decode())))
    assert [row["filename"] for row in rows] == ["nothing.png", "a.png", "a.png"]
    assert [float(row["percent_exported"]) for row in rows] == [0, 25, 37.5]
    assert [Path(row["file"]).name for row in rows] == [
        f"{stem}{FORMATS[kind].suffix}" for stem in ("nothing", "a", "a_2")
    ]
    assert all((tmp_path / row["file"]).is_file() for row in rows)
    assert FORMATS[kind].cannot_carry in (tmp_path / "README.txt").read_text("utf-8")


def test_an_empty_selection_is_exported(client: FlaskClient) -> None:
    for kind in FORMAT_NAMES:
        answer = client.get(f"{MEASUREMENTS}/export", query_string={"format": kind, "batch": "none"})
        assert answer.status_code == 200
        if kind == "label_studio":
            assert json.loads(answer.data) == []


def test_many_are_written_a_picture_at_a_time() -> None:
    read: list[int] = []

    def sources() -> Any:
        for number in range(3):
            read.append(number)
            yield source_of(hard(), f"{number}.png")

    pieces = write_many("geojson", sources())
    assert b"0.geojson" in next(pieces)
    assert read == [0]


# ---- Tables for Excel


def test_a_table_for_excel_has_the_mark_and_one_for_programs_has_not(client: FlaskClient) -> None:
    sent = body(post(client, OVERLAPPING, "Büroklammer.png"))
    plain = client.get(f"{MEASUREMENTS}/csv").data
    excel = client.get(f"{MEASUREMENTS}/csv", query_string={"csv_style": "excel"}).data
    assert excel == b"\xef\xbb\xbf" + plain
    local = client.get(f"{MEASUREMENTS}/csv", query_string={"csv_style": "excel_semicolon"}).data
    assert local.startswith(b"\xef\xbb\xbfid;created_at;")
    (row,) = csv.DictReader(StringIO(local.decode("utf-8-sig")), delimiter=";")
    assert (row["filename"], row["percent_masked"]) == ("Büroklammer.png", "37,5")
    query = {"format": "csv", "csv_style": "excel"}
    one = client.get(f"{MEASUREMENTS}/{sent['id']}/instances", query_string=query).data
    assert one.startswith(b"\xef\xbb\xbfid,")


def test_the_pages_offer_every_format(client: FlaskClient) -> None:
    sent = body(post(client, OVERLAPPING, "a.png"))
    page = client.get(f"/measurements/{sent['id']}").text
    history = client.get("/measurements").text
    for kind in FORMAT_NAMES:
        if kind != "coco":
            assert f"/export?format={kind}" in page
            assert f'name="format" value="{kind}"' in history
    assert "csv_style=excel" in page
    assert 'name="csv_style" value="excel"' in history


def test_each_format_is_described_in_the_docs() -> None:
    table = (Path(__file__).parents[1] / "docs" / "exports.md").read_text("utf-8")
    for kind in FORMAT_NAMES:
        assert f"\n| `{kind}` |" in table


def test_label_studio_has_polygons_and_brushed_masks_where_they_must_be() -> None:
    (task,) = json.loads(write_one("label_studio", source_of(hard())).data)
    (annotation,) = task["annotations"]
    kinds = ["brush", "polygon", "brush", "polygon", "polygon"]
    assert [result["from_name"] for result in annotation["result"]] == kinds
    assert [result["type"] for result in annotation["result"]] == [f"{kind}labels" for kind in kinds]
    assert annotation["result"][1]["value"]["polygonlabels"] == [CLASSES[1]]
    assert annotation["result"][0]["score"] == 0.9
    assert task["data"] == {"image": "Prüfling 1.png"}
    assert task["meta"]["change_in_percentage_points"] == 0


def test_what_an_export_loses_is_counted_from_what_was_written() -> None:
    source = source_of([np.ones((10, 10), bool) & (np.arange(10) < 3), np.eye(10, dtype=bool)])
    document = geojson.write(source)
    assert change_of(source, geojson.read(document, source)).points == 0
    lost = {**document, "features": document["features"][:1]}
    change = change_of(source, geojson.read(lost, source))
    assert (change.percent_masked, change.percent_exported, change.objects_exported) == (37, 30, 1)
    assert change.points == -7
    hole = {**document, "features": [*document["features"], document["features"][0]]}
    assert change_of(source, geojson.read(hole, source)).points == 0, "overlaps count once"
