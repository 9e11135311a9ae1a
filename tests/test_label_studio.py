"""The backend for Label Studio: its requests by hand and by its own code, its masks read by its own library."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray

from fakes import MODEL, BlockRuntime, blocks, encoded
from foreign_programs import run_with
from planimeter.labels.entries import Report
from planimeter.labels.label_studio import objects_in
from planimeter.labels.shapes import unite
from planimeter.masks.union import union_mask
from planimeter.service.app import create_app
from planimeter.service.label_studio.pictures import TOKEN
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import OVERLAPPING, assert_problem
from test_server import Start, serving, start

__all__ = ["start"]
PIXELS = blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32))
LABELS = '<Label value="red"/><Label value="Green"/>'
BRUSH = f'<BrushLabels name="tag" toName="picture">{LABELS}</BrushLabels>'
POLYGON = f'<PolygonLabels name="line" toName="picture">{LABELS}</PolygonLabels>'
VERSION = f"{MODEL} 1 00000000"
PREDICT, SETUP = "/label-studio/predict", "/label-studio/setup"


def config(*controls: str, value: str = "$photo") -> str:
    return f'<View><Image name="picture" value="{value}"/>{"".join(controls)}</View>'


def data_url(data: bytes = OVERLAPPING) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def tasks(*pictures: str, **more: Any) -> dict[str, Any]:
    """Return what Label Studio sends for pictures, as its `_prep_prediction_req` makes it."""
    listed = [
        {"id": number, "data": {"photo": at}, "project": 3} for number, at in enumerate(pictures, start=7)
    ]
    params = {"login": None, "password": None, "context": more.pop("context", None)}
    return {
        "tasks": listed,
        "project": "3.1700000000",
        "label_config": config(BRUSH),
        "params": params,
        **more,
    }


def predict(client: FlaskClient, *pictures: str, **more: Any) -> Any:
    answer = client.post(PREDICT, json=tasks(*pictures, **more))
    assert answer.status_code == 200, answer.text
    found = json.loads(answer.data)
    assert found["model_version"] == VERSION
    return found


def masks(prediction: dict[str, Any], size: tuple[int, int] = (64, 64)) -> list[NDArray[np.bool_]]:
    """Return the regions as our own reader of labels reads them."""
    objects, stated = objects_in(Path("x"), "task", prediction["result"], Report())
    assert stated in {size, None}
    return [union_mask([unite([shape.draw(*size) for shape in entry.shapes])], *size) for entry in objects]


# ---- Setup


def test_a_backend_is_there_and_says_its_version(client: FlaskClient) -> None:
    for of in ("", f"/models/{MODEL}"):
        assert client.get(f"/label-studio{of}/health").get_json()["status"] == "UP"
        sent = {
            "project": "3.17",
            "schema": config(BRUSH),
            "hostname": "http://localhost:8080",
            "access_token": "t",
        }
        answer = client.post(f"/label-studio{of}/setup", json={**sent, "extra_params": None})
        assert answer.get_json() == {"model_version": VERSION, "classes_without_label": []}
        assert client.get(f"/label-studio{of}/versions").get_json() == {"versions": [VERSION]}
        for what in ("webhook", "train"):
            assert (
                client.post(f"/label-studio{of}/{what}", json={"action": "ANNOTATION_CREATED"}).status_code
                == 201
            )
    assert_problem(client.post("/label-studio/models/cats/setup", json={}), 404, "unknown_model", "cats")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "schema"),
        ("", "no labelling configuration"),
        ("<View>", "no XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', "entities"),
        ("<View/>", "no Image"),
        (config(), "no Image"),
        (config(BRUSH, value="photo"), "no Image"),
        (config(BRUSH.replace('toName="picture"', 'toName="other"')), "no Image"),
        (
            config('<BrushLabels name="t" toName="picture"><Label value="dog"/></BrushLabels>'),
            "its labels are dog",
        ),
        (config(BRUSH.replace('name="tag"', 'name="tag" model_score_threshold="2"')), "from 0 to 1"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told_so(
    client: FlaskClient, text: str | None, words: str
) -> None:
    assert_problem(client.post(SETUP, json={"schema": text}), 400, "invalid_option", words)
    if text is not None:
        sent = tasks(data_url(), label_config=text)
        assert_problem(client.post(PREDICT, json=sent), 400, "invalid_option", words)


def test_labels_are_found_by_name_or_by_what_they_are_predicted_from(client: FlaskClient) -> None:
    label = '<Label value="Kratzer" predicted_values="scratch, RED"/>'
    one = f'<BrushLabels name="t" toName="picture">{label}</BrushLabels>'
    answer = client.post(SETUP, json={"schema": config(one)})
    assert answer.get_json()["classes_without_label"] == ["green"]
    (found,) = predict(client, data_url(), label_config=config(one))["results"]
    assert [entry["value"]["brushlabels"] for entry in found["result"]] == [["Kratzer"]]
    assert found["without_label"] == {"green": 1}


# ---- Predictions


def test_a_picture_is_predicted_with_brushes(client: FlaskClient, store: Store) -> None:
    (found,) = predict(client, data_url())["results"]
    assert found["score"] == pytest.approx((0.9 + 0.6) / 2)
    assert found["model_version"] == VERSION
    for entry, label, score in zip(found["result"], ("red", "Green"), (0.9, 0.6), strict=True):
        assert entry | {"id": "", "value": {}} == {
            "id": "", "type": "brushlabels", "from_name": "tag", "to_name": "picture",
            "original_width": 64, "original_height": 64, "image_rotation": 0,
            "score": pytest.approx(score), "value": {},
        }  # fmt: skip
        assert entry["value"]["brushlabels"] == [label]
        assert entry["value"]["format"] == "rle"
    red, green = masks(found)
    assert np.array_equal(red, PIXELS[..., 0] > 0)
    assert np.array_equal(green, PIXELS[..., 1] > 0)
    stored = store.get(found["measurement"])
    assert stored.measurement.coverage.percent_masked == 37.5
    assert stored.details.tags == ("label-studio",)


def test_the_kind_of_region_is_that_of_the_configuration(client: FlaskClient) -> None:
    (lines,) = predict(client, data_url(), label_config=config(POLYGON))["results"]
    assert {entry["type"] for entry in lines["result"]} == {"polygonlabels"}
    assert np.array_equal(masks(lines)[1], PIXELS[..., 1] > 0)
    (both,) = predict(client, data_url(), label_config=config(BRUSH, POLYGON))["results"]
    assert {entry["from_name"] for entry in both["result"]} == {"line"}
    box = POLYGON.replace("Polygon", "Rectangle")
    (boxes,) = predict(client, data_url(), label_config=config(box))["results"]
    assert {name: boxes["result"][1]["value"][name] for name in ("x", "y", "width", "height", "rotation")} == {
        "x": 25, "y": 0, "width": 50, "height": 50, "rotation": 0
    }  # fmt: skip
    wanted = BRUSH.replace('name="tag"', 'name="tag" model_score_threshold="0.8"')
    (sure,) = predict(client, data_url(), label_config=config(wanted))["results"]
    assert len(sure["result"]) == 1


def test_an_object_with_a_hole_is_brushed_or_a_polygon_with_a_seam(
    settings: Settings, store: Store, models: Models
) -> None:
    ring = np.ones((28, 28), np.float32)
    ring[10:18, 10:18] = 0
    models.get()._runtime = BlockRuntime(mask=ring)
    client = create_app(settings, store, models).test_client()
    picture, found = data_url(encoded(blocks(red=(8, 8, 56, 56)))), []
    for controls, kind in (((BRUSH, POLYGON), "brushlabels"), ((POLYGON,), "polygonlabels")):
        (prediction,) = predict(client, picture, label_config=config(*controls))["results"]
        assert [entry["type"] for entry in prediction["result"]] == [kind]
        found += masks(prediction)
        (record,) = store.list(limit=2)
    brushed, seamed = found
    assert np.array_equal(brushed, seamed)
    assert brushed.sum() == record.measurement.coverage.pixels_masked < 48 * 48
    assert not brushed[30:34, 30:34].any()


def test_the_same_picture_is_measured_once(client: FlaskClient, store: Store, runtime: BlockRuntime) -> None:
    first = predict(client, data_url(), data_url(encoded(blocks())))["results"]
    again = predict(client, data_url())["results"]
    assert first[0]["measurement"] == again[0]["measurement"]
    assert (first[1]["result"], first[1]["score"]) == ([], None)
    assert (store.count(), runtime.ran) == (2, 2)
    store.save_threshold(MODEL, 0.8)
    assert len(predict(client, data_url())["results"][0]["result"]) == 1


def test_a_picture_that_cannot_be_measured_does_not_end_the_others(client: FlaskClient, store: Store) -> None:
    broken = "data:image/png;base64,R0FSQkFHRQ=="
    found = predict(client, data_url(), broken, "", "http://evil.example/a.png")
    assert [bool(entry) for entry in found["results"]] == [True, False, False, False]
    assert [(entry["task"], entry["code"]) for entry in found["errors"]] == [
        (8, "unsupported_picture"), (9, "missing_picture"), (10, "invalid_option")
    ]  # fmt: skip
    assert store.count() == 1
    assert_problem(client.post(PREDICT, json=tasks(broken)), 415, "unsupported_picture")
    sent: list[Any] = [
        {},
        {"tasks": [], "label_config": config(BRUSH)},
        [],
        {"tasks": [3], "label_config": "x"},
        {**tasks(data_url()), "project": 3},
    ]
    for wrong in sent:
        assert_problem(client.post(PREDICT, json=wrong), 400, "invalid_option", "Label Studio")
    assert_problem(client.post(PREDICT, data=b"x"), 400, "invalid_option", "no JSON")


# ---- Pointing


def test_a_click_answers_the_object_under_it_whatever_it_scores(client: FlaskClient, store: Store) -> None:
    def click(x: float, y: float) -> list[list[str]]:
        value = {"x": x, "y": y, "width": 0.3, "keypointlabels": ["red"]}
        context = {"result": [{"type": "keypointlabels", "value": value, "original_width": 64}]}
        sure = BRUSH.replace('name="tag"', 'name="tag" model_score_threshold="0.95"')
        (found,) = predict(client, data_url(), context=context, label_config=config(sure))["results"]
        return [entry["value"]["brushlabels"] for entry in found["result"]]

    assert click(5, 5) == [["red"]]
    assert click(40, 5) == [["red"]]  # both are there, and red scores more
    assert click(60, 5) == [["Green"]]
    assert click(90, 90) == []
    assert click(100, 100) == []
    assert store.count() == 1


def test_a_rectangle_answers_what_lies_in_it(client: FlaskClient) -> None:
    def draw(x: float, width: float) -> list[list[str]]:
        value = {"x": x, "y": 0, "width": width, "height": 60}
        context = {"result": [{"type": "rectanglelabels", "value": value}]}
        (found,) = predict(client, data_url(), context=context)["results"]
        ids = [entry["id"] for entry in found["result"]]
        assert len(set(ids)) == len(ids)
        return [entry["value"]["brushlabels"] for entry in found["result"]]

    assert draw(0, 100) == [["red"], ["Green"]]
    assert draw(0, 45) == [["red"]]
    assert draw(80, 20) == []
    wrong: list[dict[str, Any]] = [
        {"type": "brush", "value": {}},
        {"type": "keypoint", "value": {"x": "a", "y": 1}},
        {"type": "keypoint", "value": {"x": float("inf"), "y": 1}},
        {"type": "rectangle", "value": {"x": float("nan"), "y": 0, "width": 1, "height": 1}},
        {"type": "rectangle", "value": {"x": 0, "y": 0, "width": 1e999, "height": 1}},
    ]
    for entry in wrong:
        sent = tasks(data_url(), context={"result": [entry]})
        assert_problem(client.post(PREDICT, json=sent), 400, "invalid_option")
    many = tasks(data_url(), context={"result": [{}] * 1001})
    assert_problem(client.post(PREDICT, json=many), 400, "invalid_option", "1,001 regions")


# ---- Where pictures come from


@contextmanager
def studio(token: str) -> Iterator[tuple[str, list[str]]]:
    """Be a Label Studio that gives a picture to who has the token; yields its address, and what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked.append(self.path)
            known = self.headers.get("Authorization") == token
            kept = self.path.endswith("moved.png")
            self.send_response((303 if kept else 200) if known else 401)
            content = OVERLAPPING if known and not kept else b""
            if kept:
                self.send_header("Location", "http://127.0.0.1:9/secret")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(f"{self.path} {sent['refresh']}")
            content = json.dumps({"access": "short"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def at(url: str, settings: Settings, store: Store, models: Models) -> FlaskClient:
    return create_app(settings.model_copy(update={"label_studio_url": url}), store, models).test_client()


def test_the_files_of_the_one_label_studio_are_fetched(
    settings: Settings, store: Store, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "abc123")
    with studio("Token abc123") as (url, asked):
        client = at(url, settings, store, models)
        places = [
            "/data/upload/3/0a1b2c3d-strip%201.png",
            f"{url}/data/upload/3/0a1b2c3d-strip%201.png",
            "/data/local-files/?d=line/strip 2.png",
            "/storage-data/uploaded/?filepath=upload/3/a.png",
            "s3://bucket/strip.png",
        ]
        found = predict(client, *places)
        assert found["errors"] == []
        assert [store.get(entry["measurement"]).measurement.image.filename for entry in found["results"]] == [
            "strip 1.png", "strip 1.png", "strip 2.png", "a.png", "strip.png"
        ]  # fmt: skip
        bucket = base64.urlsafe_b64encode(b"s3://bucket/strip.png").decode()
        assert asked == [
            "/data/upload/3/0a1b2c3d-strip%201.png", "/data/upload/3/0a1b2c3d-strip%201.png",
            "/data/local-files/?d=line/strip%202.png", "/storage-data/uploaded/?filepath=upload/3/a.png",
            f"/tasks/11/resolve/?fileuri={bucket}",
        ]  # fmt: skip
        assert store.count() == 4


def test_a_newer_token_is_exchanged_first(
    settings: Settings, store: Store, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "aa.bb.cc")
    with studio("Bearer short") as (url, asked):
        predict(at(f"{url}/", settings, store, models), "/data/upload/3/a.png")
    assert asked == ["/api/token/refresh/ aa.bb.cc", "/data/upload/3/a.png"]


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:1/data/upload/a.png", "http://169.254.169.254/latest/meta-data", "https://{host}/data/upload/a",
        "//evil.example/a.png", "/api/users/", "/data/upload/../../api/users/", "/data/upload/%2e%2e/%2e%2e/api/users/",
        "/data/upload/%252e%252e/api", "file:///etc/passwd", "/etc/passwd", "gopher:x", "http://x@{host}/data/upload/a.png",
        "/data/upload/\ud800.png", "s3://bucket/\udfff.png",
    ],
)  # fmt: skip
def test_nothing_else_is_ever_asked_for(
    settings: Settings, store: Store, models: Models, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv(TOKEN, "abc123")
    with studio("Token abc123") as (url, asked):
        sent = tasks(place.replace("{host}", url.removeprefix("http://")))
        sent["tasks"][0]["id"] = None
        client, said = at(url, settings, store, models), json.dumps(sent)
        answer = client.post(PREDICT, data=said, content_type="application/json")
        assert_problem(answer, 400, "invalid_option")
        assert asked == []
    assert store.count() == 0


def test_what_label_studio_refuses_and_where_it_is_not_is_said(
    settings: Settings, store: Store, models: Models, monkeypatch: pytest.MonkeyPatch, client: FlaskClient
) -> None:
    one = tasks("/data/upload/3/a.png")
    assert_problem(client.post(PREDICT, json=one), 400, "invalid_option", "--label-studio-url")
    monkeypatch.delenv(TOKEN, raising=False)
    with studio("Token abc123") as (url, _):
        answer = at(url, settings, store, models).post(PREDICT, json=one)
        assert_problem(answer, 400, "missing_picture", "401", TOKEN)
        monkeypatch.setenv(TOKEN, "abc123")
        moved = at(url, settings, store, models).post(PREDICT, json=tasks("/data/upload/3/moved.png"))
        assert_problem(moved, 400, "missing_picture", "303", "pre-signed")
        small = settings.model_copy(update={"max_bytes": 40})
        large = at(url, small, store, models).post(PREDICT, json=one)
        assert_problem(large, 413, "too_many_bytes")
    gone = at(url, settings, store, models).post(PREDICT, json=one)
    assert_problem(gone, 400, "missing_picture", "cannot be fetched")


def test_an_address_that_is_none_ends_the_start_with_a_sentence(start: Start) -> None:
    status, _, err = start("--label-studio-url", "localhost:8080").wait()
    assert status == 1
    assert "--label-studio-url" in err
    assert "Traceback" not in err


def test_a_key_comes_as_the_password_that_label_studio_knows(
    settings: Settings, store: Store, models: Models
) -> None:
    guarded = create_app(settings.model_copy(update={"host": "0.0.0.0"}), store, models).test_client()  # noqa: S104
    sent = tasks(data_url())
    assert guarded.get("/label-studio/health").status_code == 200
    assert_problem(guarded.post(PREDICT, json=sent), 401, "unauthorized")
    key = store.keys.add("label studio", "measure")
    assert guarded.post(PREDICT, json=sent, auth=("planimeter", key)).status_code == 200
    assert_problem(guarded.post(PREDICT, json=sent, auth=(key, "")), 401, "unauthorized")
    reading = store.keys.add("desk", "read")
    assert_problem(guarded.post(PREDICT, json=sent, auth=("x", reading)), 403, "forbidden", "measure")
    foreign = {"Origin": "https://evil.example"}
    assert_problem(guarded.post(PREDICT, json=sent, auth=("x", key), headers=foreign), 403, "forbidden")


# ---- Label Studio's own code

STUDIO = """
import importlib.util, json, sys, types
from types import SimpleNamespace as Fake
from datetime import datetime

def module(name, **names):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(names)

folder = importlib.util.find_spec("label_studio").submodule_search_locations[0]
for name, names in {
    "core": {}, "core.feature_flags": {"flag_set": lambda *_: True}, "core.utils": {},
    "core.utils.common": {"load_func": None}, "core.utils.exceptions": {"SsrfBlockedUrlError": OSError},
    "core.utils.io": {"SsrfSafeHTTPAdapter": None}, "core.version": {"get_git_version": lambda: "1"},
    "data_export": {}, "data_export.serializers": {"ExportDataSerializer": None}, "django": {},
    "django.conf": {"settings": Fake(ML_BLOCK_LOCAL_IP=False, HOSTNAME="http://localhost:8080")},
    "django.contrib": {}, "django.contrib.auth": {}, "django.contrib.auth.models": {"AnonymousUser": None},
    "django.db": {}, "django.db.models": {"Count": None}, "label_studio.core": {}, "label_studio.core.utils": {},
    "label_studio.core.utils.params": {"get_env": lambda name, default: default},
}.items():
    module(name, **names)
spec = importlib.util.spec_from_file_location("api_connector", f"{folder}/ml/api_connector.py")
connector = importlib.util.module_from_spec(spec)
spec.loader.exec_module(connector)

from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface import LabelInterface

url, text, picture, expected = sys.argv[1:]
project = Fake(id=3, created_at=datetime(2026, 1, 1), label_config=text, task_data_login=None, task_data_password=None,
               created_by=Fake(auth_token=Fake(key="t")))
api = connector.MLApi(url=url)
found = {"health": api.health().response["status"], "setup": api.setup(project).response["model_version"],
         "versions": api.get_versions(project).response["versions"]}
made = api.make_predictions([{"id": 7, "data": {"photo": picture}, "project": 3}], project)
assert not made.is_error, made.error_message
(prediction,) = made.response["results"]
interface = LabelInterface(text)
stated = {"result": prediction["result"], "score": prediction["score"], "model_version": prediction["model_version"]}
found["problems"] = interface.validate_prediction(stated, return_errors=True)
found["areas"] = []
import numpy as np
truth = np.load(expected)
for entry, mask in zip(prediction["result"], truth, strict=True):
    if entry["type"] == "brushlabels":
        pixels = decode_rle(entry["value"]["rle"]).reshape(*mask.shape, 4)[..., 3]
        assert set(np.unique(pixels)) <= {0, 255}
        assert ((pixels > 0) == mask).all()
    found["areas"].append(int(mask.sum()))
wrong = api.make_predictions([{"id": 7, "data": {"photo": "s3://x/a.png"}, "project": 3}], project)
found["error"] = [wrong.is_error, wrong.status_code]
print(json.dumps(found))
"""


@pytest.mark.foreign
@pytest.mark.parametrize("control", [BRUSH, POLYGON])
def test_label_studios_own_code_asks_and_reads(
    app: Flask, settings: Settings, tmp_path: Path, control: str
) -> None:
    np.save(tmp_path / "truth.npy", np.moveaxis(PIXELS[..., :2] > 0, 2, 0))
    with serving(app, settings) as (url, _):
        found = run_with(
            "label_studio_sdk",
            STUDIO,
            f"{url}/label-studio",
            config(control),
            data_url(),
            str(tmp_path / "truth.npy"),
        )
    assert found == {
        "health": "UP", "setup": VERSION, "versions": [VERSION], "problems": [], "areas": [1024, 1024],
        "error": [True, 400],
    }  # fmt: skip
