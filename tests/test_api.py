"""The REST API through Flask's test client: real decoder, queue, store and drawing; a model known by heart."""

import base64
import csv
import gzip
import json
import struct
import threading
import zlib
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO
from werkzeug.test import TestResponse

from fakes import MODEL, SIDE, BlockRuntime, block_pack, blocks, encoded
from planimeter.masks.rle import rle_decode
from planimeter.measurement import Rle
from planimeter.measuring.segmenter import Segmenter
from planimeter.runtimes import RawDetections
from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.service.uploads import MOST_MEMBERS
from planimeter.settings import Settings
from planimeter.store import Store
from stored import stays

MEASUREMENTS = "/api/v1/measurements"
OVERLAPPING = encoded(blocks(red=(0, 0, 32, 32), green=(16, 0, 48, 32)))
"""1024 red and 1024 green pixels, 512 of them both: the sum is 50 %, the union 37.5 % of 64 x 64."""


def post(client: FlaskClient, data: bytes, filename: str = "blocks.png", **fields: str) -> TestResponse:
    return client.post(MEASUREMENTS, data={"image": (BytesIO(data), filename), **fields})


def files(settings: Settings) -> set[Path]:
    """Return every file in the folders, half-written ones included, but no lock, and no slot without a note."""
    folders = (Path(settings.upload_folder), Path(settings.output_folder))
    found = (path for folder in folders for path in folder.rglob("*"))
    return {path for path in found if path.is_file() and not stays(path)}


def png_header(width: int, height: int) -> bytes:
    """Return a PNG of a few hundred bytes that claims to be that large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(100_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def body(answer: TestResponse) -> Any:
    """Return the JSON of an answer."""
    return json.loads(answer.data)


def pixels_of(answer: TestResponse) -> NDArray[Any]:
    with Image.open(BytesIO(answer.data)) as image:
        return np.asarray(image)


def pixels_in(data: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def assert_problem(answer: TestResponse, status: int, code: str, *words: str) -> None:
    """Assert the one shape of every error, and that its sentence holds `words`."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    assert set(body(answer)) == {"error"}
    assert set(body(answer)["error"]) == {"code", "message"}
    assert body(answer)["error"]["code"] == code
    for word in words:
        assert word in body(answer)["error"]["message"]


# ---- Measuring


def test_overlapping_instances_count_once(client: FlaskClient) -> None:
    answer = post(client, OVERLAPPING)
    assert answer.status_code == 201
    coverage = body(answer)["coverage"]
    assert coverage["pixels_masked"] == 1536
    assert coverage["pixels_counted"] == 4096
    assert coverage["pixels_overlapping"] == 512
    assert coverage["percent_masked"] == 37.5
    assert sum(entry["percent"] for entry in body(answer)["instances"]) == 50.0
    assert [(entry["class"], entry["count"], entry["percent_masked"]) for entry in coverage["by_class"]] == [
        ("red", 1, 25.0),
        ("green", 1, 25.0),
    ]


def test_an_answer_has_every_field_of_the_design(client: FlaskClient) -> None:
    answer = body(post(client, OVERLAPPING, "strip 17.png"))
    assert list(answer) == [
        *("id", "created_at", "batch", "lot", "sample", "operator", "note", "tags", "measured_by"),
        *("url", "image", "model", "options"),
        *("measured_threshold", "kept_threshold", "pinned", "profile", "verdict"),
        *("coverage", "reviewed", "corrected_percent_masked"),
        *("rules", "instances", "corrected", "notes"),
        *("overlay_url", "mask_url", "coco_url", "candidates_url", "timing_ms"),
    ]
    assert answer["image"]["filename"] == "strip 17.png"
    assert answer["created_at"].endswith("Z")
    assert answer["options"] == {"score_threshold": 0.5, "counting": None}
    first = answer["instances"][0]
    assert first["bbox"] == [0, 0, 32, 32]
    assert first["area_px"] == 1024
    assert rle_decode(Rle(**first["mask"])).sum() == 1024
    timing = answer["timing_ms"]
    assert timing["store"] > 0
    parts = sum(value for step, value in timing.items() if step != "total")
    assert timing["total"] >= parts * 0.999


def test_a_picture_with_nothing_in_it_is_a_normal_result(client: FlaskClient) -> None:
    answer = post(client, encoded(blocks()))
    assert answer.status_code == 201
    assert body(answer)["instances"] == []
    assert body(answer)["coverage"]["percent_masked"] == 0.0
    assert pixels_of(client.get(f"{MEASUREMENTS}/{body(answer)['id']}/mask")).max() == 0


