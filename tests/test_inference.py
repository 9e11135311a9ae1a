"""The Open Inference Protocol: every message by hand, and Triton's own client where it is installed."""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fakes import MODEL, blocks, encoded
from foreign_programs import run_with
from planimeter.masks.rle import rle_decode
from planimeter.measurement import Rle
from planimeter.service.app import create_app
from planimeter.service.inference import outputs
from planimeter.service.inference.asked import HEADER
from planimeter.service.models import Models
from planimeter.settings import Settings
from planimeter.store import Store
from test_api import MEASUREMENTS, OVERLAPPING
from test_server import serving

PIXELS = blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32))
INFER = f"/v2/models/{MODEL}/infer"
BASE64 = base64.b64encode(OVERLAPPING).decode()


def picture(**more: Any) -> dict[str, Any]:
    return {"name": "image", "datatype": "BYTES", "shape": [1], "data": [BASE64], **more}


def ask(client: FlaskClient, path: str = INFER, **document: Any) -> TestResponse:
    return client.post(path, json={"inputs": [picture()], **document})


def values(answer: TestResponse) -> dict[str, Any]:
    """Return the outputs of an answer by name, in their shapes."""
    assert answer.status_code == 200, answer.text
    head = int(answer.headers.get(HEADER, len(answer.data)))
    document, behind, found = json.loads(answer.data[:head]), answer.data[head:], {}
    kinds = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8", "UINT8": "u1"}
    for entry in document["outputs"]:
        size = entry.get("parameters", {}).get("binary_data_size")
        if size is None:
            data = entry["data"]
        else:
            raw, behind = behind[:size], behind[size:]
            data = (
                split(raw) if entry["datatype"] == "BYTES" else np.frombuffer(raw, kinds[entry["datatype"]])
            )
        found[entry["name"]] = (
            list(data) if entry["datatype"] == "BYTES" else np.array(data, float).reshape(entry["shape"])
        )
        assert np.prod(entry["shape"]) == len(data)
    assert not behind
    return found


def split(raw: bytes) -> list[str]:
    found = []
    while raw:
        (length,) = struct.unpack_from("<I", raw)
        found.append(raw[4 : 4 + length].decode())
        raw = raw[4 + length :]
    return found


def in_bytes(client: FlaskClient, raw: bytes, entry: dict[str, Any], **more: Any) -> TestResponse:
    entry = {"name": "image", "parameters": {"binary_data_size": len(raw)}, **entry}
    head = json.dumps({"inputs": [entry], **more}).encode()
    return client.post(INFER, data=head + raw, headers={HEADER: str(len(head))})


def assert_refused(answer: TestResponse, status: int, code: str, *words: str) -> None:
    assert answer.status_code == status, answer.text
    problem = json.loads(answer.data)
    assert set(problem) == {"error", "code"}
    assert problem["code"] == code
    for word in words:
        assert word in problem["error"]


