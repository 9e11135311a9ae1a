"""Percentages of a class, with regions and ignored pixels in every combination: exact counts of rectangles."""

import csv
import io
import json
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from numpy.typing import NDArray

from fakes import MODEL, BlockRuntime, block_pack, block_segmenter, blocks, encoded, write_block_pack
from planimeter.commands import main
from planimeter.errors import ContradictoryOptions
from planimeter.measurement import UNLIKE_TRAINING, Ignored, Measurement, Note, judge
from planimeter.measuring.candidates import PackedCandidates
from planimeter.measuring.coverage import at_threshold
from planimeter.measuring.segmenter import Segmenter
from planimeter.packs.manifest import PackClass
from planimeter.runtimes import RawDetections
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from stored import add
from test_region import region
from test_region_api import API, answered, mask_file, pixels_of, post, read

Bools = NDArray[np.bool_]
RED, GREEN = (0, 0, 32, 32), (16, 16, 48, 48)
REGION = region((8, 8, 40, 24), exclude=((8, 8, 12, 64),))


def picture() -> NDArray[np.uint8]:
    """Return the two rectangles, white where both are in the middle, with transparent rows above: RGBA."""
    pixels = np.dstack([blocks(red=RED, green=GREEN), np.full((64, 64), 255, np.uint8)])
    pixels[18:26, 18:30] = 255
    pixels[:10, :, 3] = 0
    return pixels


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Bools:
    found = np.zeros((64, 64), bool)
    found[y0:y1, x0:x1] = True
    return found


IGNORED_PIXELS = {"transparent": rectangle(0, 0, 64, 10), "saturated": rectangle(18, 18, 30, 26)}
REGIONS = {
    "none": ({}, np.ones((64, 64), bool)),
    "polygons": ({"region": json.dumps(REGION)}, rectangle(12, 8, 40, 24)),
    "mask": ({"region_mask": "mask"}, rectangle(0, 0, 16, 64)),
    "both": (
        {"region": json.dumps(REGION), "region_mask": "mask"},
        rectangle(12, 8, 40, 24) & rectangle(0, 0, 16, 64),
    ),
}
KINDS: tuple[tuple[Ignored, ...], ...] = ((), ("transparent",), ("saturated",), ("transparent", "saturated"))
EVERY = pytest.mark.parametrize(
    ("where", "of", "ignore"),
    list(product(REGIONS, (None, "red", "green"), KINDS)),
    ids=lambda value: "+".join(value) or "nothing" if isinstance(value, tuple) else str(value),
)


def expected(where: str, of: str | None, ignore: tuple[Ignored, ...], threshold: float) -> dict[str, Any]:
    """Return the figures, counted pixel by pixel."""
    found = {"red": rectangle(*RED)} | ({"green": rectangle(*GREEN)} if threshold <= 0.6 else {})
    counted = REGIONS[where][1].copy()
    for kind in ignore:
        counted &= ~IGNORED_PIXELS[kind]
    if of is not None:
        counted &= found.get(of, np.zeros((64, 64), bool))
    others = {name: mask & counted for name, mask in found.items() if name != of}
    listed = {name: mask for name, mask in others.items() if mask.any()}
    masked = sum(others.values(), np.zeros((64, 64), np.uint8))
    total = int(counted.sum())

    def share(pixels: int) -> float | None:
        return 100 * pixels / total if total else None

    pixels = {name: int(others[name].sum()) if name in others else 0 for name in ("red", "green")}
    rows = {name: [int(name in listed), pixels[name], share(pixels[name])] for name in pixels}
    if of is not None:
        rows[of] = [int(of in found and total > 0), total, 100.0 if total else None]
    return {
        "masked": int(np.count_nonzero(masked)),
        "counted": total,
        "percent": share(int(np.count_nonzero(masked))),
        "overlapping": int(np.count_nonzero(masked > 1)),
        "rows": rows,
        "areas": [pixels[name] for name in listed],
        "outside": len(others) - len(listed) + int(of in found and not total),
    }