def test_the_links_of_an_answer_lead_there_from_the_address_requested(client: FlaskClient) -> None:
    posted = post(client, OVERLAPPING)
    id_ = body(posted)["id"]
    assert posted.headers["Location"] == f"measurements/{id_}"
    assert body(posted)["overlay_url"] == f"measurements/{id_}/overlay"
    read = body(client.get(f"{MEASUREMENTS}/{id_}"))
    assert read["overlay_url"] == f"{id_}/overlay"
    assert read["image"]["url"] == f"{id_}/image"


def test_what_is_read_later_is_what_was_answered(client: FlaskClient) -> None:
    posted = body(post(client, OVERLAPPING))
    read = body(client.get(f"{MEASUREMENTS}/{posted['id']}"))
    for name in ("id", "created_at", "model", "options", "coverage", "instances", "notes"):
        assert read[name] == posted[name]


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "application/octet-stream"])
def test_raw_bytes_are_measured_by_their_content(client: FlaskClient, content_type: str) -> None:
    answer = client.post(
        f"{MEASUREMENTS}?filename=raw.png&score_threshold=0.7", data=OVERLAPPING, content_type=content_type
    )
    assert answer.status_code == 201
    assert body(answer)["image"]["filename"] == "raw.png"
    assert body(answer)["image"]["format"] == "PNG"
    assert [entry["class"] for entry in body(answer)["instances"]] == ["red"]
    assert body(answer)["coverage"]["percent_masked"] == 25.0


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_accepting_a_picture_answers_the_drawn_one_with_the_number_in_a_header(
    client: FlaskClient, kind: str
) -> None:
    answer = client.post(
        MEASUREMENTS, data=OVERLAPPING, content_type="image/png", headers={"Accept": f"image/{kind}"}
    )
    assert answer.status_code == 201
    assert answer.content_type == f"image/{kind}"
    assert float(answer.headers["Planimeter-Percent-Masked"]) == 37.5
    assert pixels_of(answer).shape == (SIDE, SIDE, 3)
    assert body(client.get(f"/api/v1/{answer.headers['Location']}"))["coverage"]["percent_masked"] == 37.5


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_json_is_the_answer_unless_a_picture_is_preferred(client: FlaskClient, accept: str) -> None:
    answer = client.post(MEASUREMENTS, data=OVERLAPPING, content_type="image/png", headers={"Accept": accept})
    assert answer.content_type == "application/json"


def test_mask_format_changes_the_answer_and_never_the_record(client: FlaskClient) -> None:
    posted = body(post(client, OVERLAPPING, mask_format="none"))
    assert [entry["mask"] for entry in posted["instances"]] == [None, None]
    url = f"{MEASUREMENTS}/{posted['id']}"
    exact = body(client.get(url))["instances"][0]["mask"]
    assert rle_decode(Rle(**exact)).sum() == 1024
    rough = body(client.get(url, query_string={"mask_format": "polygon"}))["instances"][0]["mask"]
    assert rough["approximate"] is True
    ((ring,),) = rough["polygons"]
    assert min(ring) <= 0.5
    assert max(ring) >= 31


def test_a_threshold_leaves_instances_out(client: FlaskClient) -> None:
    assert len(body(post(client, OVERLAPPING, score_threshold="0.7"))["instances"]) == 1
    assert len(body(post(client, OVERLAPPING))["instances"]) == 2
    empty = post(client, OVERLAPPING, score_threshold="")
    assert (empty.status_code, "score_threshold is empty" in empty.text) == (400, True)


def same_picture(one: Any, other: Any) -> bool:
    return all(
        one["image"][name] == other["image"][name] for name in ("filename", "format", "width", "sha256")
    )


def as_json(client: FlaskClient, image: str, **fields: Any) -> TestResponse:
    return client.post(MEASUREMENTS, json={"image": image, **fields})


@pytest.mark.parametrize("before", ["", "data:image/png;base64,", "data:application/octet-stream;base64,"])
def test_base64_in_json_is_measured_as_the_file_is(client: FlaskClient, before: str) -> None:
    for text in (
        base64.b64encode(OVERLAPPING).decode(),
        base64.encodebytes(OVERLAPPING).decode(),
        base64.urlsafe_b64encode(OVERLAPPING).decode().rstrip("="),
    ):
        answer = as_json(
            client, before + text, filename="blocks.png", score_threshold=0.7, batch="b", model=None
        )
        assert answer.status_code == 201, answer.text
        measured = body(answer)
        assert same_picture(measured, body(post(client, OVERLAPPING)))
        assert len(measured["instances"]) == 1
    alone = client.post(MEASUREMENTS, json=before + base64.b64encode(OVERLAPPING).decode())
    assert body(alone)["coverage"]["percent_masked"] == 37.5


def test_json_can_name_a_stored_picture(client: FlaskClient) -> None:
    first = body(post(client, OVERLAPPING))
    again = client.post(MEASUREMENTS, json={"from": first["id"], "score_threshold": 0.7})
    assert same_picture(body(again), first)
    both = as_json(client, "aaaa", **{"from": first["id"]})
    assert_problem(both, 409, "invalid_option", "one of the two")