def test_a_server_and_its_models_say_what_they_are(client: FlaskClient) -> None:
    assert client.get("/v2").get_json()["name"] == "planimeter"
    assert client.get("/v2").get_json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").get_json() == {"live": True}
    assert client.get("/v2/health/ready").get_json() == {"ready": True}
    model = client.get(f"/v2/models/{MODEL}").get_json()
    assert (model["name"], model["versions"], model["platform"]) == (MODEL, ["1"], "planimeter")
    assert model["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [1]}]
    assert {entry["name"]: entry["shape"] for entry in model["outputs"]}["boxes"] == [-1, 4]
    assert client.get(f"/v2/models/{MODEL}/versions/1").get_json() == model
    for path in (f"/v2/models/{MODEL}/ready", f"/v2/models/{MODEL}/versions/1/ready"):
        assert client.get(path).get_json() == {"name": MODEL, "ready": True}
    assert_refused(client.get("/v2/models/cats"), 404, "unknown_model", "cats", MODEL)
    assert_refused(client.get(f"/v2/models/{MODEL}/versions/7"), 404, "unknown_model", "version 1", "'7'")
    assert_refused(client.get("/v2/nothing"), 404, "not_found")


def test_a_server_is_not_ready_before_its_model_is(settings: Settings, store: Store) -> None:
    unloaded = create_app(settings, store, Models(settings, find=lambda _: {}))
    assert_refused(unloaded.test_client().get("/v2/health/ready"), 503, "not_ready", MODEL)


def test_a_picture_as_base64_gives_every_figure(client: FlaskClient, store: Store) -> None:
    answer = ask(client, id="call 7")
    document = json.loads(answer.data)
    assert (document["model_name"], document["model_version"], document["id"]) == (MODEL, "1", "call 7")
    found = values(answer)
    assert list(found) == ["percent_masked", "boxes", "scores", "class_ids", "labels", "areas", "rle"]
    assert found["percent_masked"].tolist() == [37.5]
    assert found["boxes"].tolist() == [[0, 0, 32, 32], [16, 0, 32, 32]]
    assert found["scores"].tolist() == pytest.approx([0.9, 0.6])
    assert (found["class_ids"].tolist(), found["labels"]) == ([1, 2], ["red", "green"])
    assert found["areas"].tolist() == [1024, 1024]
    for text, channel in zip(found["rle"], (0, 1), strict=True):
        assert np.array_equal(rle_decode(Rle(size=(64, 64), counts=text)), PIXELS[..., channel] > 0)
    stored = store.get(document["parameters"]["measurement_id"])
    assert stored.measurement.coverage.percent_masked == 37.5
    assert store.read(stored, "image") == OVERLAPPING


def test_the_options_of_a_measurement_are_parameters(client: FlaskClient, store: Store) -> None:
    parameters = {
        "score_threshold": 0.8,
        "lot": "A/17",
        "tags": ["a", "b"],
        "filename": "strip.png",
        "pixel_size": 2,
        "unit": "um",
    }
    answer = ask(client, parameters=parameters, outputs=[{"name": "measurement"}, {"name": "percent_masked"}])
    found = values(answer)
    assert list(found) == ["measurement", "percent_masked"]
    assert found["percent_masked"].tolist() == [25.0]
    measured = json.loads(found["measurement"][0])
    assert measured == client.get(f"{MEASUREMENTS}/{measured['id']}").get_json() | {
        name: measured[name]
        for name in ("timing_ms", "url", "image", "overlay_url", "mask_url", "coco_url", "candidates_url")
    }
    assert (measured["lot"], measured["tags"], measured["image"]["filename"]) == (
        "A/17",
        ["a", "b"],
        "strip.png",
    )
    assert store.count() == 1


def test_the_masks_are_given_as_pixels_where_they_are_asked_for(client: FlaskClient) -> None:
    for binary in (True, False):
        wanted = [{"name": name, "parameters": {"binary_data": binary}} for name in ("masks", "mask")]
        found = values(ask(client, outputs=wanted))
        assert np.array_equal(found["masks"], np.moveaxis(PIXELS[..., :2] > 0, 2, 0))
        assert np.array_equal(found["mask"], (PIXELS > 0).any(axis=2))


def test_what_curl_sends_as_it_sends_everything_is_no_form(client: FlaskClient) -> None:
    sent = json.dumps({"inputs": [picture()], "outputs": [{"name": "percent_masked"}]})
    answer = client.post(INFER, data=sent, content_type="application/x-www-form-urlencoded")
    assert values(answer)["percent_masked"].tolist() == [37.5]


def test_a_picture_with_nothing_in_it_has_outputs_of_no_length(client: FlaskClient) -> None:
    empty = base64.b64encode(encoded(blocks())).decode()
    for binary in (True, False):
        answer = client.post(
            INFER, json={"inputs": [picture(data=[empty])], "parameters": {"binary_data_output": binary}}
        )
        found = values(answer)
        assert found["percent_masked"].tolist() == [0.0]
        assert found["boxes"].shape == (0, 4)
        assert found["rle"] == []


def test_a_percentage_that_there_is_not_is_null_or_not_a_number(client: FlaskClient) -> None:
    empty = base64.b64encode(encoded(blocks())).decode()
    asked = {"inputs": [picture(data=[empty])], "outputs": [{"name": "percent_masked"}]}
    answer = client.post(INFER, json={**asked, "parameters": {"of": "red"}})
    assert json.loads(answer.data)["outputs"][0]["data"] == [None]
    packed = client.post(INFER, json={**asked, "parameters": {"of": "red", "binary_data_output": True}})
    assert np.isnan(values(packed)["percent_masked"]).all()


@pytest.mark.parametrize("shape", [[64, 64, 3], [1, 64, 64, 3]])
def test_pixels_are_measured_as_the_picture_that_they_are(
    client: FlaskClient, store: Store, shape: list[int]
) -> None:
    entry = {"datatype": "UINT8", "shape": shape}
    found = values(in_bytes(client, PIXELS.tobytes(), entry, parameters={"binary_data_output": True}))
    assert found["percent_masked"].tolist() == [37.5]
    listed = {"name": "image", "data": PIXELS.reshape(shape).tolist(), **entry}
    flat = {"name": "image", "data": PIXELS.ravel().tolist(), **entry}
    for each in (listed, flat):
        assert values(client.post(INFER, json={"inputs": [each]}))["percent_masked"].tolist() == [37.5]
    (record, *_) = store.list(limit=1)
    assert (record.measurement.image.format, record.measurement.image.filename) == ("PNG", "tensor.png")


@pytest.mark.parametrize("shape", [(64, 64), (1, 64, 64), (64, 64, 1), (1, 64, 64, 1), (1, 64, 3)])
def test_grey_pixels_and_pictures_of_one_row_are_pictures_too(
    client: FlaskClient, shape: tuple[int, ...]
) -> None:
    entry = {"datatype": "UINT8", "shape": [*shape]}
    asked = in_bytes(client, bytes(int(np.prod(shape))), entry, outputs=[{"name": "mask"}])
    assert values(asked)["mask"].shape == ((1, 64) if shape[-1] == 3 else (64, 64))


@pytest.mark.parametrize("length", ["0" * 18 + "1" + "0" * 5000, "-1", "1e3", "\u0663", "99999999"])
def test_a_length_that_is_none_is_refused(client: FlaskClient, length: str) -> None:
    headers = {HEADER: length.encode().decode("latin-1")}
    assert_refused(client.post(INFER, data=b"{}", headers=headers), 400, "invalid_option", HEADER)


def test_a_file_as_bytes_behind_the_json(client: FlaskClient) -> None:
    raw = struct.pack("<I", len(OVERLAPPING)) + OVERLAPPING
    entry = {"datatype": "BYTES", "shape": [1, 1]}
    assert values(in_bytes(client, raw, entry))["percent_masked"].tolist() == [37.5]
    assert_refused(in_bytes(client, raw[:-3], entry), 400, "invalid_option", "4 that say its length")
    assert_refused(in_bytes(client, b"", entry), 400, "invalid_option", "4 that say its length")


@pytest.mark.parametrize(
    ("document", "status", "code", "words"),
    [
        ({}, 400, "missing_picture", "no inputs"),
        ({"inputs": []}, 400, "missing_picture", "no inputs"),
        ({"inputs": [picture(), picture()]}, 400, "invalid_option", "2 inputs"),
        ({"inputs": ["x"]}, 400, "invalid_option", "'image'"),
        ({"inputs": [picture(name="input_0")]}, 400, "invalid_option", "input_0"),
        ({"inputs": [picture(datatype="FP32")]}, 400, "invalid_option", "FP32"),
        ({"inputs": [picture(shape=[2])]}, 400, "invalid_option", "one picture"),
        ({"inputs": [picture(shape=[])]}, 400, "invalid_option", "shape"),
        ({"inputs": [picture(shape=[True])]}, 400, "invalid_option", "shape"),
        ({"inputs": [picture(data=["%%%"])]}, 400, "invalid_option", "no base64"),
        ({"inputs": [picture(data=[])]}, 400, "invalid_option", "no base64"),
        ({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1]}]}, 400, "missing_picture", "neither"),
        ({"inputs": [picture(data=["R0FSQkFHRQ=="])]}, 415, "unsupported_picture", ""),
        ({"inputs": [picture(parameters={"binary_data_size": 3})]}, 400, "invalid_option", "0 do"),
        ({"inputs": [picture(datatype="UINT8", data=[1, 2])]}, 400, "invalid_option", "2 came"),
        ({"inputs": [picture(datatype="UINT8", data=[[1], [1, 2]])]}, 400, "invalid_option", "lengths"),
        ({"inputs": [picture(datatype="UINT8", data=[256])]}, 400, "invalid_option", "0 to 255"),
        ({"inputs": [picture(datatype="UINT8", data=[[1, 2], 3])]}, 400, "invalid_option", "lengths"),
        ({"inputs": [picture(datatype="UINT8", data=[1, 2.5])]}, 400, "invalid_option", "0 to 255"),
        ({"inputs": [picture(datatype="UINT8", data=[True])]}, 400, "invalid_option", "0 to 255"),
        ({"inputs": [picture(datatype="UINT8", data=[2**70])]}, 400, "invalid_option", "0 to 255"),
        (  # 3 GB where each is made as long as the longest
            {"inputs": [picture(datatype="UINT8", data=["x" * 10**6, *["1"] * 800])]},
            400, "invalid_option", "0 to 255",
        ),
        ({"inputs": [picture(datatype="UINT8", data=[1], shape=[1])]}, 400, "invalid_option", "[height, width, 3]"),
        ({"inputs": [picture(datatype="UINT8", data=[], shape=[0, *[2**31] * 7])]}, 400, "invalid_option", "no values"),
        (
            {"inputs": [picture()], "parameters": {f"option{number}": 0 for number in range(101)}},
            400, "invalid_option", "101 options",
        ),
        ({"inputs": [picture()], "outputs": [{"name": "logits"}]}, 400, "invalid_option", "logits"),
        ({"inputs": [picture()], "outputs": "all"}, 400, "invalid_option", "no list"),
        (
            {"inputs": [picture()], "outputs": [{"name": "mask", "parameters": {"classification": 3}}]},
            400, "invalid_option", "classification",
        ),
        ({"inputs": [picture()], "parameters": {"sequence_id": 7}}, 400, "invalid_option", "sequence_id"),
        ({"inputs": [picture()], "parameters": {"model": "x"}}, 400, "invalid_option", "model"),
        ({"inputs": [picture()], "parameters": {"score_threshold": 2}}, 400, "invalid_option", "score_threshold"),
        ({"inputs": [picture()], "parameters": {"pixel_size": 2}}, 409, "invalid_option", "unit"),
        ({"inputs": [picture()], "parameters": 3}, 400, "invalid_option", "no object"),
        ({"inputs": [picture()], "id": 3}, 400, "invalid_option", "id"),
        ([], 400, "invalid_option", "no object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_sentence_and_nothing_is_kept(
    client: FlaskClient, store: Store, *, document: Any, status: int, code: str, words: str
) -> None:
    assert_refused(client.post(INFER, json=document), status, code, words)
    assert store.count() == 0