def figures(coverage: dict[str, Any], instances: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "masked": coverage["pixels_masked"],
        "counted": coverage["pixels_counted"],
        "percent": coverage["percent_masked"],
        "overlapping": coverage["pixels_overlapping"],
        "rows": {
            entry["class"]: [entry["count"], entry["pixels_masked"], entry["percent_masked"]]
            for entry in coverage["by_class"]
        },
        "areas": [entry["area_px"] for entry in instances],
        "outside": (coverage["left_out"] or {"outside": 0})["outside"],
    }


def figures_of(measured: Measurement) -> dict[str, Any]:
    answer = json.loads(measured.model_dump_json(by_alias=True))
    return figures(answer["coverage"], answer["instances"])


@EVERY
def test_every_combination_counts_exactly(where: str, of: str | None, ignore: tuple[Ignored, ...]) -> None:
    """In Python, at the threshold of the measurement and at another one, from what is kept."""
    fields: dict[str, Any] = dict(REGIONS[where][0])
    if "region_mask" in fields:
        fields["region_mask"] = mask_file()[0].getvalue()
    measured = block_segmenter().measure(picture(), ignore=ignore, of=of, **fields)
    assert figures_of(measured) == expected(where, of, ignore, 0.5)
    assert measured.mask().sum() == measured.coverage.pixels_masked
    kept = PackedCandidates.unpack(measured.candidates().packed().pack()).opened()
    at = at_threshold(measured, kept, 0.7, counting=measured.options.counting)
    assert figures_of(at) == expected(where, of, ignore, 0.7)
    again = at_threshold(at, kept, 0.5, counting=measured.options.counting)
    assert (again.coverage, again.instances) == (measured.coverage, measured.instances)


@EVERY
def test_so_it_does_over_http_at_once_and_afterwards(
    client: FlaskClient, where: str, of: str | None, ignore: tuple[Ignored, ...]
) -> None:
    def fields() -> dict[str, Any]:
        given: dict[str, Any] = dict(REGIONS[where][0])
        if "region_mask" in given:
            given["region_mask"] = mask_file()
        return given | ({"of": of} if of else {}) | ({"ignore": ",".join(ignore)} if ignore else {})

    data = encoded(picture())
    answer = post(client, data=data, **fields())
    assert figures(answer["coverage"], answer["instances"]) == expected(where, of, ignore, 0.5)
    url = f"{API}/{answer['id']}"
    at = read(client, f"{url}?score_threshold=0.7")
    assert figures(at["coverage"], at["instances"]) == expected(where, of, ignore, 0.7)
    later = post(client, data=data)
    if not fields():
        return
    put = client.put(f"{API}/{later['id']}/region", data=fields(), content_type="multipart/form-data")
    assert figures(answered(put)["coverage"], read(client, f"{API}/{later['id']}")["instances"]) == expected(
        where, of, ignore, 0.5
    )
    stored = read(client, f"{API}/{later['id']}")
    for name in ("coverage", "instances", "notes"):
        assert stored[name] == answer[name]
    at = read(client, f"{API}/{later['id']}?score_threshold=0.7")
    assert figures(at["coverage"], at["instances"]) == expected(where, of, ignore, 0.7)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({}, "picture"),
        ({"least_area": "5", "classes": "red"}, "picture"),
        ({"region": json.dumps(REGION)}, "region"),
        ({"ignore": "saturated"}, "part that counts"),
        ({"of": "green", "ignore": "saturated"}, "green"),
    ],
)
def test_a_table_says_of_what_its_percentages_are(client: FlaskClient, fields: Any, part: str) -> None:
    post(client, data=encoded(picture()), **fields)
    (row,) = csv.DictReader(io.StringIO(client.get(f"{API}/csv").text))
    assert row["percent_of"] == part


