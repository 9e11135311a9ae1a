"""`planimeter.Client`: every operation of the API, against a service on a port, with types that the document gives."""

import inspect
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask, Response, request
from PIL import Image

import planimeter
from fakes import MODEL, blocks, encoded
from planimeter import Client
from planimeter.client import LEFT_OUT, OTHER_PROTOCOLS, answers
from planimeter.errors import (
    ContradictoryOptions,
    InvalidOption,
    MissingPicture,
    PlanimeterError,
    QueueFull,
    ServiceAnswered,
    TooManyBytes,
    UndecodablePicture,
    UnknownJob,
    UnknownMeasurement,
    UnknownModel,
    Unreachable,
    UnsupportedPicture,
)
from planimeter.masks.rle import rle_decode
from planimeter.measurement import Rle
from planimeter.service.api.client_types import files
from planimeter.service.api.openapi import describe
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from receivers import Received, Receiver
from test_api import OVERLAPPING
from test_server import serving

RED, GREEN = (0, 0, 32, 32), (16, 0, 48, 32)


@pytest.fixture
def used(app: Flask) -> set[tuple[str, str]]:
    """Receive which operations were asked for, as the document names them."""
    found: set[tuple[str, str]] = set()

    @app.after_request
    def remember(answer: Response) -> Response:
        if request.url_rule is not None and answer.status_code < 500:
            path = request.url_rule.rule.replace("<path:", "<").replace("<", "{").replace(">", "}")
            found.add((request.method.lower(), path))
        return answer

    return found


@pytest.fixture
def client(app: Flask, settings: Settings, used: set[tuple[str, str]]) -> Iterator[Client]:  # noqa: ARG001
    with serving(app, settings) as (url, _):
        yield Client(url, retries=1)


# ---- All of it