def test_headers_that_do_not_fit_and_no_json_are_refused(client: FlaskClient) -> None:
    for length in ("0", "-1", "x", "999999"):
        answer = client.post(INFER, data=b"{}", headers={HEADER: length})
        assert_refused(answer, 400, "invalid_option", HEADER, "2 bytes")
    assert_refused(client.post(INFER, data=OVERLAPPING), 400, "invalid_option", "no JSON")
    extra = client.post(
        INFER, data=b'{"inputs": [' + json.dumps(picture()).encode() + b"]}more", headers={HEADER: "2"}
    )
    assert_refused(extra, 400, "invalid_option")


def test_masks_beyond_all_bounds_are_refused_and_the_measurement_is_named(
    client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "MOST_MASK_BYTES", 4096)
    answer = ask(client, outputs=[{"name": "masks"}])
    assert_refused(answer, 409, "too_many", "rle", store.list(limit=1)[0].id)


def test_a_request_sent_again_with_its_key_measures_nothing_twice(client: FlaskClient, store: Store) -> None:
    sent = {"json": {"inputs": [picture()]}, "headers": {"Idempotency-Key": "one"}}
    first, again = client.post(INFER, **sent), client.post(INFER, **sent)
    assert first.get_json()["parameters"] == again.get_json()["parameters"]
    assert store.count() == 1