def test_a_class_is_all_that_counts_and_in_no_other_figure() -> None:
    """Green covers 16 x 16 of the 1,024 pixels of red."""
    measured = block_segmenter().measure(
        blocks(red=RED, green=GREEN), of="red", pixel_size=2, unit="mm", score_threshold=0.5
    )
    coverage = measured.coverage
    assert (coverage.percent_masked, coverage.pixels_masked, coverage.pixels_counted) == (25, 256, 1024)
    assert [entry.class_name for entry in measured.instances] == ["green"]
    assert measured.instances[0].bbox == (16, 16, 16, 16)
    assert (coverage.area_masked, coverage.area_counted) == (256 * 4, 1024 * 4)
    assert coverage.instances_per_mm2 == 1 / (1024 * 4)
    assert coverage.interval is None
    notes = {note.code: note.message for note in measured.notes}
    assert (
        "all percentages are of red: 1,024 of 4,096 pixels, in 1 instance, which is not listed"
        in notes.values()
    )
    assert "errors of such a ratio" in notes["interval_withheld"]


def test_the_example_of_the_page_that_tells_it() -> None:
    pixels = blocks(red=RED, green=GREEN)
    whole = block_segmenter().measure(pixels, of="green")
    assert (whole.coverage.percent_masked, whole.coverage.pixels_counted) == (25, 1024)
    assert (whole.instances[0].area_px, whole.instances[0].bbox) == (256, (16, 16, 16, 16))
    part = block_segmenter().measure(pixels, of="green", region=region((0, 0, 24, 64)))
    assert (part.coverage.percent_masked, part.coverage.pixels_counted) == (50, 256)


def test_nothing_of_the_class_is_no_percentage_and_never_zero() -> None:
    measured = block_segmenter().measure(blocks(green=GREEN), of="red", pixel_size=2, unit="mm")
    coverage = measured.coverage
    assert (coverage.percent_masked, coverage.pixels_masked, coverage.pixels_counted) == (None, 0, 0)
    assert [entry.percent_masked for entry in coverage.by_class] == [None, None]
    assert (coverage.area_counted, coverage.instances_per_mm2) == (0, None)
    assert coverage.left_out is not None
    assert coverage.left_out.outside == 1
    assert "nothing_of_class" in {note.code for note in measured.notes}
    assert (measured.draw() < 256).all()


def test_the_least_area_holds_for_what_is_left_in_the_class() -> None:
    pixels = blocks(red=RED, green=GREEN)
    assert block_segmenter().measure(pixels, of="red", least_area=257).coverage.percent_masked == 0
    assert block_segmenter().measure(pixels, of="red", least_area=256).coverage.percent_masked == 25
    only = block_segmenter().measure(pixels, of="red", classes=["green"])
    assert only.coverage.percent_masked == 25
    none = block_segmenter().measure(pixels, of="red", classes=["red"])
    assert (none.coverage.percent_masked, none.coverage.pixels_counted) == (0, 1024)


def test_a_class_that_the_model_lacks_is_named_before_the_network_runs() -> None:
    runtime = BlockRuntime()
    with pytest.raises(
        ContradictoryOptions, match="of names 'blue', which the model lacks; it knows red, green"
    ):
        block_segmenter(runtime).measure(blocks(red=RED), of="blue")
    assert runtime.ran == 0


def test_nothing_is_a_percentage_of_the_only_class() -> None:
    pack = block_pack()
    alone = pack.manifest.model_copy(update={"classes": pack.manifest.classes[:1]})
    with pytest.raises(ContradictoryOptions, match="of names 'red', the only class of the model"):
        Segmenter(replace(pack, manifest=alone), BlockRuntime()).measure(blocks(red=RED), of="red")


class PixelRuntime(BlockRuntime):
    """Takes every pixel of the picture for red, whether in an instance or not."""

    def _detect(self, image: NDArray[np.float32]) -> RawDetections:
        found = super()._detect(image)
        pixels = np.zeros((3, *image.shape[2:]), np.float32)
        pixels[1] = 1
        return RawDetections(found.boxes, found.labels, found.scores, found.masks, pixels=pixels)


