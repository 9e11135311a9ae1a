"""What people reviewed is learnt from: as a job's own copy, which says which measurements and corrections it holds."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from fakes import MODEL, block_pack, blocks, encoded
from labelled import write_dataset
from planimeter.commands import main
from planimeter.errors import TooFewPictures
from planimeter.labels import read_labels
from planimeter.labels.content import content_of, digest_of, hold_out
from planimeter.service.context import EXTENSION, Context
from planimeter.service.learning_from import LEAST_REVIEWED, write_reviewed
from planimeter.settings import Settings
from planimeter.training.learnt import learnt_from
from planimeter.training.reviews import read_reviews
from test_api import MEASUREMENTS, assert_problem, body, post

pytest.importorskip("torch", reason="the train extra is not installed")


@pytest.fixture
def parts(app: Flask) -> Context:
    found: Context = app.extensions[EXTENSION]
    return found


def review(client: FlaskClient, number: int = 0, picture: bytes | None = None, **changes: Any) -> str:
    """Measure a picture, one that is like no other, say that all of it is right, and return its id."""
    pixels = blocks(red=(0, 0, 8 + number, 32), green=(40, 40, 60, 50))
    pixels[:, :, 2] = np.random.default_rng(number).integers(0, 200, pixels.shape[:2])
    made = body(post(client, picture or encoded(pixels), filename=f"strip {number}.png"))["id"]
    answer = client.post(
        f"{MEASUREMENTS}/{made}/corrections", json={"after": 0, "complete": True, "reason": "seen", **changes}
    )
    assert answer.status_code == 201, answer.text
    return str(made)


def test_reviewed_pictures_are_copied_with_the_corrections_that_they_had(
    client: FlaskClient, parts: Context, tmp_path: Path
) -> None:
    ids = [review(client, number) for number in range(LEAST_REVIEWED - 1)]
    ids.append(review(client, 20, reject=[1]))
    labels = write_reviewed(parts.store, MODEL, tmp_path / "data")
    for id_ in ids[:2]:  # what is done later changes nothing
        client.delete(f"{MEASUREMENTS}/{id_}")
    data = read_labels(labels)
    assert data.classes == ("red", "green")
    assert {len(picture.labels) for picture in data.pictures} == {1, 2}
    reviews = read_reviews(labels.parent)
    learnt = learnt_from(data, reviewed=reviews)
    assert sorted(entry.measurement or "" for entry in learnt.pictures) == sorted(ids)
    assert {entry.corrections for entry in learnt.pictures} == {1}
    assert learnt.sha256 == digest_of([content_of(entry, data.classes) for entry in data.pictures])
    other = read_labels(write_reviewed_again(client, parts, tmp_path, ids))
    assert digest_of([content_of(entry, other.classes) for entry in other.pictures]) != learnt.sha256


def write_reviewed_again(client: FlaskClient, parts: Context, folder: Path, ids: list[str]) -> Path:
    """Write them once more, with two new ones in the place of those that were deleted."""
    ids.extend(review(client, number) for number in (30, 31))
    return write_reviewed(parts.store, MODEL, folder / "again")


def test_a_newer_review_whose_picture_is_lost_hides_no_older_one(
    client: FlaskClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    picture = encoded(blocks(red=(0, 0, 32, 32)))
    oldest, older, damaged, gone = (review(client, picture=picture) for _ in range(4))
    uploads = Path(settings.upload_folder)
    (lost,) = uploads.glob(f"*{gone}*")
    lost.unlink()
    (spoilt,) = uploads.glob(f"*{damaged}*")
    spoilt.write_bytes(picture[:-10])
    found = body(client.get("/api/v1/datasets/reviewed"))
    assert [image["measurement"] for image in found["images"]] == [older]
    assert caplog.messages == [
        f"the reviewed measurement {gone} is left out of the data set: its file cannot be read",
        f"the reviewed measurement {damaged} is left out of the data set: its file is not what was uploaded",
    ]
    answer = client.get("/api/v1/datasets/reviewed?format=zip")
    with zipfile.ZipFile(BytesIO(answer.data)) as archive:
        assert json.loads(archive.read("left_out.json")) == [
            {"measurement": gone, "why": "its file cannot be read"},
            {"measurement": damaged, "why": "its file is not what was uploaded"},
            {"measurement": oldest, "why": "its picture was reviewed again later"},
        ]
        (image,) = json.loads(archive.read("reviewed.json"))["images"]
        assert (image["measurement"], archive.read(image["file_name"])) == (older, picture)


def test_too_few_reviewed_pictures_are_refused_with_their_number(
    client: FlaskClient, parts: Context, tmp_path: Path
) -> None:
    review(client, 1)
    with pytest.raises(TooFewPictures, match=r"1 picture is reviewed .* 8 are the least"):
        write_reviewed(parts.store, MODEL, tmp_path / "data")
    answer = client.post("/api/v1/jobs", json={"data": "reviewed", "name": "mine", "start_from": "gone"})
    assert_problem(answer, 404, "unknown_model", "gone")
    answer = client.post("/api/v1/jobs", json={"data": "reviewed", "name": "mine"})
    assert_problem(answer, 409, "too_few_pictures", "0 pictures are reviewed", "'mine'")
    assert [path for path in parts.settings.jobs_folder.glob("*") if path.is_dir()] == []


def test_the_command_line_learns_from_them_too(
    client: FlaskClient, settings: Settings, tmp_path: Path
) -> None:
    review(client, 1)
    places = [
        "--database", settings.database, "--upload-folder", str(settings.upload_folder),
        "--output-folder", str(settings.output_folder), "--work-folder", str(tmp_path / "work"),
    ]  # fmt: skip
    refused = CliRunner().invoke(main, ["train", "--from-reviewed", "--start-from", MODEL, *places])
    assert refused.exit_code == 1
    assert "1 picture is reviewed" in refused.output
    for wrong in (["train"], ["train", str(tmp_path), "--from-reviewed"], ["train", "--from-reviewed"]):
        assert CliRunner().invoke(main, wrong).exit_code == 2


def test_what_is_kept_apart_follows_from_the_pixels_alone(
    client: FlaskClient, parts: Context, tmp_path: Path
) -> None:
    for number in range(16):
        review(client, number)
    data = read_labels(write_reviewed(parts.store, MODEL, tmp_path / "data"))
    learn, held = hold_out(data)
    names = {picture.name for picture in held.pictures}
    assert 0 < len(names) < 10
    assert {picture.name for picture in learn.pictures} | names == {picture.name for picture in data.pictures}
    fewer = type(data)(data.classes, data.pictures[5:])
    again, _ = hold_out(fewer)
    assert {picture.name for picture in again.pictures} == {entry.name for entry in fewer.pictures} - names
    document = json.loads((tmp_path / "data" / "reviews.json").read_text())
    assert set(document) == {picture.name for picture in data.pictures}


def test_a_new_version_keeps_the_classes_of_the_one_before(tmp_path: Path) -> None:
    training = pytest.importorskip("planimeter.jobs.training", reason="the train extra is not installed")
    said: list[str] = []

    class Watcher:
        def say(self, line: str) -> None:
            said.append(line)

    data = read_labels(write_dataset(tmp_path, pictures=2, class_name="green"))
    kept = training._with_classes_of(block_pack(), data, Watcher())
    assert kept.classes == ("red", "green")
    assert {label for picture in kept.pictures for label in picture.labels} == {2}
    assert said == ["no picture shows red: the new version keeps them, but may forget them"]
    new = read_labels(write_dataset(tmp_path / "new", pictures=2, class_name="blue"))
    assert training._with_classes_of(block_pack(), new, Watcher()).classes == ("red", "green", "blue")