def test_roles_and_foreign_pages_are_as_in_the_api(settings: Settings, store: Store, models: Models) -> None:
    guarded = create_app(settings.model_copy(update={"host": "0.0.0.0"}), store, models).test_client()  # noqa: S104
    assert guarded.get("/v2/health/live").status_code == 200
    assert_refused(guarded.get(f"/v2/models/{MODEL}"), 401, "unauthorized")
    reading = {"Authorization": f"Bearer {store.keys.add('desk', 'read')}"}
    assert guarded.get(f"/v2/models/{MODEL}", headers=reading).status_code == 200
    sent = {"json": {"inputs": [picture()]}}
    assert_refused(guarded.post(INFER, **sent, headers=reading), 403, "forbidden", "measure")
    foreign = {"X-API-Key": store.keys.add("line", "measure"), "Origin": "https://evil.example"}
    assert_refused(guarded.post(INFER, **sent, headers=foreign), 403, "forbidden")
    del foreign["Origin"]
    assert guarded.post(INFER, **sent, headers=foreign).status_code == 200


def test_the_queue_is_that_of_the_api(client: FlaskClient, app: Flask) -> None:
    app.extensions["planimeter"].queue._size = -1
    answer = ask(client)
    assert_refused(answer, 429, "queue_full")
    assert answer.headers["Retry-After"] == "1"


