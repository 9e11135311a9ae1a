"""Corrected elsewhere and brought back: CVAT and COCO there and back, on the same measurements."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from fakes import blocks, encoded
from foreign_programs import run_with
from planimeter import Client
from planimeter.commands import main
from planimeter.masks.rle import rle_decode
from planimeter.masks.window import WindowMask, trim
from planimeter.measurement import Rle
from planimeter.measuring.relabelled import Known, Labelled, changes_between
from planimeter.settings import Settings
from test_api import OVERLAPPING
from test_server import serving


@pytest.fixture
def client(app: Flask, settings: Settings) -> Iterator[Client]:
    with serving(app, settings) as (url, _):
        yield Client(url)


@pytest.fixture
def run(client: Client, tmp_path: Path) -> Any:
    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(main, [*map(str, arguments), "--service", client.url])

    assert tmp_path.is_dir()
    return run


def masks(client: Client, id_: str) -> dict[str, NDArray[np.bool_]]:
    """Return the union of each class as it is now, [64, 64]."""
    measured = client.get(id_)
    found: dict[str, NDArray[np.bool_]] = {}
    for entry in (measured.corrected or measured).instances:
        assert isinstance(entry.mask, Rle)
        pixels = rle_decode(entry.mask)
        found[entry.class_name] = found.get(entry.class_name, np.zeros_like(pixels)) | pixels
    return found


@pytest.mark.parametrize("kind", ["cvat", "coco", "label_studio"])
def test_what_comes_back_as_it_went_changes_nothing(
    kind: str, client: Client, run: Any, tmp_path: Path
) -> None:
    for _ in range(2):
        client.measure(OVERLAPPING, filename="strip.png", lot="A")
    client.measure(encoded(blocks(red=(0, 0, 8, 8))), lot="B")
    out = tmp_path / "out"
    wrote = run("export", out, "--for", kind, "--lot", "A", "--pictures", tmp_path / "pictures.zip")
    assert wrote.exit_code == 0, wrote.output
    assert "wrote 2 measurements" in wrote.output
    with zipfile.ZipFile(tmp_path / "pictures.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
    text = out.read_text("utf-8")
    assert len(names) == 2
    for name in names:
        assert name in text
        assert re.fullmatch(r"strip_[0-9A-Z]{26}\.png", name)
    out = out.rename(tmp_path / {"cvat": "annotations.xml"}.get(kind, "labels.json"))
    back = run("corrections", "import", out)
    assert back.exit_code == 0, back.output
    assert "corrected 0 of 2 measurements" in back.output
    assert all(entry.corrected_percent_masked is None for entry in client.measurements())
    reviewed = run("corrections", "import", out, "--reviewed", "--reason", "second look")
    assert "corrected 2 of 2" in reviewed.output
    assert [entry.reviewed for entry in client.measurements(lot="A")] == [True, True]
    assert "corrected 0 of 2" in run("corrections", "import", out, "--reviewed").output
    assert run("export", out, "--for", kind).exit_code == 1
    (first, *_) = client.measurements(lot="A")
    assert [entry.reason for entry in client.corrections(first.id)] == ["second look"]


def test_what_was_corrected_in_cvat_comes_back(client: Client, run: Any, tmp_path: Path) -> None:
    """One object is painted smaller, one gets another class, one is deleted, and one is drawn."""
    first = client.measure(OVERLAPPING, filename="a.png")
    second = client.measure(encoded(blocks(red=(0, 0, 32, 32), green=(40, 40, 64, 64))), filename="b.png")
    file = tmp_path / "annotations.xml"
    assert run("export", file, "--for", "cvat").exit_code == 0
    document = ET.parse(file)  # noqa: S314  our own
    one, other = sorted(document.getroot().iter("image"), key=lambda image: image.get("name", ""))
    assert other.get("name", "").startswith("b_")
    red, green = one.findall("mask")
    assert (red.get("rle"), red.get("width"), red.get("height")) == ("0, 1024", "32", "32")
    red.set("rle", "0, 960, 64")  # the last two of its rows are erased
    green.set("label", "red")
    other.remove(other.findall("mask")[0])
    ET.SubElement(
        other,
        "polygon",
        label="green",
        source="manual",
        occluded="0",
        z_order="0",
        points="0,50;10,50;10,60;0,60",
    )
    document.write(file)
    dry = run("corrections", "import", file, "--dry-run")
    assert "1 of another class, 1 redrawn" in dry.output
    assert "1 rejected, 1 added" in dry.output
    assert client.get(first.id).corrected is None
    back = run("corrections", "import", file, "--reviewed")
    assert back.exit_code == 0, back.output
    assert "corrected 2 of 2 measurements" in back.output
    truth = np.zeros((64, 64), bool)
    truth[:30, :32] = truth[:32, 16:48] = True
    found = masks(client, first.id)
    assert set(found) == {"red"}
    assert np.array_equal(found["red"], truth)
    corrected = client.get(first.id).corrected
    assert corrected is not None
    assert corrected.coverage.percent_masked == 100 * truth.sum() / 4096
    assert [(entry.id, entry.origin) for entry in corrected.instances] == [(1, "changed"), (2, "changed")]
    found = masks(client, second.id)
    assert set(found) == {"green"}
    assert found["green"].sum() == 24 * 24 + 100
    assert found["green"][50:60, :10].all()
    assert client.get(second.id).coverage.percent_masked == second.coverage.percent_masked
    again = run("corrections", "import", file, "--reviewed")
    assert "corrected 0 of 2 measurements" in again.output


def test_coco_without_ids_is_matched_by_the_bytes_of_its_pictures(
    client: Client, run: Any, tmp_path: Path
) -> None:
    measured = client.measure(OVERLAPPING, filename="upload.png", batch="one")
    client.measure(encoded(blocks(red=(0, 0, 8, 8))))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "renamed.png").write_bytes(OVERLAPPING)
    square = [[8, 8, 24, 8, 24, 24, 8, 24]]
    coco: dict[str, Any] = {
        "images": [{"id": 5, "file_name": "renamed.png", "width": 64, "height": 64}],
        "categories": [{"id": 1, "name": "green"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "segmentation": square, "area": 256, "iscrowd": 0}
        ],
    }
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(coco))
    back = run("corrections", "import", file, "--images", tmp_path / "images")
    assert back.exit_code == 0, back.output
    found = masks(client, measured.id)
    assert set(found) == {"green"}
    assert found["green"].sum() == 256
    assert "37.5 % becomes 6.25 %" in back.output
    client.measure(OVERLAPPING, batch="two")
    twice = run("corrections", "import", file, "--images", tmp_path / "images")
    assert twice.exit_code == 1
    assert "measured 2 times" in twice.output
    chosen = run("corrections", "import", file, "--images", tmp_path / "images", "--batch", "two")
    assert "corrected 1 of 1" in chosen.output


def test_what_belongs_to_nothing_is_named_and_nothing_is_half_done(
    client: Client, run: Any, tmp_path: Path
) -> None:
    good = client.measure(OVERLAPPING, filename="a.png").id
    nowhere = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    square = [[8, 8, 24, 8, 24, 24, 8, 24]]

    def back(category: str = "red", **more: Any) -> Result:
        names = [f"a_{good}.png", *more.pop("names", [])]
        images = [
            {"id": number, "file_name": name, "width": more.get("width", 64), "height": 64}
            for number, name in enumerate(names)
        ]
        objects = [
            {"id": number, "image_id": number, "category_id": 1, "segmentation": more.get("shape", square)}
            for number in range(len(names))
        ]
        document = {"images": images, "annotations": objects, "categories": [{"id": 1, "name": category}]}
        file = tmp_path / "labels.json"
        file.write_text(json.dumps(document))
        result: Result = run("corrections", "import", file)
        assert result.exit_code == 1, result.output
        assert client.get(good).corrected is None
        return result

    many = back(names=[f"b_{nowhere}.png", "no id.png", f"copy_of_a_{good}.png"])
    assert f"b_{nowhere}.png: There is no measurement" in many.output
    assert "no id.png has no id of a measurement" in many.output
    assert f"is of the same measurement as a_{good}.png" in many.output
    assert "nothing was corrected" in many.output
    assert "the model knows green, red" in back("dog").output
    assert "is 64 x 64" in back(width=60).output
    assert "without one pixel" in back(shape=[[80, 80, 90, 80, 90, 90]]).output
    assert "has no outline" in back(shape=[]).output


def test_a_picture_without_an_object_is_left_alone_unless_it_was_reviewed(
    client: Client, run: Any, tmp_path: Path
) -> None:
    measured = client.measure(OVERLAPPING, filename="a.png").id
    image = {"id": 1, "file_name": f"{measured}.png", "width": 64, "height": 64}
    file = tmp_path / "labels.json"
    document = {"images": [image], "annotations": [], "categories": [{"id": 1, "name": "red"}]}
    file.write_text(json.dumps(document))
    left = run("corrections", "import", file)
    assert left.exit_code == 0
    assert "--reviewed says that there is none" in left.output
    assert client.get(measured).corrected is None
    assert run("corrections", "import", file, "--reviewed").exit_code == 0
    corrected = client.get(measured).corrected
    assert corrected is not None
    assert (corrected.coverage.percent_masked, corrected.reviewed) == (0.0, True)


def test_an_export_to_nowhere_and_of_nothing_is_refused(client: Client, run: Any, tmp_path: Path) -> None:
    nothing = run("export", tmp_path / "a.xml", "--for", "cvat")
    assert nothing.exit_code == 1
    assert "no measurement" in nothing.output
    client.measure(OVERLAPPING)
    assert "there is no folder" in run("export", tmp_path / "no" / "a.xml", "--for", "cvat").output
    (tmp_path / "a.xml").write_text("mine")
    assert "is there already" in run("export", tmp_path / "a.xml", "--for", "cvat").output
    assert (tmp_path / "a.xml").read_text() == "mine"


Objects = list[tuple[str, NDArray[np.bool_]]]


@st.composite
def objects(draw: st.DrawFn) -> Objects:
    """Return some objects of two classes on a picture of 6 x 7 pixels."""
    made = draw(st.lists(st.tuples(st.sampled_from("ab"), arrays(np.bool_, (6, 7))), max_size=5))
    return [entry for entry in made if entry[1].any()]


def window(mask: NDArray[np.bool_]) -> WindowMask:
    return trim(WindowMask(0, 0, mask))


@hypothesis_settings(deadline=None, max_examples=150)
@given(objects(), objects())
def test_changes_turn_any_objects_into_any_others(before: Objects, after: Objects) -> None:
    known = [Known(number, name, window(mask)) for number, (name, mask) in enumerate(before, start=1)]
    changes = changes_between(known, [Labelled(name, window(mask)) for name, mask in after], (6, 7))
    now = {number: (name, mask) for number, (name, mask) in enumerate(before, start=1)}
    for id_ in changes.reject:
        del now[id_]
    for each in changes.reclass:
        now[each.id] = (each.class_name, now[each.id][1])
    for other in changes.replace:
        assert other.mask is not None
        now[other.id] = (now[other.id][0], rle_decode(other.mask))
    for number, added in enumerate(changes.add, start=100):
        assert added.mask is not None
        now[number] = (added.class_name, rle_decode(added.mask))

    def listed(entries: Any) -> list[tuple[str, bytes]]:
        return sorted((name, mask.tobytes()) for name, mask in entries)

    assert listed(now.values()) == listed(after)
    if listed(before) == listed(after):
        assert changes.count == 0 or len({entry[1].tobytes() for entry in before}) < len(before)


# ---- Datumaro, CVAT's own library of formats

DATUMARO = """
import json, sys
import datumaro
import numpy as np

