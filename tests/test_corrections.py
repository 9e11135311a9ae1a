"""Corrections through the API: what people say is wrong, and the figures that come of it, counted again in NumPy."""

import csv
import json
import re
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from io import BytesIO, StringIO
from pathlib import Path
from threading import Barrier
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings, strategies
from numpy.typing import NDArray
from PIL import Image
from werkzeug.test import TestResponse

from fakes import blocks, encoded
from planimeter.labels import Report, open_labels
from planimeter.labels.shapes import unite
from planimeter.masks.rle import rle_decode, rle_encode, rle_window, window_pixels
from planimeter.masks.window import WindowMask
from planimeter.measurement import Rle
from planimeter.measuring import shape_masks
from planimeter.service.api import corrections
from planimeter.service.deadline import Deadline
from planimeter.service.memory import Memory

MEASUREMENTS = "/api/v1/measurements"
HEIGHT, WIDTH = 64, 96
RED, GREEN = (0, 0, 32, 32), (24, 8, 48, 40)
PICTURE = encoded(blocks(red=RED, green=GREEN, width=WIDTH, height=HEIGHT))
Bools = NDArray[np.bool_]


def body(answer: TestResponse) -> Any:
    return json.loads(answer.data)


def post(client: FlaskClient, **query: str) -> Any:
    answer = client.post(MEASUREMENTS, data=PICTURE, content_type="image/png", query_string=query)
    assert answer.status_code == 201, answer.text
    return body(answer)


def send(client: FlaskClient, id_: str, after: int = 0, **changes: Any) -> TestResponse:
    return client.post(f"{MEASUREMENTS}/{id_}/corrections", json={"after": after, **changes})


def correct(client: FlaskClient, id_: str, after: int = 0, **changes: Any) -> Any:
    answer = send(client, id_, after, **changes)
    assert answer.status_code == 201, answer.text
    return body(answer)


def rle(mask: Bools) -> dict[str, Any]:
    return rle_encode(WindowMask(0, 0, mask), *mask.shape).model_dump(mode="json")


def pixels(instance: dict[str, Any]) -> Bools:
    return rle_decode(Rle.model_validate(instance["mask"]))


def box(x0: int, y0: int, x1: int, y1: int) -> Bools:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def check_figures(figures: Any, counted: Bools | None = None) -> None:
    """Compare figures with what NumPy counts in the masks of their instances."""
    counted = np.ones((HEIGHT, WIDTH), bool) if counted is None else counted
    masks = [pixels(entry) for entry in figures["instances"]]
    stack = np.array(masks or [np.zeros((HEIGHT, WIDTH), bool)])
    union = stack.any(axis=0)
    coverage = figures["coverage"]
    assert coverage["pixels_masked"] == np.count_nonzero(union)
    assert coverage["pixels_counted"] == np.count_nonzero(counted)
    assert coverage["percent_masked"] == 100 * np.count_nonzero(union) / np.count_nonzero(counted)
    assert coverage["pixels_overlapping"] == np.count_nonzero(stack.sum(axis=0) > 1)
    assert not (union & ~counted).any()
    for entry, mask in zip(figures["instances"], masks, strict=True):
        assert entry["area_px"] == np.count_nonzero(mask)
        rows, columns = np.nonzero(mask)
        assert entry["bbox"] == [
            columns.min(),
            rows.min(),
            columns.max() + 1 - columns.min(),
            rows.max() + 1 - rows.min(),
        ]
    for row in coverage["by_class"]:
        own = [
            mask
            for entry, mask in zip(figures["instances"], masks, strict=True)
            if entry["class"] == row["class"]
        ]
        assert row["count"] == len(own)
        assert row["pixels_masked"] == np.count_nonzero(np.array(own).any(axis=0) if own else 0)


def read(client: FlaskClient, id_: str, **query: str) -> Any:
    return body(client.get(f"{MEASUREMENTS}/{id_}", query_string=query))


def as_measured(answer: dict[str, Any]) -> dict[str, Any]:
    new = {"corrected", "reviewed", "corrected_percent_masked"}
    return {name: value for name, value in answer.items() if name not in new}


def test_what_is_rejected_is_listed_and_comes_back_with_its_id(client: FlaskClient) -> None:
    id_ = post(client, region='{"include": [[[0, 0], [40, 0], [40, 64], [0, 64]]]}')["id"]
    listed = f"{MEASUREMENTS}/{id_}/corrections"
    none = {"corrections": [], "count": 0, "next_url": None, "rejected": []}
    assert body(client.get(listed)) == none
    correct(client, id_, reject=[2], add=[{"class": "red", "mask": rle(box(0, 40, 9, 50))}])
    correct(client, id_, 1, reject=[3])
    assert [entry["mask"] for entry in body(client.get(listed))["rejected"]] == [None, None]
    rejected = body(client.get(f"{listed}?masks=rejected"))["rejected"]
    assert [(entry["id"], entry["class"], entry["origin"]) for entry in rejected] == [
        (2, "green", "measured"),
        (3, "red", "added"),
    ]
    assert np.array_equal(pixels(rejected[0]), box(*GREEN))  # all of it
    back = correct(client, id_, 2, restore=[2])["corrected"]
    assert [entry["id"] for entry in back["instances"]] == [1, 2]
    assert [entry["id"] for entry in body(client.get(listed))["rejected"]] == [3]