def packed(client: FlaskClient, data: bytes, content_type: str, encoding: str = "gzip") -> TestResponse:
    headers = {"Content-Encoding": encoding}
    return client.post(MEASUREMENTS, data=data, content_type=content_type, headers=headers)


FORM = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n%b\r\n--x--\r\n'


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_gzip_body_is_unpacked_whatever_is_in_it(client: FlaskClient, encoding: str) -> None:
    in_json = json.dumps({"image": base64.b64encode(OVERLAPPING).decode()}).encode()
    for data, content_type in (
        (OVERLAPPING, "image/png"),
        (in_json, "application/json"),
        (FORM % OVERLAPPING, "multipart/form-data; boundary=x"),
    ):
        answer = packed(client, gzip.compress(data), content_type, encoding)
        assert answer.status_code == 201, answer.text
        assert body(answer)["coverage"]["percent_masked"] == 37.5
        parts = gzip.compress(data[:50]) + gzip.compress(b"") * 3 + gzip.compress(data[50:])
        assert packed(client, parts, content_type, encoding).status_code == 201


def test_what_is_not_gzip_is_refused_by_name(client: FlaskClient) -> None:
    assert_problem(packed(client, OVERLAPPING, "image/png"), 422, "undecodable_picture", "gzip", "leave out")
    cut = gzip.compress(OVERLAPPING)[:-20]
    assert_problem(packed(client, cut, "image/png"), 422, "undecodable_picture", "cut short")
    many = gzip.compress(b"") * (MOST_MEMBERS + 1)
    assert_problem(packed(client, many, "image/png"), 422, "undecodable_picture", "10,000 parts")
    for encoding in ("br", "deflate", "gzip, gzip"):
        answer = packed(client, OVERLAPPING, "image/png", encoding)
        assert_problem(answer, 415, "unsupported_picture", encoding, "only gzip")
    assert packed(client, OVERLAPPING, "image/png", "identity").status_code == 201


def test_a_planar_16_bit_tiff_is_measured_as_its_png(client: FlaskClient) -> None:
    planes = np.moveaxis(pixels_in(OVERLAPPING).astype(np.uint16) * 257, 2, 0)
    for compression in (None, "zlib"):
        stream = BytesIO()
        tifffile.imwrite(
            stream, planes, photometric="rgb", planarconfig="separate", compression=compression, byteorder=">"
        )
        measured = body(post(client, stream.getvalue(), "blocks.tif"))
        assert measured["coverage"]["percent_masked"] == 37.5
        assert measured["coverage"]["pixels_overlapping"] == 512
        assert measured["notes"][0] == {
            "code": "depth_reduced",
            "message": "16 bits per channel: the upper 8 were used",
        }


@pytest.mark.parametrize("kind", ["GIF", "JPEG2000"])
def test_lossless_formats_of_browsers_are_measured_as_the_png(client: FlaskClient, kind: str) -> None:
    stream = BytesIO()
    Image.fromarray(pixels_in(OVERLAPPING)).save(stream, kind)
    measured = body(post(client, stream.getvalue(), "blocks.jpg"))
    assert measured["coverage"]["percent_masked"] == 37.5
    assert measured["image"]["format"] == kind
    image = client.get(f"{MEASUREMENTS}/{measured['id']}/image")
    assert image.data == stream.getvalue()
    assert image.content_type == {"GIF": "image/gif", "JPEG2000": "image/jp2"}[kind]


# ---- Bad input


BAD_UPLOADS = {
    "an empty file": (b"", 400, "missing_picture", "0 bytes"),
    "text named .png": (b"hello, I am text", 415, "unsupported_picture", "PNG"),
    "a truncated JPEG": (encoded(blocks(), "JPEG")[:400], 422, "undecodable_picture", ""),
    "30,000 x 30,000 in a few bytes": (png_header(30_000, 30_000), 422, "too_many_pixels", "30,000"),
}


@pytest.mark.parametrize("name", BAD_UPLOADS)
def test_a_bad_upload_is_refused_and_the_next_good_one_is_measured(
    client: FlaskClient, settings: Settings, store: Store, name: str
) -> None:
    data, status, code, word = BAD_UPLOADS[name]
    assert_problem(post(client, data), status, code, word)
    assert files(settings) == set()
    assert store.count() == 0
    assert post(client, OVERLAPPING).status_code == 201


