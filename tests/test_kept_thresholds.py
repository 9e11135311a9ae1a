"""A score threshold that is kept for one measurement: wherever the measurement is shown, it counts."""

import csv
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from fakes import blocks, encoded
from planimeter.settings import Settings
from planimeter.store import Filter, Store
from planimeter.store.slots import written_slots

API = "/api/v1/measurements"
PICTURE = encoded(blocks(red=(0, 0, 32, 32), green=(32, 32, 64, 64)))
"""Red scores 0.9 and green 0.6; each is a quarter of the picture."""


@pytest.fixture
def measured(client: FlaskClient) -> str:
    answer = client.post(f"{API}?batch=b", data=PICTURE, content_type="image/png")
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    return str(answer.json["id"])


def keep(client: FlaskClient, id_: str, threshold: float) -> Any:
    answer = client.put(f"{API}/{id_}/threshold?score_threshold={threshold}")
    assert answer.status_code == 200, answer.text
    return answer.json


def read(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(BytesIO(data)))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_what_is_kept_counts_everywhere(
    client: FlaskClient, measured: str, settings: Settings, store: Store
) -> None:
    before = read(client, f"{API}/{measured}")
    assert before["coverage"]["percent_masked"] == 50
    assert (before["measured_threshold"], before["kept_threshold"]) == (0.5, None)
    asked = read(client, f"{API}/{measured}?score_threshold=0.8")
    kept = keep(client, measured, 0.8)
    assert kept["coverage"] == asked["coverage"]
    assert kept["coverage"]["percent_masked"] == 25
    assert (kept["measured_threshold"], kept["kept_threshold"]) == (0.5, 0.8)
    assert kept["options"]["score_threshold"] == 0.8

    after = read(client, f"{API}/{measured}")
    assert after["instances"] == asked["instances"]
    assert after["notes"] == asked["notes"]
    (listed,) = read(client, API)["measurements"]
    assert (listed["coverage"]["percent_masked"], listed["instance_count"]) == (25, 1)
    (row,) = csv.DictReader(StringIO(client.get(f"{API}/csv").text))
    assert (row["percent_masked"], row["score_threshold"], row["measured_threshold"]) == (
        "25.0",
        "0.8",
        "0.5",
    )
    assert row["percent_masked[green]"] == "0.0"
    statistics = read(client, f"{API}/statistics")
    assert (statistics["percent_masked"]["mean"], statistics["instance_count"]) == (25, 1)
    assert [entry["class"] for entry in statistics["by_class"]] == ["red"]
    assert read(client, f"{API}/trend")["points"][0]["percent_masked"] == 25
    assert read(client, f"{API}?class=green")["count"] == 0
    assert read(client, f"{API}?max_percent=30")["count"] == 1
    assert "25.00" in client.get(f"/report?ids={measured}").text
    annotations = read(client, f"{API}/coco")["annotations"]
    assert [entry["category_id"] for entry in annotations] == [1]

    mask = pixels(client.get(f"{API}/{measured}/mask").data)
    assert int((mask == 255).sum()) == 32 * 32
    with ZipFile(BytesIO(client.get(f"{API}/zip?content=mask").data)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("_mask.png"))
        assert int((pixels(archive.read(name)) == 255).sum()) == 32 * 32
    # The folder has the pictures that count, and no others.
    assert len(files(Path(settings.output_folder))) == 2
    assert store.list(Filter(max_percent=30))[0].kept_threshold == 0.8


def test_taking_it_back_brings_back_all_to_the_byte(
    client: FlaskClient, measured: str, settings: Settings
) -> None:
    before, drawn = read(client, f"{API}/{measured}"), files(Path(settings.output_folder))
    keep(client, measured, 0.8)
    keep(client, measured, 0.95)
    assert read(client, f"{API}/{measured}")["coverage"]["percent_masked"] == 0
    assert read(client, f"{API}/{measured}?score_threshold=0.5")["coverage"] == before["coverage"]
    answer = client.delete(f"{API}/{measured}/threshold")
    assert answer.status_code == 200
    assert read(client, f"{API}/{measured}") == before
    assert files(Path(settings.output_folder)) == drawn
    keep(client, measured, 0.5)  # the one it was measured with: nothing to keep
    assert read(client, f"{API}/{measured}") == before