def test_every_operation_of_the_document_has_a_method_or_is_named_as_left_out(
    client: Client, used: set[tuple[str, str]], tmp_path: Path
) -> None:
    first = client.measure(OVERLAPPING, filename="strip 1.png", lot="A/17", tags=["a", "b"], batch="shift-7")
    again = client.measure_again(first.id, score_threshold=0.8)
    assert (first.coverage.percent_masked, again.coverage.percent_masked) == (37.5, 25.0)
    assert first.created_at.tzinfo == timezone.utc
    assert [entry.id for entry in client.measurements(lot="A/17")] == [again.id, first.id]
    assert client.get(first.id, score_threshold=0.8).coverage.pixels_masked == 1024
    assert client.count(lot="A/17", since=datetime(2020, 1, 1)) == 2
    assert client.lines(order="created_at").lines[0].filename == "strip 1.png"
    assert client.statistics(limit_percent=30).verdicts.without == 2
    assert client.trend(class_="red").count == 2
    assert [entry.area_px for entry in client.instances(first.id)] == [1024, 1024]
    assert len(client.candidates(first.id).candidates) == 2
    neighbours = client.neighbours(first.id)
    assert neighbours.next is None
    assert neighbours.previous is not None
    assert neighbours.previous.id == again.id
    assert client.compare(first.id, again.id).overlap.pixels_only_first == 512
    assert client.comparison_picture(first.id, again.id, format="jpeg").startswith(b"\xff\xd8")

    assert client.image(first.id) == OVERLAPPING
    assert Image.open(io.BytesIO(client.overlay(first.id, style="outline"))).size == (64, 64)
    mask = np.asarray(Image.open(io.BytesIO(client.mask(first.id, kind="instance"))))
    assert np.bincount(mask.ravel()).tolist() == [4096 - 1536, 1024, 512]
    assert len(json.loads(client.export(first.id, "coco"))["annotations"]) == 2
    assert len(json.loads(client.export_many(tmp_path / "coco.json", "coco").read_text())["annotations"]) == 3
    assert client.table(tmp_path / "all.csv").read_text().count("strip 1.png") == 2
    with zipfile.ZipFile(client.archive(tmp_path / "all.zip", content="mask")) as archive:
        assert len(archive.namelist()) == 3

    corrected = client.correct(again.id, after=0, reject=[1], reason="a reflection", complete=True).corrected
    assert corrected is not None
    assert (corrected.coverage.percent_masked, corrected.number, corrected.reviewed) == (0.0, 1, True)
    assert [entry.reason for entry in client.corrections(again.id)] == ["a reflection"]
    assert json.loads(client.export(again.id, "coco", figures="corrected"))["annotations"] == []
    with zipfile.ZipFile(client.reviewed_dataset(tmp_path / "reviewed.zip", format="zip")) as archive:
        assert len(archive.namelist()) >= 2

    assert client.keep_threshold(first.id, 0.8).coverage.percent_masked == 25.0
    assert client.keep_threshold(first.id, None).kept_threshold is None
    assert client.set_details(first.id, lot="B", note="scratched").note == "scratched"
    scaled = client.set_scale(first.id, "um", pixel_size=2.0)
    assert scaled.coverage.area_masked == 4 * 1536
    assert client.reset_scale(first.id).image.scale is None
    half = {"include": [[[0, 0], [32, 0], [32, 64], [0, 64]]]}
    assert client.set_region(first.id, region=half).coverage.pixels_counted == 2048
    kept = np.zeros((64, 64), np.uint8)
    kept[:32] = 255
    assert client.set_region(first.id, region_mask=encoded(kept), whole=True).coverage.percent_masked == 75.0
    assert client.reset_region(first.id).coverage.percent_masked == 37.5
    assert client.pin(first.id).pinned
    assert not client.pin(first.id, pinned=False).pinned

    assert [entry.name for entry in client.models()] == [MODEL]
    assert client.model(MODEL).score_threshold == 0.5
    assert client.save_default_threshold(MODEL, 0.8).score_threshold_saved
    assert not client.save_default_threshold(MODEL, None).score_threshold_saved
    rule = {"figure": "percent_masked", "at_most": 30.0}
    assert client.put_profile("station-1", {"model": MODEL, "rules": [rule]}).version == 1
    assert client.measure(OVERLAPPING, profile="station-1", lot="A/17").verdict == "fail"
    assert [entry.name for entry in client.profiles()] == ["station-1"]
    assert client.profile("station-1", version=1).profile.rules[0].at_most == 30.0
    client.delete_profile("station-1")
    assert [entry.name for entry in client.lots()] == ["A/17", "B"]
    assert client.lot("A/17", limit_percent=30).measurements == 2

    client.delete(first.id)
    assert [entry.id for entry in client.trash()] == [first.id]
    client.restore(first.id)
    gone = client.delete_many(1, lot="B")
    assert gone.deletion is not None
    client.restore_many(gone.deletion)
    client.delete(first.id)
    client.delete_from_trash(first.id)
    client.delete(again.id)
    assert client.empty_trash(1).deleted == 1
    assert client.ready()

    nothing = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert client.jobs() == []
    assert client.drift(MODEL).all is None
    assert client.review_queue(by="chance", limit=5).waiting == client.count()
    jobs = [client.job, client.stop_job, client.resume_job, client.take_over, client.delete_job]
    for method in jobs:
        with pytest.raises(UnknownJob, match=nothing):
            method(nothing)
    with pytest.raises(InvalidOption, match="training-data"):
        client.train({"data": "strips.json", "name": "steel"})
    with pytest.raises(PlanimeterError):
        client.use_version(MODEL, "0")
    client.model_versions(MODEL)

    described = {
        (method, path)
        for path, methods in describe()["paths"].items()
        for method in methods
        if not path.startswith(OTHER_PROTOCOLS)
    }
    assert used - described == set()
    assert described - used == set(LEFT_OUT)