@pytest.mark.parametrize(
    ("fields", "status", "code", "words"),
    [
        ({"model": "nosuch"}, 404, "unknown_model", ("'nosuch'", "blocks")),
        ({"model": "../../etc"}, 404, "unknown_model", ("'../../etc'",)),
        (
            {"score_threshold": "7"},
            400,
            "invalid_option",
            ("score_threshold", "'7'", "less than or equal to 1"),
        ),
        ({"score_threshold": "nan"}, 400, "invalid_option", ("score_threshold",)),
        ({"score_threshold": "high"}, 400, "invalid_option", ("score_threshold", "'high'")),
        ({"mask_format": "svg"}, 400, "invalid_option", ("mask_format", "polygon")),
        ({"treshold": "0.5"}, 400, "invalid_option", ("'treshold'", "score_threshold")),
    ],
)
def test_a_bad_option_is_named_and_the_next_good_request_is_measured(
    *,
    client: FlaskClient,
    settings: Settings,
    fields: dict[str, str],
    status: int,
    code: str,
    words: tuple[str, ...],
) -> None:
    assert_problem(post(client, OVERLAPPING, **fields), status, code, *words)
    assert files(settings) == set()
    assert post(client, OVERLAPPING).status_code == 201


@pytest.mark.parametrize(
    ("request_", "status", "code", "words"),
    [
        ({}, 400, "missing_picture", ("'image'", "curl")),
        ({"data": {"model": "blocks"}}, 415, "unsupported_picture", ("x-www-form-urlencoded",)),
        ({"data": {"picture": (BytesIO(OVERLAPPING), "a.png")}}, 400, "missing_picture", ("'picture'",)),
        (
            {"data": {"image": "a.png"}, "content_type": "multipart/form-data"},
            400,
            "missing_picture",
            ("as text", "@"),
        ),
        (
            {"data": {"image": [(BytesIO(OVERLAPPING), "a.png"), (BytesIO(OVERLAPPING), "b.png")]}},
            400,
            "missing_picture",
            ("2 pictures",),
        ),
        ({"data": b"", "content_type": "image/png"}, 400, "missing_picture", ("empty",)),
        (
            {"data": b"{}", "content_type": "application/json"},
            400,
            "missing_picture",
            ("no 'image' in the JSON", "base64"),
        ),
        ({"json": [1, 2]}, 400, "missing_picture", ("no object", "base64")),
        (
            {"json": {"instances": [{"b64": "aaaa"}]}},
            400,
            "missing_picture",
            ("came: 'instances'", '{"image": '),
        ),
        ({"json": {"url": "https://example.org/a.png"}}, 400, "missing_picture", ("came: 'url'",)),
        (
            {"json": {"image": "aaaa", "batch": ["b"]}},
            400,
            "invalid_option",
            ("batch is a list", "give a text"),
        ),
        ({"json": {"image": {"type": "base64"}}}, 400, "invalid_option", ("no text", "base64")),
        ({"json": {"image": "pictures/a.png?"}}, 400, "invalid_option", ("not base64", "not its path")),
        ({"json": {"image": "data:image/png,abc"}}, 400, "invalid_option", ("data:image/png;base64,",)),
        ({"json": {"image": ""}}, 400, "missing_picture", ("empty",)),
        ({"json": {"image": "aGVsbG8gd29ybGQ="}}, 415, "unsupported_picture", ("PNG",)),
        (
            {"json": {"image": "aaaa", "threshold": 0.5}},
            400,
            "invalid_option",
            ("unknown option 'threshold'",),
        ),
        (
            {"json": {"image": "aaaa", "score_threshold": 2}},
            400,
            "invalid_option",
            ("score_threshold is '2'",),
        ),
        ({"data": b"{", "content_type": "application/json"}, 400, "invalid_option", ("no JSON",)),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400, "invalid_option", ("no JSON",)),
        (
            {
                "data": OVERLAPPING,
                "content_type": "image/png",
                "query_string": "score_threshold=0.1&score_threshold=0.9",
            },
            400,
            "invalid_option",
            ("given twice",),
        ),
    ],
)
def test_a_request_without_a_usable_picture_learns_how_to_send_one(
    client: FlaskClient, request_: dict[str, Any], status: int, code: str, words: tuple[str, ...]
) -> None:
    assert_problem(client.post(MEASUREMENTS, **request_), status, code, *words)
    assert post(client, OVERLAPPING).status_code == 201


@pytest.fixture
def small_client(settings: Settings, store: Store, models: Models) -> FlaskClient:
    """A client of a service that takes 10,000 bytes at most."""
    return create_app(settings.model_copy(update={"max_bytes": 10_000}), store, models).test_client()