folder, truth, to = sys.argv[1:]
data = datumaro.Dataset.import_from(folder, "cvat")
names = [label.name for label in data.categories()[datumaro.AnnotationType.label]]
found = {}
for item in data:
    found[item.id] = sorted((names[entry.label], int(entry.image.sum())) for entry in item.annotations)
    union = np.any([entry.image for entry in item.annotations], axis=0)
    assert (union == np.load(truth)).all()
data.export(to + "/cvat", "cvat", save_media=True)
data.export(to + "/coco", "coco_instances", save_media=True)
print(json.dumps(found))
"""


@pytest.mark.foreign
def test_datumaro_reads_the_masks_and_writes_what_comes_back(
    client: Client, run: Any, tmp_path: Path
) -> None:
    measured = client.measure(OVERLAPPING, filename="a.png").id
    folder = tmp_path / "cvat"
    (folder / "images").mkdir(parents=True)
    assert run("export", folder / "train.xml", "--for", "cvat").exit_code == 0
    name = f"a_{measured}"
    (folder / "images" / f"{name}.png").write_bytes(OVERLAPPING)
    np.save(tmp_path / "truth.npy", (blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32)) > 0).any(axis=2))
    found = run_with("datumaro", DATUMARO, str(folder), str(tmp_path / "truth.npy"), str(tmp_path / "back"))
    assert found == {name: [["green", 1024], ["red", 1024]]}
    written = sorted(file for file in (tmp_path / "back").rglob("*") if file.suffix in {".xml", ".json"})
    assert len(written) == 2
    for file in written:
        back = run("corrections", "import", file)
        assert "corrected 0 of 1 measurements" in back.output, (file, back.output)