def test_a_correction_stands_beside_what_was_measured(client: FlaskClient) -> None:
    before = read(client, post(client)["id"])
    assert (before["corrected"], before["reviewed"], before["corrected_percent_masked"]) == (
        None,
        False,
        None,
    )
    answer = correct(
        client,
        before["id"],
        reject=[2],
        reclass=[{"id": 1.0, "class": "green"}],
        add=[{"class": "red", "mask": rle(box(60, 10, 70, 20))}],
        reason="a reflection",
    )
    corrected = answer["corrected"]
    check_figures(corrected)
    assert [(entry["id"], entry["class"], entry["origin"]) for entry in corrected["instances"]] == [
        (1, "green", "changed"),
        (3, "red", "added"),
    ]
    assert (corrected["number"], corrected["reviewed"], corrected["by"]) == (1, False, None)
    assert corrected["coverage"]["pixels_masked"] == 32 * 32 + 100
    assert answer["corrected_percent_masked"] == 100 * (32 * 32 + 100) / (HEIGHT * WIDTH)
    after = read(client, before["id"])
    assert after["corrected"] == corrected
    assert as_measured(after) == as_measured(before)


def test_ids_stay_and_never_come_twice(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    first = correct(client, id_, reject=[1], add=[{"class": "red", "mask": rle(box(60, 0, 64, 4))}])
    assert [entry["id"] for entry in first["corrected"]["instances"]] == [2, 3]
    second = correct(client, id_, 1, reject=[3], add=[{"class": "red", "mask": rle(box(70, 0, 74, 4))}])
    assert [entry["id"] for entry in second["corrected"]["instances"]] == [2, 4]
    third = correct(
        client, id_, 2, restore=[1, 3], replace=[{"id": 1, "mask": rle(box(0, 0, 8, 8))}], reject=[2]
    )
    check_figures(third["corrected"])
    assert [
        (entry["id"], entry["origin"], entry["area_px"]) for entry in third["corrected"]["instances"]
    ] == [
        (1, "changed", 64),
        (3, "added", 16),
        (4, "added", 16),
    ]
    assert third["corrected"]["instances"][0]["score"] == pytest.approx(0.9)
    listed = body(client.get(f"{MEASUREMENTS}/{id_}/corrections?masks=all"))["corrections"]
    assert [(entry["number"], entry["complete"]) for entry in listed] == [(1, False), (2, False), (3, False)]
    assert listed[0]["changes"]["add"] == [
        {"class": "red", "mask": rle(box(60, 0, 64, 4)), "polygon": None, "outside_of": []}
    ]
    assert listed[2]["changes"]["restore"] == [1, 3]
    assert listed[2]["percent_masked"] == third["corrected"]["coverage"]["percent_masked"]


def test_corrections_are_listed_a_page_at_a_time_and_with_masks_where_asked(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = post(client)["id"]
    for after in range(5):
        mask = rle(box(60, 10 * after, 70, 10 * after + 10))
        correct(client, id_, after, add=[{"class": "red", "mask": mask}], reason=f"number {after + 1}")

    def walk(**query: Any) -> list[list[Any]]:
        pages, url = [], f"{MEASUREMENTS}/{id_}/corrections"
        page = body(client.get(url, query_string=query))
        while True:
            assert page["count"] == 5
            pages.append(page["corrections"])
            if page["next_url"] is None:
                return pages
            page = body(client.get(urljoin(url, page["next_url"])))

    pages = walk(limit=2)
    assert [[entry["number"] for entry in page] for page in pages] == [[1, 2], [3, 4], [5]]
    assert {entry["changes"]["add"][0]["mask"] for page in pages for entry in page} == {None}
    assert [len(page) for page in walk(limit=2, after=3, masks="all")] == [2]
    whole = [entry for page in walk(masks="all") for entry in page]
    assert [pixels(entry["changes"]["add"][0]).argmax() // WIDTH for entry in whole] == [0, 10, 20, 30, 40]
    monkeypatch.setattr(corrections, "LARGEST", 500)  # what is long comes one at a time
    assert [len(page) for page in walk(masks="all")] == [1, 1, 1, 1, 1]
    for wrong in ({"limit": 0}, {"after": -1}, {"masks": "some"}, {"before": 1}):
        assert client.get(f"{MEASUREMENTS}/{id_}/corrections", query_string=wrong).status_code == 400


def test_polygons_cover_the_pixels_whose_centres_they_hold(client: FlaskClient) -> None:
    parts = [[[60, 10], [70, 10], [70, 20], [60, 20]], [[80, 2], [84, 2], [84, 6]]]
    answer = correct(client, post(client)["id"], reject=[1, 2], add=[{"class": "green", "polygon": parts}])
    (entry,) = answer["corrected"]["instances"]
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    triangle = (x <= 84) & (y >= 2) & (x - 80 >= y - 2)
    assert (pixels(entry) == box(60, 10, 70, 20) | triangle).all()
    assert entry["score"] == 1
    check_figures(answer["corrected"])


def test_a_complete_correction_makes_a_picture_reviewed_until_it_is_opened_again(client: FlaskClient) -> None:
    first, other = post(client)["id"], post(client)["id"]
    answer = correct(client, first, complete=True, reason="as it is")
    assert answer["reviewed"]
    assert [entry["origin"] for entry in answer["corrected"]["instances"]] == ["measured", "measured"]
    for name in ("pixels_masked", "pixels_counted", "pixels_overlapping", "percent_masked"):
        assert answer["corrected"]["coverage"][name] == answer["coverage"][name]
    for reviewed, ids in (("true", [first]), ("false", [other])):
        listed = body(client.get(MEASUREMENTS, query_string={"reviewed": reviewed}))
        assert [entry["id"] for entry in listed["measurements"]] == ids
        lines = body(client.get(f"{MEASUREMENTS}/lines", query_string={"reviewed": reviewed}))["lines"]
        assert [entry["id"] for entry in lines] == ids
    (line,) = body(client.get(f"{MEASUREMENTS}/lines", query_string={"reviewed": "true"}))["lines"]
    assert (line["reviewed"], line["corrections"]) == (True, 1)
    assert line["corrected_percent_masked"] == line["percent_masked"] == answer["coverage"]["percent_masked"]
    table = client.get(f"{MEASUREMENTS}/csv?csv_style=plain").text.splitlines()
    header = table[0].split(",")
    rows = [dict(zip(header, entry.split(","), strict=False)) for entry in table[1:]]
    assert [(row["reviewed"], row["corrections"]) for row in rows] == [("False", "0"), ("True", "1")]
    assert not correct(client, first, 1)["reviewed"]
    assert body(client.get(MEASUREMENTS, query_string={"reviewed": "true"}))["count"] == 0


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "an id that is none": ({"reject": [7]}, 409, "no instance has that id"),
    "an id twice": ({"reject": [1, 1]}, 409, "names 1 twice"),
    "what is there brought back": ({"restore": [1]}, 409, "is not rejected"),
    "rejected and changed": (
        {"reject": [1], "reclass": [{"id": 1, "class": "red"}]},
        409,
        "restore it first",
    ),
    "a class that is none": ({"reclass": [{"id": 1, "class": "blue"}]}, 409, "it knows red, green"),
    "a class of an added one": (
        {"add": [{"class": "blue", "mask": rle(box(0, 0, 2, 2))}]},
        409,
        "add 1 names the class 'blue'",
    ),
    "a mask of another size": (
        {"add": [{"class": "red", "mask": {"size": [WIDTH, HEIGHT], "counts": "0"}}]},
        409,
        "is of 64 x 96 pixels and the picture of 96 x 64",
    ),
    "run lengths that are none": (
        {"replace": [{"id": 1, "mask": {"size": [HEIGHT, WIDTH], "counts": "zz~"}}]},
        409,
        "cannot be read",
    ),
    "a mask without pixels": ({"replace": [{"id": 1, "mask": rle(box(0, 0, 0, 0))}]}, 409, "covers no pixel"),
    "neither mask nor polygon": ({"add": [{"class": "red"}]}, 409, "a mask or a polygon"),
    "a polygon that leaves": (
        {"add": [{"class": "red", "polygon": [[[0, 0], [200, 0], [0, 9]]]}]},
        409,
        "outside the picture",
    ),
    "a polygon without parts": ({"add": [{"class": "red", "polygon": []}]}, 409, "0 parts"),
    "too many corners": (
        {"add": [{"class": "red", "polygon": [[[1, 1]] * 100_001]}]},
        409,
        "100,001 corners and may have 100,000",
    ),
    "what is kept of an id that is none": (
        {"replace": [{"id": 1, "mask": rle(box(0, 0, 2, 2)), "outside_of": [7]}]},
        409,
        "outside_of of replace 1 names 7, and no instance has that id",
    ),
    "what is kept of an id twice": (
        {"add": [{"class": "red", "mask": rle(box(0, 0, 2, 2)), "outside_of": [1, 1]}]},
        409,
        "names 1 twice",
    ),
    "too many changes": ({"reject": [*range(1, 2002)]}, 409, "2,002 changes and may have 2,000"),
    "nothing": ({}, 409, "changes nothing"),
    "a word for an id": ({"reject": ["1"]}, 400, "reject.0: it should be a whole number"),
    "half an id": ({"reject": [1.5]}, 400, "reject.0"),
    "true for an id": ({"reject": [True]}, 400, "reject.0"),
    "what nobody knows": ({"delete": [1]}, 400, "delete"),
    "too long a reason": ({"reject": [1], "reason": "x" * 1001}, 400, "reason"),
}


def test_what_cannot_be_corrected_is_refused_and_nothing_is_lost(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    correct(client, id_, reject=[2])
    before = read(client, id_)
    for name, (changes, status, words) in WRONG.items():
        # What is right beside it does not happen either.
        right = (
            {"add": [{"class": "red", "mask": rle(box(60, 0, 64, 4))}]}
            if changes and "add" not in changes
            else {}
        )
        answer = send(client, id_, 1, **(right | changes))
        assert answer.status_code == status, (name, answer.text)
        assert words in body(answer)["error"]["message"], name
    assert read(client, id_) == before
    for sent, status in (
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"data": "[]", "content_type": "application/json"}, 400),
        ({"data": "after=1"}, 400),
        ({"json": {"reject": [1]}}, 400),
    ):
        assert client.post(f"{MEASUREMENTS}/{id_}/corrections", **sent).status_code == status
    assert read(client, id_) == before
    missing = send(client, "01ARZ3NDEKTSV4RRFFQ69G5FAV", reject=[1])
    assert (missing.status_code, body(missing)["error"]["code"]) == (404, "unknown_measurement")
    assert client.delete(f"{MEASUREMENTS}/{id_}").status_code == 204
    gone = send(client, id_, 1, reject=[1])
    assert (gone.status_code, "in the trash" in gone.text) == (404, True)
    assert client.post(f"/api/v1/trash/{id_}/restore").status_code == 200
    assert read(client, id_) == before


def test_bodies_that_would_take_all_memory_are_refused_before_they_are_read(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    polygon = '{"after": 0, "add": [{"class": "red", "polygon": [['
    for sent, status, words in (
        ('{"after": 0, "reject": [' + "1," * 350_000 + "1]}", 400, "350,000 values"),
        (polygon + "[]," * 350_000 + "[]]]}]}", 400, "350,000 values"),
        ("[" * 350_001, 400, "350,000 values"),
        ('"' * 700_001, 400, "350,000 values"),
        (polygon + "[]," * 100_000 + "[]]]}]}", 400, "add.0.polygon"),
        ('{"after": 0, "reject": [' + '"",' * 100_000 + "1]}", 400, "reject.0"),
        ('{"after": 0, ' + ", ".join(f'"{number}": 1' for number in range(2000)) + "}", 400, "send one like"),
        ('{"after": 0, "' + "x" * 100_000 + '": 1}', 400, "xxx: Extra"),
    ):
        answer = client.post(f"{MEASUREMENTS}/{id_}/corrections", data=sent, content_type="application/json")
        message = body(answer)["error"]["message"]
        assert (answer.status_code, words in message, len(message) < 500) == (status, True, True), message
    long = {"size": [HEIGHT, WIDTH], "counts": "[,{" * 200_000}  # in a text, such marks are no values
    answer = send(client, id_, add=[{"class": "red", "mask": long}])
    assert (answer.status_code, "not in COCO" in answer.text) == (409, True)
    over = client.post(
        f"{MEASUREMENTS}/{id_}/corrections", data=b" " * (2**25 + 1), content_type="application/json"
    )
    assert (over.status_code, "33,554,432 bytes" in over.text) == (413, True)
    assert read(client, id_)["corrected"] is None


def test_masks_of_one_correction_go_over_so_many_pixels_together(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape_masks, "MOST_PIXELS", 3 * HEIGHT * WIDTH)
    id_ = post(client)["id"]
    whole = [[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]]
    ways: tuple[dict[str, Any], ...] = (
        {"polygon": [whole]},
        {"polygon": [whole, whole]},
        {"mask": rle(box(0, 0, WIDTH, HEIGHT))},
    )
    for shape, most in zip(ways, (3, 1, 3), strict=True):
        answer = send(client, id_, add=[{"class": "red", **shape}] * (most + 1))
        assert answer.status_code == 409
        assert f"up to add {most + 1}, the masks" in body(answer)["error"]["message"]
    assert len(correct(client, id_, add=[{"class": "red", **ways[0]}] * 3)["corrected"]["instances"]) == 5


def test_of_two_people_at_once_the_second_is_told(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    correct(client, id_, reject=[1])
    before = read(client, id_)
    answer = send(client, id_, 0, reject=[2])
    assert (answer.status_code, body(answer)["error"]["code"]) == (409, "corrected_meanwhile")
    told = body(answer)["error"]["message"]
    assert "by somebody at 20" in told
    assert "1 correction, not 0" in told
    assert read(client, id_) == before


def test_what_counts_cuts_corrected_figures_as_it_does_measured_ones(client: FlaskClient) -> None:
    region = box(0, 0, 40, 64)
    polygon = {"include": [[[0, 0], [40, 0], [40, 64], [0, 64]]]}
    answer = post(client, region=json.dumps(polygon))
    id_ = answer["id"]
    added = {"class": "red", "mask": rle(box(36, 50, 60, 60))}
    inside = correct(client, id_, add=[added], reject=[1], complete=True)
    corrected = inside["corrected"]
    check_figures(corrected, region)
    assert [(entry["id"], entry["area_px"]) for entry in corrected["instances"]] == [(2, 16 * 32), (3, 40)]
    assert corrected["coverage"]["left_out"]["outside"] == 0

    everything = body(client.put(f"{MEASUREMENTS}/{id_}/region", query_string={"whole": "true"}))
    whole = read(client, id_)["corrected"]
    assert everything["corrected"]["coverage"] == whole["coverage"]
    check_figures(whole)
    assert [(entry["id"], entry["area_px"]) for entry in whole["instances"]] == [(2, 24 * 32), (3, 240)]
    assert not whole["reviewed"], "nobody went over what counts now"
    assert (whole["number"], whole["at"]) == (1, corrected["at"])
    back = body(client.delete(f"{MEASUREMENTS}/{id_}/region"))["corrected"]
    assert back["coverage"] == corrected["coverage"]
    assert correct(client, id_, 1, complete=True)["reviewed"]


def test_a_class_that_percentages_are_of_is_made_of_its_corrected_instances(client: FlaskClient) -> None:
    """Green is the part that counts: 24 x 32 pixels, of which red covers 8 x 24."""
    answer = post(client, of="green")
    assert answer["coverage"]["percent_masked"] == 100 * (8 * 24) / (24 * 32)
    more = correct(client, answer["id"], add=[{"class": "green", "mask": rle(box(0, 0, 24, 8))}])["corrected"]
    counted = box(*GREEN) | box(0, 0, 24, 8)
    check = more["coverage"]
    assert check["pixels_counted"] == np.count_nonzero(counted)
    assert check["pixels_masked"] == np.count_nonzero(box(*RED) & counted)
    assert [(entry["class"], entry["id"]) for entry in more["instances"]] == [("red", 1)]


def test_another_threshold_changes_what_was_measured_alone(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    corrected = correct(client, id_, reject=[1], complete=True)["corrected"]
    higher = body(client.put(f"{MEASUREMENTS}/{id_}/threshold", query_string={"score_threshold": 0.7}))
    assert [entry["class"] for entry in higher["instances"]] == ["red"]
    assert read(client, id_)["corrected"] == corrected
    assert read(client, id_, score_threshold="0.95")["corrected"] == corrected
    more = correct(client, id_, 1, add=[{"class": "red", "mask": rle(box(60, 0, 64, 4))}])["corrected"]
    assert [entry["id"] for entry in more["instances"]] == [2, 3]


def test_areas_and_verdicts_follow_the_scale_and_the_rules(client: FlaskClient) -> None:
    rules = [
        {"figure": "percent_masked", "at_most": 20},
        {"figure": "largest_area", "unit": "um", "at_most": 1000},
    ]
    assert client.put("/api/v1/profiles/strict", json={"rules": rules}).status_code == 200
    answer = post(client, profile="strict")
    assert (answer["verdict"], answer["rules"][1]["verdict"]) == ("fail", "undecided")
    id_ = answer["id"]
    one = correct(client, id_, reject=[2], complete=True)["corrected"]
    assert (one["verdict"], one["rules"][0]["verdict"], one["rules"][0]["reason"]) == (
        "undecided",
        "pass",
        None,
    )
    client.put(f"{MEASUREMENTS}/{id_}/scale", query_string={"pixel_size": 0.5, "unit": "um"})
    sized = read(client, id_)["corrected"]
    assert (sized["verdict"], sized["rules"][1]["value"]) == ("pass", 32 * 32 / 4)
    assert sized["coverage"]["area_masked"] == sized["instances"][0]["area"] == 32 * 32 / 4
    assert sized["reviewed"]
    assert client.delete(f"{MEASUREMENTS}/{id_}/scale").status_code == 200
    assert read(client, id_)["corrected"] == one


def test_a_file_with_areas_is_asked_for_again_where_the_scale_changed(client: FlaskClient) -> None:
    export = f"{MEASUREMENTS}/{post(client)['id']}/export?format=geojson"
    before = client.get(export)
    same = client.get(export, headers={"If-None-Match": before.headers["ETag"]})
    assert same.status_code == 304
    scale = {"pixel_size": "2", "unit": "um"}
    assert client.put(export.replace("/export?format=geojson", "/scale"), data=scale).status_code == 200
    after = client.get(export, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, "area_um2" in after.text, "area_um2" in before.text) == (200, True, False)


@pytest.mark.parametrize("kind", ["coco", "geojson", "labelme", "label_studio"])
def test_an_export_says_which_figures_it_carries(client: FlaskClient, kind: str) -> None:
    id_ = post(client)["id"]
    correct(client, id_, reject=[2], complete=True)
    for figures in ("measured", "corrected"):
        query = {"format": kind, "figures": figures}
        answer = client.get(f"{MEASUREMENTS}/{id_}/export", query_string=query)
        assert ("corrected" in answer.headers["Content-Disposition"]) == (figures == "corrected")
        assert f'"figures": "{figures}"' in answer.text
        assert '"reviewed": true' in answer.text


def test_archives_of_one_picture_say_which_figures_they_carry(client: FlaskClient) -> None:
    url = f"{MEASUREMENTS}/{post(client)['id']}"
    correct(client, url.rpartition("/")[2], reject=[1])
    for figures in ("measured", "corrected"):
        fiji, yolo = (
            zipfile.ZipFile(
                BytesIO(client.get(f"{url}/export", query_string={"format": kind, "figures": figures}).data)
            )
            for kind in ("fiji", "yolo")
        )
        with fiji, yolo:
            assert fiji.comment.decode().startswith(f"Figures as {figures}. ")
            (row,) = csv.DictReader(StringIO(yolo.read("coverage.csv").decode()))
            assert (row["figures"], row["reviewed"]) == (figures, "False")


def test_pictures_data_sets_and_archives_carry_corrected_figures(client: FlaskClient) -> None:
    first, second = post(client)["id"], post(client)["id"]
    correct(client, first, reject=[1], add=[{"class": "red", "mask": rle(box(60, 10, 70, 20))}])
    url = f"{MEASUREMENTS}/{first}"
    corrected = {"figures": "corrected"}
    instances = client.get(f"{url}/mask", query_string={"kind": "instance", **corrected})
    ids = np.asarray(Image.open(BytesIO(instances.data)))
    assert {int(id_): int(np.count_nonzero(ids == id_)) for id_ in np.unique(ids)} == {
        0: HEIGHT * WIDTH - 24 * 32 - 100,
        2: 24 * 32,
        3: 100,
    }
    assert "_corrected.png" in instances.headers["Content-Disposition"]
    plain, drawn = client.get(f"{url}/overlay"), client.get(f"{url}/overlay", query_string=corrected)
    assert plain.data != drawn.data
    assert plain.headers["ETag"] != drawn.headers["ETag"]
    own = body(client.get(f"{url}/coco", query_string=corrected))
    assert (own["info"]["figures"], [entry["area"] for entry in own["annotations"]]) == (
        "corrected",
        [768, 100],
    )
    assert body(client.get(f"{url}/coco"))["info"]["figures"] == "measured"
    many = body(client.get(f"{MEASUREMENTS}/coco", query_string=corrected))
    assert [(entry["measurement"], entry["figures"]) for entry in many["images"]] == [
        (second, "measured"),
        (first, "corrected"),
    ]
    assert [entry["area"] for entry in many["annotations"]] == [1024, 768, 768, 100]
    for content in ("mask", "overlay"):
        answer = client.get(f"{MEASUREMENTS}/zip", query_string={"content": content, **corrected})
        with zipfile.ZipFile(BytesIO(answer.data)) as archive:
            names = [name for name in archive.namelist() if name.endswith("_corrected.png")]
            assert [first in name for name in names] == [True]
            with archive.open(names[0]) as file:
                shown = client.get(f"{url}/{content}", query_string=corrected).data
                assert file.read() == shown
    figures = body(client.get(f"{url}/instances", query_string=corrected))
    assert (figures["figures"], [entry["area_px"] for entry in figures["instances"]]) == (
        "corrected",
        [768, 100],
    )
    both = client.get(f"{url}/coco", query_string={"score_threshold": "0.7", **corrected})
    assert (both.status_code, "give one of them" in both.text) == (409, True)


def test_what_is_measured_again_begins_without_corrections(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    correct(client, id_, reject=[1], complete=True)
    again = body(client.post(MEASUREMENTS, query_string={"from": id_}))
    assert (again["corrected"], again["reviewed"]) == (None, False)
    both = client.get("/api/v1/comparisons", query_string={"first": id_, "second": again["id"]})
    assert both.status_code == 200


def shapes() -> strategies.SearchStrategy[Bools]:
    """Return masks of one or two rectangles, each with a pixel."""
    edges = strategies.tuples(
        strategies.integers(0, WIDTH - 2),
        strategies.integers(0, HEIGHT - 2),
        strategies.integers(1, 40),
        strategies.integers(1, 40),
    ).map(lambda sides: box(sides[0], sides[1], sides[0] + sides[2], sides[1] + sides[3]))
    return strategies.lists(edges, min_size=1, max_size=2).map(lambda found: np.any(found, axis=0))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=strategies.data())
def test_any_corrections_come_to_what_a_plain_model_says(
    client: FlaskClient, data: strategies.DataObject
) -> None:
    """The model: for each id a class, a mask, and whether it is there."""
    answer = post(client)
    id_ = answer["id"]
    plain: dict[int, tuple[str, Bools, bool]] = {
        entry["id"]: (entry["class"], pixels(entry), True) for entry in answer["instances"]
    }
    for after in range(data.draw(strategies.integers(1, 4))):
        changes: dict[str, Any] = {"reject": [], "restore": [], "reclass": [], "replace": [], "add": []}
        for number, (old_name, old_mask, there) in [*plain.items()]:
            name, mask = old_name, old_mask
            what = data.draw(strategies.sampled_from(["leave", "turn", "reclass", "replace", "both"]))
            if what == "turn":
                changes["reject" if there else "restore"].append(number)
                plain[number] = (name, mask, not there)
            elif what != "leave" and there:
                if what in {"reclass", "both"}:
                    name = data.draw(strategies.sampled_from(["red", "green"]))
                    changes["reclass"].append({"id": number, "class": name})
                if what in {"replace", "both"}:
                    mask = data.draw(shapes())
                    changes["replace"].append({"id": number, "mask": rle(mask)})
                plain[number] = (name, mask, there)
        for mask in data.draw(strategies.lists(shapes(), max_size=2)):
            name = data.draw(strategies.sampled_from(["red", "green"]))
            changes["add"].append({"class": name, "mask": rle(mask)})
            plain[max(plain, default=0) + 1] = (name, mask, True)
        found = correct(client, id_, after, **changes, complete=True)["corrected"]
        check_figures(found)
        assert {entry["id"]: (entry["class"], rle(pixels(entry))) for entry in found["instances"]} == {
            number: (name, rle(mask)) for number, (name, mask, there) in plain.items() if there
        }


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=strategies.data())
def test_what_is_corrected_in_a_region_keeps_what_lies_outside(
    client: FlaskClient, data: strategies.DataObject
) -> None:
    """Of three instances, one is redrawn, joined with the second, or cut; without a region all of them is as before."""
    answer = post(client)
    id_ = answer["id"]
    third = data.draw(shapes())
    before = correct(client, id_, add=[{"class": "red", "mask": rle(third)}])["corrected"]
    plain = {entry["id"]: pixels(entry) for entry in before["instances"]}
    x0, y0 = data.draw(strategies.tuples(strategies.integers(0, 60), strategies.integers(0, 40)))
    region = box(
        x0, y0, x0 + data.draw(strategies.integers(1, 36)), y0 + data.draw(strategies.integers(1, 24))
    )
    corners = [[x0, y0], [int(np.nonzero(region)[1].max()) + 1, y0]]
    bottom = int(np.nonzero(region)[0].max()) + 1
    polygon = json.dumps({"include": [[*corners, [corners[1][0], bottom], [x0, bottom]]]})
    assert client.put(f"{MEASUREMENTS}/{id_}/region", query_string={"region": polygon}).status_code == 200
    chosen, other = data.draw(strategies.permutations([*plain]))[:2]
    first, second = (data.draw(shapes()) & region for _ in range(2))
    first, second = (mask if mask.any() else region for mask in (first, second))
    way = data.draw(strategies.sampled_from(["redraw", "join", "cut"]))
    owners = [chosen, other] if way == "join" else [chosen]
    changes: dict[str, Any] = {"replace": [{"id": chosen, "mask": rle(first), "outside_of": owners}]}
    if way == "join":
        changes["reject"] = [other]
    if way == "cut":
        changes["add"] = [{"class": "red", "mask": rle(second), "outside_of": owners}]
    found = correct(client, id_, 1, **changes)["corrected"]
    check_figures(found, region)
    shown = {entry["id"]: pixels(entry) for entry in found["instances"]}
    wanted = {number: mask & region for number, mask in plain.items() if number not in owners} | {
        chosen: first
    }
    wanted |= {4: second} if way == "cut" else {}
    wanted = {number: mask for number, mask in wanted.items() if mask.any()}
    assert {number: rle(mask) for number, mask in shown.items()} == {
        number: rle(mask) for number, mask in wanted.items()
    }
    client.put(f"{MEASUREMENTS}/{id_}/region", query_string={"whole": "true"})
    figures = read(client, id_)["corrected"]
    check_figures(figures)
    whole = {entry["id"]: pixels(entry) for entry in figures["instances"]}
    kept = np.any([plain[number] for number in owners], axis=0) & ~region
    if way == "cut":
        assert np.array_equal((whole[chosen] | whole[4]) & ~region, kept)
        assert not (whole[chosen] & whole[4] & ~region).any()
        assert np.array_equal(whole[4] & region, second)
    else:
        assert np.array_equal(whole[chosen], first | kept)
    for number, mask in plain.items():
        assert number in owners or np.array_equal(whole[number], mask)


def test_without_a_word_of_it_a_mask_is_all_of_an_instance(client: FlaskClient) -> None:
    id_ = post(client, region='{"include": [[[0, 0], [28, 0], [28, 64], [0, 64]]]}')["id"]
    correct(client, id_, replace=[{"id": 1, "mask": rle(box(0, 0, 8, 8))}])
    client.put(f"{MEASUREMENTS}/{id_}/region", query_string={"whole": "true"})
    whole = read(client, id_)["corrected"]["instances"]
    assert {entry["id"]: entry["area_px"] for entry in whole} == {1: 64, 2: 24 * 32}


def test_of_an_instance_that_is_cut_each_part_keeps_what_lies_on_its_side(client: FlaskClient) -> None:
    """Red is 32 pixels wide; its columns 8 to 24 count, and are cut in the middle."""
    id_ = post(client, region='{"include": [[[8, 0], [24, 0], [24, 64], [8, 64]]]}')["id"]
    changes: dict[str, Any] = {
        "replace": [{"id": 1, "mask": rle(box(8, 0, 16, 32)), "outside_of": [1]}],
        "add": [{"class": "red", "mask": rle(box(16, 0, 24, 32)), "outside_of": [1]}],
        "reject": [2],
    }
    correct(client, id_, **changes)
    client.put(f"{MEASUREMENTS}/{id_}/region", query_string={"whole": "true"})
    left, right = read(client, id_)["corrected"]["instances"]
    assert np.array_equal(pixels(left), box(0, 0, 16, 32))
    assert np.array_equal(pixels(right), box(16, 0, 32, 32))


def test_reviewed_pictures_are_a_data_set_to_train_and_to_evaluate_with(
    client: FlaskClient, tmp_path: Path
) -> None:
    older, newer, other, part, plain = (post(client, filename=name)["id"] for name in ("a.png",) * 5)
    del older, plain
    for id_, shape in ((newer, box(60, 0, 64, 4)), (other, box(70, 0, 74, 4))):
        correct(client, id_, reject=[1], add=[{"class": "red", "mask": rle(shape)}])
    client.put(f"{MEASUREMENTS}/{part}/region", query_string={"whole": "true", "least_area": 2})
    correct(client, part, complete=True)
    assert body(client.get("/api/v1/datasets/reviewed"))["images"] == []
    correct(client, newer, 1, complete=True)
    correct(client, other, 1, complete=True)
    found = body(client.get("/api/v1/datasets/reviewed"))
    assert [image["measurement"] for image in found["images"]] == [other], "of one picture the newest"
    url = urljoin("/api/v1/datasets/reviewed", found["images"][0]["coco_url"])
    assert client.get(url).data == PICTURE
    assert body(client.get("/api/v1/datasets/reviewed?model=none"))["images"] == []
    answer = client.get("/api/v1/datasets/reviewed?format=zip")
    with zipfile.ZipFile(BytesIO(answer.data)) as archive:
        archive.extractall(tmp_path / "set")
    assert json.loads((tmp_path / "set" / "left_out.json").read_text()) == [
        {"measurement": part, "why": "only a part of it counted"},
        {"measurement": newer, "why": "its picture was reviewed again later"},
    ]
    labels = open_labels(tmp_path / "set" / "reviewed.json", None, Report())
    assert labels.classes == ("red", "green")
    (picture,) = labels.pictures
    areas = [unite([shape.draw(HEIGHT, WIDTH) for shape in entry.shapes]).area for entry in picture.objects]
    assert areas == [24 * 32, 16]


def test_the_history_shows_and_finds_what_was_reviewed(client: FlaskClient) -> None:
    first, second = post(client, filename="first.png")["id"], post(client, filename="second.png")["id"]
    correct(client, first, reject=[1], complete=True)
    correct(client, second, reject=[2])
    table = client.get("/measurements?view=table").text
    assert re.search(r">12\.5\d*<small>&thinsp;% reviewed</small>", table)
    assert re.search(r">16\.67\d*<small>&thinsp;%</small>", table)
    reviewed = client.get("/measurements?view=table&reviewed=true").text
    assert ("first.png" in reviewed, "second.png" in reviewed) == (True, False)
    assert '<option value="true" selected>' in reviewed


def test_correcting_reserves_the_memory_that_it_takes(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masks of long run lengths, of which all is window, are what takes most."""
    side = 600
    picture = encoded(blocks(red=RED, width=side, height=side))
    stripes = np.zeros((side, side), bool)
    stripes[::2] = True
    held: list[int] = []
    reserved = Memory.reserved

    def spy(memory: Memory, wanted: int, deadline: Deadline) -> AbstractContextManager[None]:
        held.append(wanted)
        return reserved(memory, wanted, deadline)

    for query in ({}, {"region": '{"include": [[[1, 1], [599, 1], [599, 599], [1, 599]]]}'}):
        answer = client.post(MEASUREMENTS, data=picture, content_type="image/png", query_string=query)
        id_ = body(answer)["id"]
        add = [{"class": "red", "mask": rle(stripes)}] * 12 + [
            {"class": "red", "polygon": [[[0, 0], [side, 0], [side, side]]]}
        ]
        with monkeypatch.context() as patch:
            patch.setattr(Memory, "reserved", spy)
            held.clear()
            tracemalloc.start()
            sent = send(client, id_, add=add, replace=[{"id": 1, "mask": rle(stripes), "outside_of": [1]}])
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert sent.status_code == 201
        body_room, *counting = held
        assert peak < body_room + max(counting), (peak, held)
        assert max(counting) < 3 * peak, "and not many times as much"


def test_what_takes_more_memory_than_there_is_is_refused(client: FlaskClient) -> None:
    id_ = post(client)["id"]
    parts = client.application.extensions["planimeter"]
    before, parts.memory = parts.memory, Memory(50_000)
    try:
        answer = send(client, id_, add=[{"class": "red", "mask": rle(box(0, 0, WIDTH, HEIGHT))}] * 9)
    finally:
        parts.memory = before
    assert (answer.status_code, "start the service with more --memory" in answer.text) == (409, True)
    assert read(client, id_)["corrected"] is None


@settings(max_examples=50, deadline=None)
@given(data=strategies.data())
def test_the_window_of_a_mask_is_known_without_it(data: strategies.DataObject) -> None:
    mask = rle_encode(WindowMask(0, 0, data.draw(shapes())), HEIGHT, WIDTH)
    assert window_pixels(mask) == rle_window(mask).pixels.size


def test_of_two_people_at_the_same_moment_one_is_told(client: FlaskClient) -> None:
    """Each after what it has seen: one correction is made, and the other refused without a trace."""
    id_ = post(client)["id"]
    app, begin = client.application, Barrier(4)

    def reject(number: int) -> tuple[int, Any]:
        begin.wait()
        answer = send(app.test_client(), id_, 0, reject=[number % 2 + 1], reason=str(number))
        return answer.status_code, body(answer)

    with ThreadPoolExecutor(4) as people:
        answers = [*people.map(reject, range(4))]
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
    for status, answer in answers:
        assert status == 201 or answer["error"]["code"] == "corrected_meanwhile"
    listed = body(client.get(f"{MEASUREMENTS}/{id_}/corrections"))
    (won,) = (number for number, (status, _) in enumerate(answers) if status == 201)
    assert [entry["reason"] for entry in listed["corrections"]] == [str(won)]
    assert [entry["id"] for entry in listed["rejected"]] == [won % 2 + 1]


def test_the_report_shows_corrected_figures_beside_measured_ones(client: FlaskClient) -> None:
    """On a sheet with the picture of both, and in the list; each says which it is."""
    first, second = post(client, filename="first.png")["id"], post(client, filename="second.png")["id"]
    correct(client, first, reject=[2], complete=True)
    answer = client.get(f"/report?ids={first}")
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)).replace("&thinsp;", "")
    # 32 x 32 and 24 x 32 pixels that share 8 x 24, of 96 x 64; then the first alone.
    assert re.search(r"26\.0\d* ?% masked, as measured", page)
    assert re.search(r"16\.67\d* ?% masked, corrected and reviewed", page)
    assert re.search(r".9\.3[78] points", page)
    assert "Pixels masked, corrected 1,024 of 6,144" in page
    pictures = re.findall(r'class="sheet-picture" src="([^"]+)"', answer.text)
    drawn = [client.get(urljoin("/report", url.replace("&amp;", "&"))).data for url in pictures]
    assert drawn[1] == client.get(f"{MEASUREMENTS}/{first}/overlay?format=jpeg&figures=corrected").data
    assert drawn[0] == client.get(f"{MEASUREMENTS}/{first}/overlay?format=jpeg").data != drawn[1]
    plain = client.get(f"/report?ids={second}").text
    assert ("corrected" in plain, plain.count('class="sheet-picture"')) == (False, 1)
    listed = client.get("/report?repeats=true").text
    assert re.findall(r"data-row-corrected>([^&]*)", listed) == ["corrected and reviewed: 16.67"]