def test_the_types_are_those_of_the_document() -> None:
    """`make client` writes them; ruff gives them their form."""
    for path, text in files().items():
        written = text
        for arguments in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
            written = subprocess.run(
                [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(path), "-"],
                input=written,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        assert path.read_text("utf-8") == written, f"{path.name} is not what the API says: run make client"


def test_answers_have_the_fields_that_their_schemas_say() -> None:
    schemas = describe()["components"]["schemas"]
    for name in answers.__all__:
        model = getattr(answers, name)
        fields = {field.alias or key: field for key, field in model.model_fields.items()}
        assert set(fields) == set(schemas[name]["properties"]), name
        needed = {key for key, field in fields.items() if field.is_required()}
        assert needed == set(schemas[name].get("required", [])), name


def test_every_method_says_what_it_does_and_what_it_returns() -> None:
    methods = [entry for name, entry in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"]
    assert len(methods) > 40
    assert [
        method.__name__ for method in methods if not method.__doc__ or "return" not in method.__annotations__
    ] == []


# ---- Pictures and masks


def test_paths_bytes_open_files_arrays_and_images_are_the_same_picture(
    client: Client, tmp_path: Path
) -> None:
    pixels = blocks(red=RED, green=GREEN)
    path = tmp_path / 'Prüfling "1".png'
    path.write_bytes(OVERLAPPING)
    with path.open("rb") as file:
        pictures = [
            path,
            str(path),
            bytearray(OVERLAPPING),
            file,
            io.BytesIO(OVERLAPPING),
            pixels,
            Image.fromarray(pixels),
        ]
        measured = [client.measure(picture) for picture in pictures]  # type: ignore[arg-type]
    assert {entry.coverage.pixels_masked for entry in measured} == {1536}
    assert [entry.image.filename for entry in measured] == [
        path.name, path.name, "picture", path.name, "picture", "array.png", "picture.png"
    ]  # fmt: skip
    mask = measured[0].instances[0].mask
    assert isinstance(mask, Rle)
    assert np.array_equal(rle_decode(mask).astype(bool), pixels[..., 0] > 0)
    deep = client.measure(np.full((64, 64), 65_535, np.uint16))
    assert [note.code for note in deep.notes if note.code == "depth_reduced"] == ["depth_reduced"]


@pytest.mark.parametrize(
    ("picture", "error", "words"),
    [
        (Path("nowhere.png"), MissingPicture, "nowhere.png"),
        (None, InvalidOption, "builtins.NoneType"),
        (["a.png"], InvalidOption, "builtins.list"),
        (io.StringIO("x"), InvalidOption, "StringIO"),
        (np.zeros((3, 8, 8), np.uint8), InvalidOption, r"uint8 \[3, 8, 8\]"),
        (np.zeros((4, 4), np.float32), InvalidOption, "float32"),
        (np.zeros((0, 4), np.uint8), InvalidOption, r"\[0, 4\]"),
        (Image.new("F", (4, 4)), InvalidOption, "mode F"),
    ],
)
def test_what_is_no_picture_is_not_sent(picture: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Client("http://127.0.0.1:9").measure(picture)


# ---- Errors


def test_what_the_service_refuses_is_raised_as_it_was_raised_there(client: Client) -> None:
    with pytest.raises(UnknownMeasurement, match="01X") as missing:
        client.get("01X")
    assert missing.value.code == "unknown_measurement"
    with pytest.raises(UnknownModel, match="cats"):
        client.measure(OVERLAPPING, model="cats")
    with pytest.raises(UnsupportedPicture):
        client.measure(b"GARBAGE")
    with pytest.raises(UndecodablePicture):
        client.measure(OVERLAPPING[:60])
    with pytest.raises(MissingPicture):
        client.measure(b"")
    with pytest.raises(InvalidOption, match=r"score_threshold is .7\.0"):
        client.measure(OVERLAPPING, score_threshold=7.0)
    with pytest.raises(ContradictoryOptions):
        client.set_scale(client.measure(OVERLAPPING).id, "um", pixel_size=1.0, length=4.0)
    with pytest.raises(ServiceAnswered, match="nothing at") as nothing:
        client.get("a/b")
    assert (nothing.value.code, nothing.value.status) == ("not_found", 404)


def test_a_service_that_asks_for_a_key_gets_it(settings: Settings, store: Store, models: Models) -> None:
    guarded = create_app(settings.model_copy(update={"use_ngrok": True}), store, models)
    with serving(guarded, settings) as (url, _):
        with pytest.raises(ServiceAnswered, match="asks for a key") as asked:
            Client(url).models()
        assert (asked.value.code, asked.value.status) == ("unauthorized", 401)
        reading = Client(url, key=store.keys.add("desk", "read"))
        assert len(reading.models()) == 1
        with pytest.raises(ServiceAnswered, match="needs measure") as forbidden:
            reading.measure(OVERLAPPING)
        assert forbidden.value.code == "forbidden"
        measured = Client(url, key=store.keys.add("line 3", "measure")).measure(OVERLAPPING)
        assert measured.measured_by == "line 3"
    with pytest.raises(InvalidOption, match="key has a character"):
        Client(url, key="pm_ä")
    with pytest.raises(InvalidOption, match="http://"):
        Client("lab-pc:8000")


class Scripted(Receiver):
    """Answers a POST with what is next in a list: a status, its headers."""

    def __init__(self, *said: tuple[int, dict[str, str]]) -> None:
        super().__init__()
        self._said = [*said]
        self.say = self._next

    def _next(self, _: Received) -> tuple[int, dict[str, str]]:
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_was_not_done_is_sent_again_under_the_same_key(status: int) -> None:
    receiver = Scripted((status, {"Retry-After": "1"}), (403, {}))
    with receiver.listening() as url, pytest.raises(ServiceAnswered, match="not as Planimeter does"):
        Client(url.partition("/hooks")[0]).measure(OVERLAPPING)
    keys = [entry.headers["idempotency-key"] for entry in receiver.came]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_patience_has_an_end_and_a_refusal_needs_none() -> None:
    busy = Scripted((503, {}))
    with busy.listening() as url, pytest.raises(ServiceAnswered, match="503"):
        Client(url.partition("/hooks")[0], retries=1).measure(OVERLAPPING)
    assert len(busy.came) == 2
    much_later = Scripted((429, {"Retry-After": "3000"}))
    with much_later.listening() as url, pytest.raises(ServiceAnswered, match="429"):
        Client(url.partition("/hooks")[0]).measure(OVERLAPPING)
    assert len(much_later.came) == 1
    refusing = Scripted((413, {}))
    with refusing.listening() as url, pytest.raises(TooManyBytes):
        Client(url.partition("/hooks")[0]).measure(OVERLAPPING)
    moved = Scripted((301, {"Location": "https://lab.example/"}))
    with moved.listening() as url, pytest.raises(ServiceAnswered, match=r"lab\.example"):
        Client(url.partition("/hooks")[0]).measure(OVERLAPPING)
    other = Scripted((200, {}))
    with other.listening() as url, pytest.raises(ServiceAnswered, match="use the version"):
        Client(url.partition("/hooks")[0]).measure(OVERLAPPING)
    with pytest.raises(Unreachable):
        Client("http://127.0.0.1:9", retries=0).models()


def test_a_full_queue_says_when_to_come_back(client: Client, app: Flask) -> None:
    queue = app.extensions["planimeter"].queue
    queue._size = -1
    with pytest.raises(QueueFull) as full:
        client.measure(OVERLAPPING)
    assert full.value.retry_after == 1


def test_a_download_is_whole_or_not_there(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    with pytest.raises(InvalidOption, match="format"):
        client.export_many(folder / "a.zip", "xyz")
    assert list(folder.iterdir()) == []
    (folder / "a.json").write_text("old")
    client.measure(OVERLAPPING)
    client.export_many(folder / "a.json", "coco")
    assert json.loads((folder / "a.json").read_text())["images"][0]["file_name"] == "picture"
    with pytest.raises(FileNotFoundError):
        client.table(folder / "no" / "a.csv")


def test_a_client_costs_nothing_until_it_is_asked_for() -> None:
    code = (
        "import sys, planimeter; assert 'planimeter.client' not in sys.modules; planimeter.Client; "
        "assert not {'flask', 'sqlalchemy', 'torch'} & set(sys.modules), 'too much'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "Client" in planimeter.__all__