@pytest.mark.parametrize("size", [10_001, 3_000_000])
def test_too_many_bytes_are_413_whether_flask_or_we_count_them(small_client: FlaskClient, size: int) -> None:
    form_data = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n%b\r\n--x--\r\n'
        % bytes(size)
    )
    form = small_client.post(MEASUREMENTS, data=form_data, content_type="multipart/form-data; boundary=x")
    assert_problem(form, 413, "too_many_bytes", "10,000 bytes")
    raw = small_client.post(MEASUREMENTS, data=bytes(size), content_type="image/png")
    assert_problem(raw, 413, "too_many_bytes", "10,000 bytes")
    in_json = as_json(small_client, base64.b64encode(bytes(size)).decode())
    assert_problem(in_json, 413, "too_many_bytes", "10,000 bytes")
    for data, content_type in ((bytes(size), "image/png"), (form_data, "multipart/form-data; boundary=x")):
        bomb = packed(small_client, gzip.compress(data), content_type)
        assert_problem(bomb, 413, "too_many_bytes", "10,000 bytes")


def test_base64_of_a_picture_at_the_limit_is_taken(settings: Settings, store: Store, models: Models) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, 24_000, 3)).astype(np.uint8)
    data = encoded(pixels)
    changed = settings.model_copy(update={"max_bytes": len(data)})
    client = create_app(changed, store, models).test_client()
    assert len(data) > 4_000_000
    text = base64.b64encode(data).decode()
    assert as_json(client, text).status_code == 201
    one_more = base64.b64encode(data + b"\0").decode()
    assert_problem(as_json(client, one_more), 413, "too_many_bytes")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://public.example"}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://public.example", "Planimeter-Page": "1"}, True),
        ({}, True),
    ],
)
def test_another_sites_page_cannot_upload_through_a_visitors_browser(
    client: FlaskClient, headers: dict[str, str], *, allowed: bool
) -> None:
    answer = client.post(MEASUREMENTS, data=OVERLAPPING, content_type="image/png", headers=headers)
    if allowed:
        assert answer.status_code == 201
    else:
        assert_problem(answer, 403, "forbidden", "another site")