def test_unclaimed_pixels_are_those_of_the_region_alone() -> None:
    """Red masks 1,024 of 4,096 pixels, and 384 of the 512 of the region."""
    pixels = blocks(red=RED, green=GREEN)
    whole = block_segmenter(PixelRuntime()).measure(pixels)
    assert whole.coverage.pixels_unclaimed == 4096 - 1024
    assert "75.00 % of the picture looks like" in " ".join(map(str, whole.notes))
    measured = block_segmenter(PixelRuntime()).measure(pixels, region=region((8, 8, 40, 24)))
    assert measured.coverage.pixels_unclaimed == 512 - 384
    assert "25.00 % of the region looks like" in " ".join(map(str, measured.notes))
    ignored = block_segmenter(PixelRuntime()).measure(pixels, ignore=["black_border"])
    assert ignored.coverage.pixels_unclaimed is not None
    assert ignored.coverage.pixels_unclaimed <= ignored.coverage.pixels_counted
    # It tells no class from another: nothing is known of those of one.
    every: list[dict[str, Any]] = [{"of": "red"}, {"classes": ["red"]}]
    for options in every:
        few = block_segmenter(PixelRuntime()).measure(pixels, **options)
        assert few.coverage.pixels_unclaimed is None


# ---- Over HTTP


def test_no_percentage_is_told_wherever_there_would_be_one(client: FlaskClient) -> None:
    """Lists, sums, the trend, lots, tables, exports, pages: one picture has 25 %, one has none."""
    lot: dict[str, Any] = {"lot": "leaves", "of": "red"}
    some = post(client, data=encoded(blocks(red=RED, green=GREEN)), **lot)
    none = post(client, data=encoded(blocks(green=GREEN)), **lot)
    assert none["coverage"]["percent_masked"] is None
    assert none["options"]["counting"]["of"] == "red"
    for order, ids in (("-percent_masked", [some, none]), ("percent_masked", [none, some])):
        for limit in (1, 2):
            first = read(client, f"{API}?order={order}&limit={limit}")
            listed = first["measurements"]
            if limit == 1:
                listed = (
                    listed + read(client, f"{API}?order={order}&before={listed[0]['id']}")["measurements"]
                )
            assert [entry["id"] for entry in listed] == [entry["id"] for entry in ids]
    lines = read(client, f"{API}/lines")["lines"]
    assert {entry["percent_masked"] for entry in lines} == {None, 25.0}
    assert read(client, f"{API}?min_percent=0")["count"] == 1
    statistics = read(client, f"{API}/statistics?limit_percent=30")
    assert (statistics["count"], statistics["without_percent"]) == (2, 1)
    assert (statistics["percent_masked"]["count"], statistics["percent_masked"]["mean"]) == (1, 25)
    assert [statistics[name] for name in ("passed", "failed", "undecided")] == [1, 0, 1]
    assert [entry["class"] for entry in statistics["by_class"]] == ["green"]
    trend = read(client, f"{API}/trend")
    assert (trend["count"], trend["without_percent"]) == (1, 1)
    found = read(client, "/api/v1/lots/leaves")
    assert found["measurements"] == 2
    assert "without_percentage" in {note["code"] for note in found["notes"]}
    (model,) = found["by_model"]
    assert (model["n"], model["without_percent"], model["mean_percent"]) == (1, 1, 25)
    rows = list(csv.DictReader(io.StringIO(client.get(f"{API}/csv").text)))
    assert {row["percent_masked"] for row in rows} == {"25.0", ""}
    assert {row["percent_masked[red]"] for row in rows} == {"100.0", ""}
    posted = client.post(
        f"{API}?of=red",
        data=encoded(blocks(green=GREEN)),
        content_type="image/png",
        headers={"Accept": "image/png"},
    )
    assert posted.status_code == 201
    assert "Planimeter-Percent-Masked" not in posted.headers
    for kind in ("coco", "labelme", "label_studio", "geojson", "yolo", "fiji"):
        for answer in (some, none):
            exported = client.get(f"{API}/{answer['id']}/export?format={kind}")
            assert exported.status_code == 200, exported.text
        assert client.get(f"{API}/export?format={kind}").status_code == 200
    pages = [
        "/",
        "/measurements",
        "/report",
        "/report?sheets=true&limit_percent=30",
        "/lots/leaves",
    ]
    for answer in (some, none):
        pages += [f"/measurements/{answer['id']}", f"/report?ids={answer['id']}"]
        assert client.get(f"/measurements/{answer['id']}/thumbnail").status_code == 200
    for page in pages:
        shown = client.get(page)
        assert shown.status_code == 200, page
        assert ">None" not in shown.text, page
    assert "no percentage: no red found" in client.get(f"/measurements/{none['id']}").text
    deleted = client.delete(f"{API}/{none['id']}")
    assert deleted.status_code == 204
    assert read(client, "/api/v1/trash")["measurements"][0]["percent_masked"] is None
    assert client.get("/trash").status_code == 200
    client.post(read(client, "/api/v1/trash")["measurements"][0]["restore_url"])


