"""Many measurements at once through the API: filters, table, COCO, archive, trend, statistics, deleting."""

import csv
import json
import zipfile
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from pycocotools.coco import COCO

from fakes import blocks, encoded
from planimeter.exports.coco import of_many
from planimeter.service.api.exports import sources
from planimeter.service.api.options.filters import MOST_LISTED
from planimeter.service.api.options.many import MOST_AT_ONCE
from planimeter.settings import Settings
from planimeter.store import Store
from stored import measurement
from test_api import MEASUREMENTS, OVERLAPPING, assert_problem, body, files, post

QUARTER = encoded(blocks(red=(0, 0, 32, 32)))
"""25 % red."""


@pytest.fixture
def three(client: FlaskClient) -> list[Any]:
    """Three measurements, oldest first: 25 % red, 37.5 % of both, nothing."""
    sent: tuple[tuple[bytes, str, dict[str, str]], ...] = (
        (QUARTER, "Coil 1.png", {"batch": "shift-7"}),
        (OVERLAPPING, "coil 2.png", {"batch": "shift-7"}),
        (encoded(blocks()), "plate.png", {}),
    )
    return [body(post(client, data, filename, **more)) for data, filename, more in sent]


def listed(client: FlaskClient, **query: Any) -> list[str]:
    answer = client.get(MEASUREMENTS, query_string=query)
    assert answer.status_code == 200, answer.text
    assert body(answer)["count"] == len(body(answer)["measurements"])
    return [entry["image"]["filename"] for entry in body(answer)["measurements"]]


def table_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


# ---- Filters


def test_every_filter_narrows_the_list_down(client: FlaskClient, three: list[Any]) -> None:
    assert listed(client, batch="shift-7") == ["coil 2.png", "Coil 1.png"]
    assert listed(client, filename="COIL") == ["coil 2.png", "Coil 1.png"]
    assert listed(client, min_percent=25, max_percent=37) == ["Coil 1.png"]
    assert listed(client, **{"class": "green"}) == ["coil 2.png"]
    assert listed(client, ids=f"{three[0]['id']},{three[2]['id']}") == ["plate.png", "Coil 1.png"]
    assert listed(client, ids=[three[0]["id"], three[1]["id"]], filename="2") == ["coil 2.png"]
    assert listed(client, ids="") == [], "an empty selection is not all"


def test_answers_tell_the_batch(client: FlaskClient, three: list[Any]) -> None:
    assert [entry["batch"] for entry in three] == ["shift-7", "shift-7", None]
    assert body(client.get(f"{MEASUREMENTS}/{three[0]['id']}"))["batch"] == "shift-7"
    assert_problem(post(client, QUARTER, batch="a b"), 400, "invalid_option", "batch", "'a b'")


def test_the_next_page_keeps_a_selection(client: FlaskClient, three: list[Any]) -> None:
    ids = [entry["id"] for entry in three]
    first = body(client.get(MEASUREMENTS, query_string={"ids": ids, "limit": 2}))
    second = body(client.get(f"/api/v1/{first['next_url']}"))
    assert [entry["id"] for entry in first["measurements"] + second["measurements"]] == ids[::-1]
    assert second["next_url"] is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"min_percent": "101"}, ("min_percent", "101", "100")),
        ({"since": "0.5"}, ("since", "0.5", "2026-11-26T14:30:00Z")),
        ({"min_percent": ""}, ("min_percent", "''", "number")),
        ({"max_percent": "nan"}, ("max_percent", "finite")),
        ({"filename": "x" * 256}, ("filename", "255")),
        ({"ids": ",".join(["x"] * (MOST_LISTED + 1))}, ("ids", str(MOST_LISTED))),
        ({"since": "yesterday"}, ("since", "yesterday")),
    ],
)
def test_a_wrong_filter_is_named_everywhere(
    client: FlaskClient, query: dict[str, str], words: tuple[str, ...]
) -> None:
    for path in ("", "/csv", "/coco", "/zip", "/trend", "/statistics"):
        answer = client.get(MEASUREMENTS + path, query_string=query)
        assert_problem(answer, 400, "invalid_option", *words)
        assert len(answer.data) < 1000


def test_conditions_that_nothing_can_fulfil_contradict_each_other(client: FlaskClient) -> None:
    answer = client.get(MEASUREMENTS, query_string={"min_percent": "30", "max_percent": "20"})
    assert_problem(answer, 409, "invalid_option", "30", "20", "nothing lies between")


# ---- Table


def test_a_table_lists_those_that_are_meant_with_the_percent_of_each_class(
    client: FlaskClient, three: list[Any]
) -> None:
    answer = client.get(f"{MEASUREMENTS}/csv", query_string={"filename": "coil"})
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == "attachment; filename=measurements.csv"
    both, quarter = table_of(answer.text)
    assert (both["id"], quarter["id"]) == (three[1]["id"], three[0]["id"])
    assert (both["percent_masked"], quarter["percent_masked"]) == ("37.5", "25.0")
    assert (both["percent_masked[green]"], quarter["percent_masked[green]"]) == ("25.0", "0.0")
    assert both["batch"] == "shift-7"