# ---- One shape for every error


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api", 404, "not_found"),
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v2/measurements", 404, "not_found"),
        ("PUT", "/api/v1/measurements", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("GET", "/api/v1/models/nosuch", 404, "unknown_model"),
        ("GET", "/api/v1/measurements/01K00000000000000000000000", 404, "unknown_measurement"),
        ("GET", "/api/v1/measurements/..%2f..%2fetc", 404, "not_found"),
        ("DELETE", "/api/v1/measurements/nosuch", 404, "unknown_measurement"),
        ("GET", "/api/v1/measurements/nosuch/image", 404, "unknown_measurement"),
        ("GET", "/api/v1/measurements/nosuch/overlay", 404, "unknown_measurement"),
        ("GET", "/api/v1/measurements/nosuch/overlay?style=neon", 400, "invalid_option"),
        ("GET", "/api/v1/measurements/nosuch/overlay?format=gif", 400, "invalid_option"),
        ("GET", "/api/v1/measurements/nosuch/mask", 404, "unknown_measurement"),
        ("GET", "/api/v1/measurements/nosuch/mask?kind=all", 400, "invalid_option"),
        ("GET", "/api/v1/measurements/nosuch/coco", 404, "unknown_measurement"),
        ("GET", "/api/v1/measurements?limit=0", 400, "invalid_option"),
        ("GET", "/api/v1/measurements?limit=many", 400, "invalid_option"),
        ("GET", "/api/v1/measurements?since=yesterday", 400, "invalid_option"),
        ("GET", "/api/v1/measurements?before=nosuch", 400, "invalid_option"),
        ("GET", "/api/v1/measurements?color=red", 400, "invalid_option"),
        ("GET", "/api/v1/models?color=red", 400, "invalid_option"),
        ("POST", "/api/v1/measurements", 400, "missing_picture"),
    ],
)
def test_every_error_of_every_route_has_one_shape(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    assert_problem(client.open(path, method=method), status, code)


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    answer = client.put(MEASUREMENTS)
    assert_problem(answer, 405, "method_not_allowed", "PUT", "POST")
    assert "POST" in answer.headers["Allow"]


def test_a_crash_is_a_500_that_tells_the_log_all_and_the_client_nothing(
    settings: Settings, store: Store, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    def crash() -> None:
        raise RuntimeError("secret detail")

    models.get()._runtime = BlockRuntime(crash)
    client = create_app(settings, store, models).test_client()
    answer = post(client, OVERLAPPING)
    assert_problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert "secret detail" in caplog.text
    assert files(settings) == set()
    models.get()._runtime = BlockRuntime()
    assert post(client, OVERLAPPING).status_code == 201


def test_a_person_gets_a_page_where_a_program_gets_json(client: FlaskClient) -> None:
    page = client.get("/nosuch", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert_problem(client.get("/nosuch", headers={"Accept": "application/json"}), 404, "not_found", "/nosuch")


def test_every_answer_carries_the_headers_that_keep_browsers_safe(client: FlaskClient) -> None:
    for path in ("/", "/api/v1/models", "/nosuch", "/static/planimeter.css"):
        with client.get(path) as answer:
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


# ---- The queue


class Gate:
    """Holds every picture in the network until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self) -> None:
        self.entered.release()
        assert self.opened.wait(30)


@pytest.fixture
def gate(models: Models) -> Iterator[Gate]:
    gate = Gate()
    models.get()._runtime = BlockRuntime(gate)
    yield gate
    gate.opened.set()


def waiting_app(settings: Settings, store: Store, models: Models, **changes: Any) -> Flask:
    return create_app(settings.model_copy(update=changes), store, models)


def post_in_thread(app: Flask, answers: list[TestResponse]) -> threading.Thread:
    thread = threading.Thread(target=lambda: answers.append(post(app.test_client(), OVERLAPPING)))
    thread.start()
    return thread


def test_a_full_queue_answers_429_with_the_time_to_come_back(
    settings: Settings, store: Store, models: Models, gate: Gate
) -> None:
    app = waiting_app(settings, store, models, queue_size=0)
    answers: list[TestResponse] = []
    first = post_in_thread(app, answers)
    assert gate.entered.acquire(timeout=30)
    refused = post(app.test_client(), OVERLAPPING)
    assert_problem(refused, 429, "queue_full")
    assert int(refused.headers["Retry-After"]) >= 1
    gate.opened.set()
    first.join()
    assert answers[0].status_code == 201
    assert post(app.test_client(), OVERLAPPING).status_code == 201


def test_waiting_longer_than_the_deadline_is_504_and_the_queue_goes_on(
    settings: Settings, store: Store, models: Models, gate: Gate
) -> None:
    app = waiting_app(settings, store, models, queue_size=4, deadline=0.05)
    answers: list[TestResponse] = []
    first = post_in_thread(app, answers)
    assert gate.entered.acquire(timeout=30)
    late = post(app.test_client(), OVERLAPPING)
    assert_problem(late, 504, "deadline_exceeded", "0.05 s")
    gate.opened.set()
    first.join()
    assert answers[0].status_code == 201
    assert post(app.test_client(), OVERLAPPING).status_code == 201
    assert store.count() == 2


def test_a_model_for_two_at_a_time_gets_two_and_the_third_waits(settings: Settings, store: Store) -> None:
    gate = Gate()

    class ForTwo(BlockRuntime):
        streams = 2

        def run(self, image: NDArray[np.float32]) -> RawDetections:
            gate()
            return self._detect(image)

    models = Models(
        settings, find=lambda _: {MODEL: block_pack()}, load=lambda pack, _: Segmenter(pack, ForTwo())
    )
    app = waiting_app(settings, store, models, queue_size=4)
    answers: list[TestResponse] = []
    threads = [post_in_thread(app, answers) for _ in range(4)]
    try:
        assert all(gate.entered.acquire(timeout=30) for _ in range(2))
        assert not gate.entered.acquire(timeout=0.3)
    finally:
        gate.opened.set()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == 4 * [201]


def test_eight_clients_at_once_each_get_the_answer_of_their_own_picture(app: Flask) -> None:
    answers: dict[int, TestResponse] = {}
    start = threading.Barrier(8)

    def measure(number: int) -> None:
        picture = encoded(blocks(red=(0, 0, 2 * number, 5)))
        start.wait()
        answers[number] = post(app.test_client(), picture, f"{number}.png")

    threads = [threading.Thread(target=measure, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: body(answer)["coverage"]["pixels_masked"] for number, answer in answers.items()} == {
        number: 10 * number for number in range(1, 9)
    }
    assert all(body(answer)["image"]["filename"] == f"{number}.png" for number, answer in answers.items())


# ---- Pictures of a measurement


@pytest.fixture
def url(client: FlaskClient) -> str:
    return f"{MEASUREMENTS}/{body(post(client, OVERLAPPING, 'a b.png'))['id']}"


def test_the_image_comes_back_as_it_was_uploaded(client: FlaskClient, url: str) -> None:
    answer = client.get(f"{url}/image")
    assert answer.data == OVERLAPPING
    assert answer.content_type == "image/png"


@pytest.mark.parametrize("style", ["fill", "outline", "splash"])
@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_the_overlay_comes_in_each_style_and_format(
    client: FlaskClient, url: str, style: str, kind: str
) -> None:
    answer = client.get(f"{url}/overlay", query_string={"style": style, "format": kind})
    assert answer.content_type == f"image/{kind}"
    assert pixels_of(answer).shape == (SIDE, SIDE, 3)


def test_the_masks_are_exact_and_the_higher_score_wins_where_they_overlap(
    client: FlaskClient, url: str
) -> None:
    binary = pixels_of(client.get(f"{url}/mask"))
    assert binary.dtype == np.uint8
    assert {*np.unique(binary).tolist()} == {0, 255}
    assert np.count_nonzero(binary) == 1536
    classes = pixels_of(client.get(f"{url}/mask?kind=class"))
    assert np.bincount(classes.ravel().astype(int)).tolist() == [2560, 1024, 512]
    instances = pixels_of(client.get(f"{url}/mask?kind=instance"))
    assert instances.dtype == np.uint16
    assert np.bincount(instances.ravel().astype(int)).tolist() == [2560, 1024, 512]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_the_coco_file_is_read_by_pycocotools(client: FlaskClient, url: str, tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    path.write_bytes(client.get(f"{url}/coco").data)
    coco = COCO(str(path))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["red", "green"]
    found = coco.loadAnns(coco.getAnnIds())
    assert [int(coco.annToMask(entry).sum()) for entry in found] == [1024, 1024]
    assert found[1]["bbox"] == [16, 0, 32, 32]


def test_what_never_changes_may_be_kept_by_the_client(client: FlaskClient, url: str) -> None:
    answer = client.get(f"{url}/image")
    assert "immutable" in answer.headers["Cache-Control"]
    assert "private" in answer.headers["Cache-Control"]
    again = client.get(f"{url}/image", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""


@pytest.mark.parametrize(
    "part",
    [
        "overlay?score_threshold=0.5",
        "overlay?style=outline&score_threshold=0.7",
        "mask?score_threshold=0.5",
        "coco?score_threshold=0.5",
        "candidates",
    ],
)
def test_what_follows_the_region_is_asked_for_again(client: FlaskClient, url: str, part: str) -> None:
    answer = client.get(f"{url}/{part}")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    tag = {"If-None-Match": answer.headers["ETag"]}
    again = client.get(f"{url}/{part}", headers=tag)
    assert (again.status_code, again.data) == (304, b"")
    region = '{"include": [[[0, 0], [20, 0], [20, 20], [0, 20]]]}'
    assert client.put(f"{url}/region", data={"region": region}).status_code == 200
    assert client.get(f"{url}/{part}", headers=tag).status_code == 200


def test_two_styles_have_two_etags(client: FlaskClient, url: str) -> None:
    etags = {client.get(f"{url}/overlay?style={style}").headers["ETag"] for style in ("fill", "outline")}
    assert len(etags) == 2


def test_a_file_removed_by_hand_is_an_error_that_says_so(
    client: FlaskClient, settings: Settings, url: str
) -> None:
    for path in Path(settings.output_folder).iterdir():
        if path.is_file():
            path.unlink()
    assert_problem(client.get(f"{url}/overlay"), 503, "store_failed", "by hand")


def test_deleting_removes_the_record_and_every_file(
    client: FlaskClient, settings: Settings, url: str
) -> None:
    assert len(files(settings)) == 3
    assert client.delete(f"{url}?for_good=true").status_code == 204
    assert files(settings) == set()
    assert_problem(client.get(url), 404, "unknown_measurement")
    assert_problem(client.delete(url), 404, "unknown_measurement")


# ---- The list


@pytest.fixture
def three(client: FlaskClient) -> list[str]:
    """The ids of three measurements, oldest first: red only, both, nothing."""
    pictures = (encoded(blocks(red=(0, 0, 8, 8))), OVERLAPPING, encoded(blocks()))
    return [body(post(client, data, f"{number}.png"))["id"] for number, data in enumerate(pictures)]


def test_the_list_is_newest_first_and_leads_from_page_to_page(client: FlaskClient, three: list[str]) -> None:
    page = body(client.get(f"{MEASUREMENTS}?limit=2"))
    assert [entry["id"] for entry in page["measurements"]] == [three[2], three[1]]
    assert page["count"] == 3
    assert page["next_url"] == f"measurements?limit=2&before={three[1]}"
    rest = body(client.get(f"/api/v1/{page['next_url']}"))
    assert [entry["id"] for entry in rest["measurements"]] == [three[0]]
    assert rest["next_url"] is None


def test_the_list_is_light(client: FlaskClient, three: list[str]) -> None:
    entry = body(client.get(MEASUREMENTS))["measurements"][1]
    assert "instances" not in entry
    assert entry["instance_count"] == 2
    assert entry["url"] == f"measurements/{three[1]}"


def test_the_list_is_filtered_by_model_class_and_date(client: FlaskClient, three: list[str]) -> None:
    def ids(**filters: str) -> list[str]:
        listed = body(client.get(MEASUREMENTS, query_string=filters))["measurements"]
        return [entry["id"] for entry in listed]

    assert ids(**{"class": "red"}) == [three[1], three[0]]
    assert ids(**{"class": "green"}) == [three[1]]
    assert ids(model="blocks", limit="1") == [three[2]]
    assert ids(model="other") == []
    assert ids(since="2999-01-01") == []
    assert ids(until="2999-01-01T00:00:00Z") == [*reversed(three)]


def test_the_list_as_csv_has_a_line_a_measurement(client: FlaskClient, three: list[str]) -> None:
    answer = client.get(MEASUREMENTS, headers={"Accept": "text/csv"})
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [row["id"] for row in rows] == [*reversed(three)]
    assert [float(row["percent_masked"]) for row in rows] == [0.0, 37.5, 1.5625]
    assert [row["percent_masked[green]"] for row in rows] == ["0.0", "25.0", "0.0"]
    limited = client.get(f"{MEASUREMENTS}?limit=1", headers={"Accept": "text/csv"})
    assert len(limited.text.splitlines()) == 2


def test_a_file_name_cannot_become_a_formula_in_a_spreadsheet(client: FlaskClient) -> None:
    post(client, OVERLAPPING, "=HYPERLINK(1).png")
    (row,) = csv.DictReader(StringIO(client.get(MEASUREMENTS, headers={"Accept": "text/csv"}).text))
    assert row["filename"] == "'=HYPERLINK(1).png"


# ---- Models and probes


def test_models_are_listed_and_shown(client: FlaskClient) -> None:
    listed = body(client.get("/api/v1/models"))
    assert listed["default"] == "blocks"
    assert [(entry["name"], entry["default"], entry["url"]) for entry in listed["models"]] == [
        ("blocks", True, "models/blocks")
    ]
    shown = body(client.get("/api/v1/models/blocks"))
    assert [entry["name"] for entry in shown["classes"]] == ["red", "green"]
    assert shown["thresholds"] == {
        "score": 0.5,
        "mask": 0.5,
        "mask_edge": "extend",
        "pixel_cells": 0,
        "mask_nms_iou": 1,
    }
    assert shown["report_url"] is None


def test_ready_means_a_loaded_model_and_a_store_that_can_be_written(
    client: FlaskClient, settings: Settings, store: Store, models: Models
) -> None:
    assert body(client.get("/readyz")) == {"status": "ready"}
    unloaded = Models(settings, find=models._find, load=models._load)
    app = create_app(settings, store, unloaded)
    assert_problem(app.test_client().get("/readyz"), 503, "not_ready", "'blocks'")
    assert body(app.test_client().get("/healthz")) == {"status": "ok"}


def test_ready_turns_false_when_a_folder_is_gone(client: FlaskClient, settings: Settings) -> None:
    folder = Path(settings.upload_folder)
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("a file in the way")
    assert_problem(client.get("/readyz"), 503, "not_ready")


def test_metrics_count_by_model_and_outcome(client: FlaskClient) -> None:
    post(client, OVERLAPPING)
    post(client, b"text")
    post(client, OVERLAPPING, model="invented-by-a-client")
    text = client.get("/metrics").text
    assert 'planimeter_measurements_total{model="blocks",outcome="ok"} 1.0' in text
    assert 'planimeter_measurements_total{model="blocks",outcome="unsupported_picture"} 1.0' in text
    assert 'planimeter_measurements_total{model="unknown",outcome="unknown_model"} 1.0' in text
    assert "invented" not in text
    assert 'planimeter_step_seconds_count{step="inference"} 1.0' in text
    assert "planimeter_queue_length 0.0" in text


# ---- Restart


def test_a_restart_keeps_every_measurement(
    client: FlaskClient, settings: Settings, store: Store, models: Models, three: list[str]
) -> None:
    before = {id_: client.get(f"{MEASUREMENTS}/{id_}/overlay").data for id_ in three}
    store.close()
    reopened = Store.open(settings.database, settings.upload_folder, settings.output_folder)
    again = create_app(settings, reopened, models).test_client()
    assert [entry["id"] for entry in body(again.get(MEASUREMENTS))["measurements"]] == [*reversed(three)]
    assert {id_: again.get(f"{MEASUREMENTS}/{id_}/overlay").data for id_ in three} == before
    reopened.close()


def test_a_record_outlives_its_model(settings: Settings, store: Store, url: str) -> None:
    gone = create_app(settings, store, Models(settings, find=lambda _: {})).test_client()
    assert gone.get(f"{url}/overlay?style=outline").status_code == 200
    assert body(gone.get(url))["model"]["name"] == "blocks"


def test_the_methods_of_a_path_are_those_of_what_is_there(client: FlaskClient) -> None:
    assert client.options(f"{MEASUREMENTS}/csv").headers["Allow"] == "GET, HEAD, OPTIONS"
    for method in ("DELETE", "PATCH"):
        answer = client.open(f"{MEASUREMENTS}/csv", method=method)
        assert_problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