def test_a_lot_in_which_nothing_has_a_percentage_says_so(client: FlaskClient) -> None:
    post(client, data=encoded(blocks(green=GREEN)), lot="bare", of="red")
    found = read(client, "/api/v1/lots/bare")
    assert found["by_model"] == []
    assert "1 measurement has no percentage" in found["notes"][0]["message"]
    post(client, data=encoded(blocks(green=(0, 0, 8, 8))), lot="bare", of="red")
    assert "2 measurements have no percentage" in read(client, "/api/v1/lots/bare")["notes"][0]["message"]
    assert "2 pictures have no percentage" in client.get("/report?lot=bare&limit_percent=3").text
    assert client.get("/lots/bare").status_code == 200
    assert client.get("/report?lot=bare").status_code == 200
    assert client.get("/report").status_code == 200


def test_an_unknown_class_is_refused_and_nothing_is_stored(client: FlaskClient) -> None:
    answer = post(client, 409, of="blue")
    assert "of names 'blue', which the model lacks; it knows red, green" in answer["error"]["message"]
    assert read(client, API)["count"] == 0
    before = post(client)
    put = client.put(f"{API}/{before['id']}/region", data={"of": "blue"})
    assert put.status_code == 409
    assert read(client, f"{API}/{before['id']}")["coverage"] == before["coverage"]


# ---- Afterwards


def test_what_is_not_given_afterwards_stays_and_whole_takes_all_of_it_away(client: FlaskClient) -> None:
    before = post(client, data=encoded(picture()), ignore="saturated")
    url = f"{API}/{before['id']}"

    def put(**fields: Any) -> Any:
        return answered(client.put(f"{url}/region", data=fields, content_type="multipart/form-data"))

    put(region=json.dumps(REGION))
    assert figures_at(client, url) == expected("polygons", None, ("saturated",), 0.5)
    put(of="red")
    assert figures_at(client, url) == expected("polygons", "red", ("saturated",), 0.5)
    put(region_mask=mask_file())
    assert figures_at(client, url) == expected("mask", "red", ("saturated",), 0.5)
    put(ignore="transparent")
    assert figures_at(client, url) == expected("mask", "red", ("transparent",), 0.5)
    assert (
        np.count_nonzero(pixels_of(client, f"{url}/mask")) == read(client, url)["coverage"]["pixels_masked"]
    )
    put(whole="true", of="green")
    assert figures_at(client, url) == expected("none", "green", (), 0.5)
    put(whole="true")
    assert figures_at(client, url) == expected("none", None, (), 0.5)
    assert "interval_withheld" not in {note["code"] for note in read(client, url)["notes"]}
    assert client.delete(f"{url}/region").status_code == 200
    assert read(client, url)["coverage"] == before["coverage"]
    nothing = client.put(f"{url}/region", data={})
    assert nothing.status_code == 409
    assert "nothing says what counts" in nothing.text


def figures_at(client: FlaskClient, url: str) -> dict[str, Any]:
    answer = read(client, url)
    return figures(answer["coverage"], answer["instances"])