def test_models_with_other_classes_share_a_table(store: Store, client: FlaskClient) -> None:
    for model, classes in (("steel", {"pits": 2, "dents": 0}), ("nuclei", {"nucleus": 1})):
        store.add(measurement(model=model, classes=classes), picture=b"", overlay_png=b"", mask_png=b"")
    nuclei, steel = table_of(client.get(f"{MEASUREMENTS}/csv").text)
    columns = [name for name in steel if name.startswith("percent_masked[")]
    assert columns == ["percent_masked[nucleus]", "percent_masked[pits]", "percent_masked[dents]"]
    assert [steel[name] for name in columns] == ["", "2.0", "0.0"]
    assert [nuclei[name] for name in columns] == ["1.0", "", ""]


def test_an_empty_table_has_a_header(client: FlaskClient) -> None:
    assert client.get(f"{MEASUREMENTS}/csv").text.startswith("id,created_at,")


# ---- COCO


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools with NumPy 2
def test_one_coco_file_of_many_pictures_is_read_by_pycocotools(
    client: FlaskClient, three: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = client.get(f"{MEASUREMENTS}/coco")
    (tmp_path / "coco.json").write_bytes(answer.data)
    dataset = COCO(str(tmp_path / "coco.json"))
    capsys.readouterr()
    assert [entry["file_name"] for entry in dataset.loadImgs(dataset.getImgIds())] == [
        "plate.png",
        "coil 2.png",
        "Coil 1.png",
    ]
    assert dataset.loadCats(dataset.getCatIds()) == [{"id": 1, "name": "red"}, {"id": 2, "name": "green"}]
    assert len(dataset.getAnnIds()) == len(set(dataset.getAnnIds())) == 3
    union = np.zeros((64, 64), bool)
    for annotation in dataset.loadAnns(dataset.getAnnIds(imgIds=[2])):
        mask = dataset.annToMask(annotation).astype(bool)
        assert mask.sum() == annotation["area"] == 1024
        union |= mask
    assert union.sum() == three[1]["coverage"]["pixels_masked"] == 1536
    [image] = [entry for entry in json.loads(answer.data)["images"] if entry["id"] == 2]
    assert image["measurement"] == three[1]["id"]


def test_classes_of_the_same_name_are_one_category_whatever_their_model(store: Store) -> None:
    kinds = (
        ("steel", {"scratch": 1, "pit": 1}),
        ("tiles", {"crack": 1, "scratch": 1}),
        ("nuclei", {"nucleus": 1}),
    )
    for model, classes in kinds:
        store.add(measurement(model=model, classes=classes), picture=b"", overlay_png=b"", mask_png=b"")
    dataset = json.loads("".join(of_many(sources(store.walk()))))
    categories = {entry["name"]: entry["id"] for entry in dataset["categories"]}
    assert set(categories) == {"scratch", "pit", "crack", "nucleus"}
    assert len(set(categories.values())) == 4
    assert categories["nucleus"] == 1, "the newest keeps the id that its class has"


def test_no_measurement_makes_a_valid_coco_file(client: FlaskClient) -> None:
    dataset = json.loads(client.get(f"{MEASUREMENTS}/coco").data)
    assert (dataset["images"], dataset["annotations"], dataset["categories"]) == ([], [], [])


# ---- Archive


def test_an_archive_holds_the_drawn_pictures_and_their_table(client: FlaskClient, three: list[Any]) -> None:
    answer = client.get(f"{MEASUREMENTS}/zip", query_string={"batch": "shift-7"})
    assert answer.content_type == "application/zip"
    with zipfile.ZipFile(BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            f"coil_2_{three[1]['id']}_overlay.png",
            f"Coil_1_{three[0]['id']}_overlay.png",
            "measurements.csv",
        ]
        drawn = client.get(f"{MEASUREMENTS}/{three[1]['id']}/overlay").data
        assert archive.read(archive.namelist()[0]) == drawn
        table = table_of(archive.read("measurements.csv").decode())
    assert [entry["percent_masked"] for entry in table] == ["37.5", "25.0"]


@pytest.mark.parametrize(("content", "mode"), [("mask", "L"), ("image", "RGB")])
def test_an_archive_can_hold_masks_or_uploads(
    client: FlaskClient, three: list[Any], content: str, mode: str
) -> None:
    query = {"content": content, "ids": three[1]["id"]}
    answer = client.get(f"{MEASUREMENTS}/zip", query_string=query)
    with zipfile.ZipFile(BytesIO(answer.data)) as archive, archive.open(archive.namelist()[0]) as file:
        picture = Image.open(file)
        assert picture.mode == mode
        if content == "mask":
            assert np.count_nonzero(np.asarray(picture)) == 1536


def test_an_archive_names_the_files_that_a_person_moved_away(
    client: FlaskClient, store: Store, settings: Settings, three: list[Any]
) -> None:
    moved = Path(settings.output_folder) / store.get(three[0]["id"]).files.overlay
    moved.unlink()
    with zipfile.ZipFile(BytesIO(client.get(f"{MEASUREMENTS}/zip").data)) as archive:
        assert archive.read("missing.txt").decode() == f"{moved.name}\n"
        assert len(archive.namelist()) == 4
        assert len(table_of(archive.read("measurements.csv").decode())) == 3


def test_archives_and_coco_files_have_an_end(
    client: FlaskClient, three: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planimeter.service.api.many.MOST_AT_ONCE", 2)
    for path in ("/zip", "/coco"):
        assert_problem(client.get(MEASUREMENTS + path), 409, "too_many", "3", "2", "since")
        assert client.get(MEASUREMENTS + path, query_string={"batch": "shift-7"}).status_code == 200
    assert len(table_of(client.get(f"{MEASUREMENTS}/csv").text)) == len(three), "a table has none"


# ---- Trend and statistics


def test_the_trend_answers_points_buckets_and_colours(client: FlaskClient, three: list[Any]) -> None:
    trend = body(client.get(f"{MEASUREMENTS}/trend"))
    assert trend["count"] == 3
    assert trend["percent_masked"]["median"] == 25
    assert [point["id"] for point in trend["points"]] == [entry["id"] for entry in three]
    assert trend["points"][1]["by_class"] == [
        {"class": "red", "percent_masked": 25.0},
        {"class": "green", "percent_masked": 25.0},
    ]
    assert trend["classes"] == [{"class": "red", "color": "#d55e00"}, {"class": "green", "color": "#009e73"}]
    assert sum(bucket["percent_masked"]["count"] for bucket in trend["buckets"]) == 3
    assert trend["points"][0]["url"] == three[0]["id"], "relative to the trend's own address"
    assert trend["fences"][0] < 0


def test_statistics_sum_up_and_judge_by_the_limit(client: FlaskClient, three: list[Any]) -> None:
    total = body(client.get(f"{MEASUREMENTS}/statistics", query_string={"limit_percent": 25}))
    assert (total["count"], total["passed"], total["failed"]) == (3, 2, 1), "at the limit passes"
    assert total["pixels_masked"] == 1024 + 1536
    assert total["percent_of_pixels"] == pytest.approx(100 * 2560 / (3 * 4096))
    assert total["instance_count"] == 3
    assert [(entry["class"], entry["measurements"]) for entry in total["by_class"]] == [
        ("red", 2),
        ("green", 1),
    ]
    assert sum(entry["count"] for entry in total["histogram"]) == 3
    assert total["percent_masked"]["maximum"] == 37.5
    assert len(three) == total["count"]


def test_statistics_of_nothing_are_empty(client: FlaskClient) -> None:
    total = body(client.get(f"{MEASUREMENTS}/statistics"))
    assert (total["count"], total["percent_masked"], total["percent_of_pixels"]) == (0, None, None)
    assert (total["passed"], total["histogram"]) == (None, [])


# ---- Deleting


def test_a_selection_is_deleted_with_its_files(client: FlaskClient, three: list[Any], settings: Any) -> None:
    query = {"ids": [three[0]["id"], three[1]["id"]], "count": 2, "for_good": "true"}
    answer = client.delete(MEASUREMENTS, query_string=query)
    assert (answer.status_code, body(answer)) == (200, {"deleted": 2, "deletion": None})
    assert listed(client) == ["plate.png"]
    assert len(files(settings)) == 3


def test_deleting_by_a_filter_needs_the_right_number(
    client: FlaskClient, three: list[Any], settings: Any
) -> None:
    before = files(settings)
    missing = client.delete(MEASUREMENTS, query_string={"batch": "shift-7"})
    assert_problem(missing, 400, "invalid_option", "count is missing")
    wrong = client.delete(MEASUREMENTS, query_string={"batch": "shift-7", "count": 3})
    assert_problem(wrong, 409, "count_differs", "2 measurements match, not 3")
    too_many = client.delete(MEASUREMENTS, query_string={"count": MOST_AT_ONCE + 1})
    assert_problem(too_many, 400, "invalid_option", "count", "10000")
    assert files(settings) == before
    done = client.delete(MEASUREMENTS, query_string={"batch": "shift-7", "count": 2})
    assert body(done)["deleted"] == 2
    assert len(three) - 2 == len(listed(client))


def test_a_page_of_another_site_deletes_nothing(client: FlaskClient, three: list[Any]) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = client.delete(MEASUREMENTS, query_string={"count": 3}, headers=headers)
    assert_problem(answer, 403, "forbidden")
    assert len(listed(client)) == len(three)