# ---- Triton's own client

TRITON = """
import gzip, json, sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

url, model, path = sys.argv[1:]
pixels, data = np.load(path), open(path + ".png", "rb").read()
client = http.InferenceServerClient(url)
found = {"live": client.is_server_live(), "ready": client.is_server_ready(), "model": client.is_model_ready(model)}
found["server"] = client.get_server_metadata()["name"]
found["metadata"] = client.get_model_metadata(model, "1")
def infer(array, kind, binary=True, **more):
    entry = http.InferInput("image", array.shape, kind)
    entry.set_data_from_numpy(array, binary_data=binary)
    return client.infer(model, [entry], **more)
file = np.array([data], dtype=object)
answers = {
    "file": infer(file, "BYTES", request_id="7"),
    "packed": infer(file, "BYTES", request_compression_algorithm="gzip"),
    "pixels": infer(pixels, "UINT8", model_version="1"),
    "listed": infer(pixels, "UINT8", binary=False),
}
for name, answer in answers.items():
    found[name] = [answer.as_numpy("percent_masked").tolist(), answer.as_numpy("boxes").tolist(),
                   [text.decode() for text in answer.as_numpy("labels")], answer.get_response().get("id")]
wanted = [http.InferRequestedOutput("masks"), http.InferRequestedOutput("areas", binary_data=False)]
answer = infer(file, "BYTES", outputs=wanted, parameters={"score_threshold": 0.8})
masks = answer.as_numpy("masks")
found["masks"] = [masks.shape, int(masks.sum()), answer.as_numpy("areas").tolist()]
try:
    infer(np.zeros((2, 2), np.float32), "FP32")
except InferenceServerException as error:
    found["error"] = [error.status(), error.message()]
print(json.dumps(found))
"""


@pytest.fixture
def url(app: Flask, settings: Settings) -> Iterator[str]:
    with serving(app, settings) as (url, _):
        yield url


@pytest.mark.foreign
def test_tritons_client_infers(url: str, tmp_path: Any) -> None:
    np.save(tmp_path / "pixels.npy", PIXELS)
    (tmp_path / "pixels.npy.png").write_bytes(OVERLAPPING)
    found = run_with(
        "tritonclient.http", TRITON, url.removeprefix("http://"), MODEL, str(tmp_path / "pixels.npy")
    )
    assert (found["live"], found["ready"], found["model"], found["server"]) == (
        True,
        True,
        True,
        "planimeter",
    )
    assert found["metadata"]["name"] == MODEL
    whole = [[37.5], [[0, 0, 32, 32], [16, 0, 32, 32]], ["red", "green"]]
    assert found["file"] == [*whole, "7"]
    for name in ("packed", "pixels", "listed"):
        assert found[name] == [*whole, None]
    assert found["masks"] == [[1, 64, 64], 1024, [1024]]
    assert found["error"][0] == "400"
    assert "FP32" in found["error"][1]