def test_a_mask_that_is_none_of_this_picture_changes_nothing(client: FlaskClient) -> None:
    before = post(client)
    url = f"{API}/{before['id']}"
    text = (io.BytesIO(b"no picture at all"), "mask.png")
    cut = (io.BytesIO(mask_file()[0].getvalue()[:60]), "mask.png")
    for mask, status, what in (
        (mask_file(32), 409, "region_mask has 64 x 32 pixels and the picture 64 x 64"),
        (text, 415, "region_mask: "),
        (cut, 422, "region_mask: "),
    ):
        put = client.put(f"{url}/region", data={"region_mask": mask}, content_type="multipart/form-data")
        assert (put.status_code, what in put.text) == (status, True), put.text
    crossing = client.put(f"{url}/region", data={"region": '{"exclude": [[[0,0],[9,9],[9,0],[0,9]]]}'})
    assert (crossing.status_code, "crosses or touches itself" in crossing.text) == (400, True)
    form = client.post(
        f"/measurements/{before['id']}?change=region",
        data={"region_mask": mask_file(32), "of": "red", "least_area": "7", "ignore": "saturated"},
    )
    assert form.status_code == 409
    assert "64 x 32" in form.text
    assert '<details class="region-tool" name="stage-tool" open>' in form.text
    assert '<option value="red" selected>' in form.text
    assert re.search(r'name="least_area"[^>]* value="7"', form.text)
    assert 'value="saturated" checked' in form.text
    assert client.post(f"/measurements/{before['id']}?change=nothing").status_code == 400
    assert read(client, url)["coverage"] == before["coverage"]


def test_a_picture_measured_again_keeps_what_counts(client: FlaskClient) -> None:
    fields: dict[str, Any] = {
        "region": json.dumps(REGION),
        "ignore": "saturated",
        "of": "red",
        "least_area": "3",
    }
    before = post(client, data=encoded(picture()), pixel_size="0.5", unit="um", **fields)
    again = client.post(API, data={"from": before["id"]})
    assert again.status_code == 201, again.text
    assert json.loads(again.text)["coverage"] == before["coverage"]
    assert json.loads(again.text)["options"] == before["options"]
    assert json.loads(again.text)["image"]["scale"]["pixel_size"] == 0.5
    other = client.post(API, data={"from": before["id"], "of": "green"})
    assert json.loads(other.text)["options"]["counting"] == before["options"]["counting"] | {"of": "green"}
    whole = client.post(API, data={"from": before["id"], "whole": "true"})
    assert json.loads(whole.text)["options"]["counting"] is None
    in_json = client.post(API, json={"from": before["id"], "whole": True})
    assert json.loads(in_json.text)["options"]["counting"] is None
    # Of a region that was set afterwards too.
    plain = post(client, data=encoded(picture()))
    client.put(f"{API}/{plain['id']}/region", data={"of": "green"})
    kept = json.loads(client.post(API, data={"from": plain["id"]}).text)["options"]["counting"]
    assert (kept["of"], kept["set_afterwards"]) == ("green", False)


def test_a_comparison_is_of_what_counts_in_both(client: FlaskClient) -> None:
    """The regions share 16 x 16 pixels from (16, 8) on: red has all of them, green 16 x 8."""
    data = encoded(blocks(red=RED, green=GREEN))
    first = post(client, data=data, region=json.dumps(region((0, 8, 32, 24))))
    second = post(client, data=data, region=json.dumps(region((16, 0, 48, 64))), classes="green")
    found = read(client, f"/api/v1/comparisons?first={first['id']}&second={second['id']}")
    assert found["pixels_counted"] == 16 * 16
    overlap = found["overlap"]
    assert (overlap["pixels_both"], overlap["pixels_only_first"], overlap["pixels_only_second"]) == (
        128,
        128,
        0,
    )
    assert overlap["percent_disagreement"] == 50
    page = client.get(f"/compare?first={first['id']}&second={second['id']}")
    assert "256 of 4,096 pixels count in both" in page.text
    drawn = pixels_of(client, f"/api/v1/comparisons/picture?first={first['id']}&second={second['id']}")
    assert drawn.shape[:2] == (64, 64)
    assert drawn[8:24, 16:32].max(axis=2).min() > 100
    assert (drawn[8:24, :16].max(axis=2) < 60).all()
    within = post(client, data=data, of="red")
    other = post(client, data=data, of="red", region=json.dumps(region((0, 0, 64, 24))))
    both = read(client, f"/api/v1/comparisons?first={within['id']}&second={other['id']}")
    assert (both["pixels_counted"], both["overlap"]["pixels_both"]) == (32 * 24, 16 * 8)
    itself = next(entry for entry in both["by_class"] if entry["class"] == "red")
    assert (itself["pixels_both"], itself["iou"]) == (32 * 24, 1)
    mixed = client.get(f"/api/v1/comparisons?first={within['id']}&second={first['id']}")
    assert mixed.status_code == 409
    assert "in percent of red and the other of all that counts" in mixed.text
    apart = post(client, data=data, region=json.dumps(region((40, 40, 60, 60))))
    refused = client.get(f"/api/v1/comparisons?first={first['id']}&second={apart['id']}")
    assert refused.status_code == 409
    assert "no pixel counts in both" in refused.text