def test_lower_thresholds_take_what_was_left_out(client: FlaskClient) -> None:
    answer = client.post(f"{API}?score_threshold=0.8", data=PICTURE, content_type="image/png")
    assert answer.json is not None
    id_ = answer.json["id"]
    assert answer.json["coverage"]["percent_masked"] == 25
    assert keep(client, id_, 0.1)["coverage"]["percent_masked"] == 50
    assert read(client, f"{API}?class=green")["count"] == 1


def test_what_follows_the_threshold_is_asked_for_again(client: FlaskClient, measured: str) -> None:
    for path in ("overlay", "mask", "coco"):
        first = client.get(f"{API}/{measured}/{path}")
        assert "no-cache" in first.headers["Cache-Control"], path
        tag = {"If-None-Match": first.headers["ETag"]}
        assert client.get(f"{API}/{measured}/{path}", headers=tag).status_code == 304
        keep(client, measured, 0.8)
        assert client.get(f"{API}/{measured}/{path}", headers=tag).status_code == 200
        settled = client.get(f"{API}/{measured}/{path}?score_threshold=0.8")
        assert "no-cache" in settled.headers["Cache-Control"], "the region may change"
        client.delete(f"{API}/{measured}/threshold")


def test_what_cannot_be_kept_is_said_and_changes_nothing(client: FlaskClient, measured: str) -> None:
    before = read(client, f"{API}/{measured}")
    for path, status in (
        (f"{measured}/threshold?score_threshold=1.2", 400),
        (f"{measured}/threshold", 400),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV/threshold?score_threshold=0.3", 404),
    ):
        assert client.put(f"{API}/{path}").status_code == status
    assert read(client, f"{API}/{measured}") == before


def test_a_failure_on_the_way_leaves_what_was(
    client: FlaskClient, measured: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, drawn = read(client, f"{API}/{measured}"), files(Path(settings.output_folder))

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", fail)
        answer = client.put(f"{API}/{measured}/threshold?score_threshold=0.8")
    assert answer.status_code == 503
    assert json.loads(answer.text)["error"]["code"] == "store_failed"
    assert read(client, f"{API}/{measured}") == before
    assert files(Path(settings.output_folder)) == drawn
    assert not any(note for _, note in written_slots(Path(settings.output_folder) / ".incoming"))


def test_deleting_takes_all_files(client: FlaskClient, measured: str, settings: Settings) -> None:
    keep(client, measured, 0.8)
    assert client.delete(f"{API}/{measured}?for_good=true").status_code == 204
    assert files(Path(settings.output_folder)) == {}
    assert files(Path(settings.upload_folder)) == {}


def test_the_small_picture_shows_what_counts(client: FlaskClient, measured: str) -> None:
    def green(path: str) -> bool:
        corner = pixels(client.get(path).data)[48, 48].astype(int)  # in the middle of what is green
        return bool(abs(corner - [0, 255, 0]).max() < 12)

    small = f"/measurements/{measured}/thumbnail"
    assert not green(small)  # masked: not the green of the picture
    first = client.get(small)
    assert "immutable" in first.headers["Cache-Control"]
    keep(client, measured, 0.8)
    assert green(small)
    assert "no-cache" in client.get(small).headers["Cache-Control"]
    assert green(f"{small}?at=0.8")
    assert "immutable" in client.get(f"{small}?at=0.8").headers["Cache-Control"]
    assert not green(f"{small}?at=0.5")
    assert f"{measured}/thumbnail?at=0.8" in client.get("/measurements").text