def test_the_command_line_measures_of_a_class(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    write_block_pack(tmp_path / "packs")
    (tmp_path / "one.png").write_bytes(encoded(blocks(red=RED, green=GREEN)))
    (tmp_path / "two.png").write_bytes(encoded(blocks(green=GREEN)))
    given = ["measure", str(tmp_path / "one.png"), str(tmp_path / "two.png"), "--model", "blocks"]
    given += ["--packs-folder", str(tmp_path / "packs"), "--of", "red"]

    def ran(*options: str, status: int = 0) -> Any:
        found = CliRunner().invoke(main, [*given, *options])
        assert found.exit_code == status, found.output
        return found

    one, two = json.loads(ran("--format", "json").stdout)
    assert (one["coverage"]["percent_masked"], two["coverage"]["percent_masked"]) == (25, None)
    (tmp_path / "leaf.toml").write_text('of = "red"\n')
    by_profile = [*given[:-2], "--profile", str(tmp_path / "leaf.toml"), "--format", "json"]
    found = CliRunner().invoke(main, by_profile)
    assert json.loads(found.stdout)[0]["coverage"]["percent_masked"] == 25
    rows = list(csv.DictReader(io.StringIO(ran("--format", "csv").stdout)))
    assert [row["percent_masked"] for row in rows] == ["25.0", ""]
    table = ran("--csv-style", "plain")
    assert "1 without a percentage" in table.stderr
    assert "mean 25.00 % masked" in table.stderr
    assert "nothing of red was found" in table.stderr
    wrong = CliRunner().invoke(main, [*given[:-1], "blue"])
    assert wrong.exit_code != 0
    assert "it knows red, green" in wrong.output


def test_no_percentage_is_undecided_at_every_limit_also_of_an_unlike_picture(store: Store) -> None:
    """In Python as in SQL."""
    measured = block_segmenter().measure(blocks(green=GREEN), of="red")
    record = add(store, measured.model_copy(update={"notes": [Note(code=UNLIKE_TRAINING, message="unlike")]}))
    for limit in (0.0, 50.0, 100.0):
        assert judge(record.measurement, limit) == "undecided"
        verdicts = store.statistics(limit_percent=limit).verdicts
        assert verdicts == {"pass": 0, "fail": 0, "undecided": 1}


# ---- In profiles


def test_a_profile_says_of_what_and_its_rules_follow(client: FlaskClient) -> None:
    """Green covers 25 % of red."""
    rules = [
        {"figure": "percent_masked", "at_most": 30},
        {"figure": "count", "at_most": 1},
        {"figure": "count", "class": "red", "at_least": 1},
        {"figure": "instances_per_mm2", "at_most": 1},
        {"figure": "largest_area", "at_most": 256},
    ]
    profile = {"of": "red", "classes": ["green"], "pixel_size": 1, "unit": "mm", "rules": rules}
    made = client.put("/api/v1/profiles/leaf", json=profile)
    assert made.status_code == 200, made.text
    assert json.loads(made.text)["profile"]["of"] == "red"
    data = encoded(blocks(red=RED, green=GREEN))
    answer = post(client, data=data, profile="leaf")
    assert [rule["value"] for rule in answer["rules"]] == [25, 1, 1, 1 / 1024, 256]
    assert answer["verdict"] == "pass"
    none = post(client, data=encoded(blocks(green=GREEN)), profile="leaf")
    assert [rule["value"] for rule in none["rules"]] == [None, 0, 0, None, 0]
    assert [rule["verdict"] for rule in none["rules"]] == ["undecided", "pass", "fail", "undecided", "pass"]
    assert none["rules"][0]["reason"] == none["rules"][3]["reason"]
    assert "nothing was found of the class" in none["rules"][0]["reason"]
    refused = post(client, 409, data=data, profile="leaf", of="green")
    assert "the profile 'leaf' says 'red'" in refused["error"]["message"]
    shown = client.get(f"/measurements/{answer['id']}")
    assert shown.status_code == 200
    for page in ("/", "/profiles", "/profiles/leaf", f"/profiles/new?measurement={answer['id']}"):
        assert client.get(page).status_code in {200, 404}, page
    assert "percent of red" in client.get("/profiles").text
    for wrong, what in (
        ({"of": "blue", "model": MODEL}, "of names 'blue'"),
        (
            {"of": "red", "rules": [{"figure": "largest_area", "class": "red", "at_most": 9}]},
            "are not listed",
        ),
    ):
        answered_wrong = client.put("/api/v1/profiles/wrong", json=wrong)
        assert (answered_wrong.status_code, what in answered_wrong.text) == (409, True), answered_wrong.text


def test_rules_on_what_percentages_would_be_of_afterwards_are_refused_as_at_once(client: FlaskClient) -> None:
    rules = [{"figure": "largest_area", "class": "red", "at_most": 2000}]
    assert client.put("/api/v1/profiles/red", json={"rules": rules}).status_code == 200
    before = post(client, data=encoded(blocks(red=RED, green=GREEN)), profile="red")
    assert before["verdict"] == "pass"
    after = client.put(f"{API}/{before['id']}/region", data={"of": "red"})
    assert (after.status_code, "not listed" in after.text) == (409, True)
    assert read(client, f"{API}/{before['id']}")["verdict"] == "pass"


# ---- On pages


def test_pages_measure_again_with_what_counts_and_name_classes_that_are_not_kept(
    settings: Settings, store: Store
) -> None:
    """The other model knows red and blue."""
    other = block_pack("other")
    classes = (other.manifest.classes[0], PackClass(name="blue", color="#0072b2"))
    other = replace(other, manifest=other.manifest.model_copy(update={"classes": classes}))
    models = Models(
        settings,
        find=lambda _: {MODEL: block_pack(), "other": other},
        load=lambda pack, _: Segmenter(pack, BlockRuntime()),
    )
    client = create_app(settings, store, models).test_client()
    before = post(client, region=json.dumps(REGION), of="green", classes="red,green", ignore="saturated")
    again = client.post(f"/measurements/{before['id']}/again", data={"model": "other"})
    assert again.status_code == 303, again.text
    (made,) = [entry for entry in read(client, API)["measurements"] if entry["id"] != before["id"]]
    counting = made["options"]["counting"]
    assert (counting["of"], counting["classes"], counting["ignore"]) == (None, ["red"], ["saturated"])
    assert counting["region"] == before["options"]["counting"]["region"]
    notes = {note["code"]: note["message"] for note in read(client, f"{API}/{made['id']}")["notes"]}
    assert notes["classes_not_kept"].endswith("does not know it: green")
    same = client.post(f"/measurements/{before['id']}/again", data={"model": MODEL})
    assert same.status_code == 303
    newest = read(client, API)["measurements"][0]
    assert newest["coverage"] == before["coverage"]
    page = client.get(f"/measurements/{before['id']}").text
    assert "-F of=green" in page
    assert "-F classes=red,green" in page
    sheet = client.get(f"/report?ids={before['id']}").text
    assert "% of the green masked" in sheet


def test_small_pictures_dim_what_does_not_count(client: FlaskClient) -> None:
    answer = post(
        client, data=encoded(np.full((64, 64, 3), 100, np.uint8)), region=json.dumps(region((32, 0, 64, 64)))
    )
    small = pixels_of(client, f"/measurements/{answer['id']}/thumbnail")
    width = small.shape[1]
    assert small[:, : width // 2 - 4].max() < 60
    assert small[:, width // 2 + 4 :].min() > 90
